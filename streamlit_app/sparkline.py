"""Small line charts as SVG images: no chart library, so that the first page appears at once.

A month without a judged value is a gap in the line and a short tick on the base line, never a point at zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from streamlit_app.theme import HAIRLINE, MUTED


@dataclass(frozen=True)
class Frame:
    """Size and colours of a sparkline."""

    width: int = 300
    height: int = 56
    line: str = "#1D4E7A"
    faint: str = HAIRLINE
    target: str = MUTED
    pad: int = 5


def sparkline(values: Sequence[float | None], target: float | None, frame: Frame) -> str:
    """An SVG of `values` (oldest first, None for a gap) with the target as a dashed line."""
    known = [value for value in values if value is not None]
    low, high = _scale([*known, *([] if target is None else [target])])
    step = (frame.width - 2 * frame.pad) / max(len(values) - 1, 1)

    def x(position: int) -> float:
        return round(frame.pad + position * step, 1)

    def y(value: float) -> float:
        return round(frame.height - frame.pad - (value - low) / (high - low) * (frame.height - 2 * frame.pad), 1)

    parts = []
    if target is not None:
        parts.append(
            f'<line x1="0" x2="{frame.width}" y1="{y(target)}" y2="{y(target)}" stroke="{frame.target}"'
            ' stroke-width="1" stroke-dasharray="3 4" opacity="0.8" vector-effect="non-scaling-stroke"/>'
        )
    for run in runs(values):
        points = " ".join(f"{x(position)},{y(value)}" for position, value in run)
        if len(run) == 1:
            parts.append(_dot(x(run[0][0]), y(run[0][1]), 3.5, frame.line))
        else:
            parts.append(
                f'<polyline points="{points}" fill="none" stroke="{frame.line}" stroke-width="1.8"'
                ' stroke-linejoin="round" stroke-linecap="round" vector-effect="non-scaling-stroke"/>'
            )
    base = frame.height - 1.5
    parts += [
        f'<line x1="{x(position) - 2.5}" x2="{x(position) + 2.5}" y1="{base}" y2="{base}" stroke="{frame.target}"'
        ' stroke-width="1.5"/>'
        for position, value in enumerate(values)
        if value is None
    ]
    if values and values[-1] is not None:
        parts.append(_dot(x(len(values) - 1), y(values[-1]), 6.5, frame.line))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {frame.width} {frame.height}"'
        f' width="{frame.width}" height="{frame.height}" preserveAspectRatio="none">{"".join(parts)}</svg>'
    )


def runs(values: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    """The unbroken stretches of a series as (position, value) pairs."""
    found: list[list[tuple[int, float]]] = []
    open_run = False
    for position, value in enumerate(values):
        if value is None:
            open_run = False
            continue
        if not open_run:
            found.append([])
            open_run = True
        found[-1].append((position, value))
    return found


def _dot(x: float, y: float, size: float, colour: str) -> str:
    """A round dot, also where the image is stretched: a line of no length with a round cap."""
    return (
        f'<line x1="{x}" x2="{x}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="{size}"'
        ' stroke-linecap="round" vector-effect="non-scaling-stroke"/>'
    )


def _scale(values: Sequence[float]) -> tuple[float, float]:
    """The range to draw: padded, and never so narrow that noise looks like a movement (2 points of 100)."""
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    spread = max(high - low, 0.02)
    middle = (low + high) / 2
    return middle - spread * 0.6, middle + spread * 0.6
