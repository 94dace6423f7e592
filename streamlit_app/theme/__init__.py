"""The look: one palette, one style sheet, the logo. Nothing about data."""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from pathlib import Path

from markupsafe import Markup

INK = "#1A2733"
MUTED = "#566472"
HAIRLINE = "#DCE3E9"
PRIMARY = "#1D4E7A"
GOOD = "#1B7350"
WATCH = "#8F5F00"
POOR = "#AE322C"
UNKNOWN = "#5D6975"

# Tints carry text in INK; each pair keeps a contrast of at least 7 : 1.
TINTS = {
    "good": "#CFE7DB",
    "watch": "#FAE5B0",
    "poor": "#F5CDC8",
    "too_few": "#E3E9EE",
    "too_early": "#EDF1F4",
    "stale": "#DDD8D0",
    "not_applicable": "#EDF1F4",
}
STATUS_COLOURS = {
    "good": GOOD,
    "watch": WATCH,
    "poor": POOR,
    "too_few": UNKNOWN,
    "too_early": UNKNOWN,
    "stale": "#6F5B3E",
    "not_applicable": UNKNOWN,
}
FONT = "Noto Sans SC, Noto Sans CJK SC, Source Han Sans SC, PingFang SC, Microsoft YaHei, sans-serif"
STYLE_FILE = Path(__file__).with_name("style.css")


@cache
def wordmark(name: str) -> str:
    """The logo with the product's name, as SVG."""
    return str(
        Markup(
            '<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="32" viewBox="0 0 {width} 32">'
            '<g fill="none" stroke="{blue}" stroke-width="2.2">'
            '<circle cx="16" cy="16" r="4.2" fill="{blue}"/>'
            '<path d="M16 3v8.5M16 20.5V29M3 16h8.5M20.5 16H29"/></g>'
            '<g fill="{blue}"><circle cx="16" cy="3.4" r="2.4"/><circle cx="16" cy="28.6" r="2.4"/>'
            '<circle cx="3.4" cy="16" r="2.4"/><circle cx="28.6" cy="16" r="2.4"/></g>'
            '<text x="41" y="22" font-family="{font}" font-size="17" font-weight="600" fill="{ink}">{name}</text></svg>'
        ).format(width=60 + _text_width(name, 17), blue=PRIMARY, ink=INK, font=FONT, name=name)
    )


def data_uri(svg: str) -> str:
    """An SVG as an address for an image element (the page's sanitiser lets no inline SVG through)."""
    return "data:image/svg+xml;base64," + b64encode(svg.encode()).decode()


def _text_width(text: str, size: int) -> int:
    """A generous width of a line of text: full-width characters take one em, others about 0.58."""
    return round(sum(size if ord(char) > 0x2E80 else size * 0.58 for char in text))
