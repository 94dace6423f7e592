"""How the command line speaks: tables and progress for people, one JSON object for machines, errors with a cause."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from warehouse.errors import CityhubError

out = Console()
err = Console(stderr=True)

STAGES = {
    "warehouse": "Open the warehouse",
    "city": "Build the synthetic city",
    "advance": "Let the city live on",
    "sources": "Start the four systems",
    "load": "Load the scheduler",
    "pull": "Pull and admit source tables",
    "records": "Stage records (dbt)",
    "identity": "Link records to subjects",
    "subjects": "Build subjects and scorecards (dbt)",
    "release": "Check and release",
}


def print_json(value: Any) -> None:
    """Exactly one JSON object on standard output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str, indent=2) + "\n")


def print_error(error: CityhubError) -> None:
    """An error as its four parts, on standard error."""
    labels = {"what": "Error", "where": "  where", "expected": "  expected", "do": "  do"}
    for label, text in error.lines():
        style = "bold red" if label == "what" else "dim"
        err.print(f"[{style}]{labels[label]}:[/] {escape(text)}", soft_wrap=True, highlight=False)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], numeric: Sequence[str] = ()) -> Table:
    """A table for people; columns named in `numeric` are right-aligned."""
    result = Table(title=title, title_justify="left", title_style="bold", header_style="dim", box=None, pad_edge=False)
    for column in columns:
        result.add_column(column, justify="right" if column in numeric else "left", overflow="fold")
    for row in rows:
        result.add_row(*(escape(_cell(value)) for value in row))
    return result


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)


STATE_STYLE: Mapping[str, str] = {"admitted": "green", "held": "red", "stale": "yellow", "never": "dim"}


class Display:
    """Progress on a terminal, plain lines elsewhere, nothing with `quiet` (a machine reads the output)."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.seconds: dict[str, float] = {}
        self._quiet = quiet
        self._started: dict[str, float] = {}
        self._noted: set[str] = set()
        self._tasks: dict[str, TaskID] = {}
        self._live = not quiet and err.is_terminal
        self._progress = Progress(
            SpinnerColumn(finished_text="[green]✓"),
            TextColumn("{task.description:<38}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[label]}"),
            console=err,
        )

    def __enter__(self) -> Display:
        if self._live:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        for stage in list(self._started):
            self.end(stage)
        if self._live:
            self._progress.stop()

    def begin(self, stage: str, total: int) -> None:
        """A stage starts; the one before it ends."""
        for running in list(self._started):
            self.end(running)
        self._started[stage] = time.perf_counter()
        if self._live:
            self._tasks[stage] = self._progress.add_task(STAGES[stage], total=total or None, label="")
        elif not self._quiet:
            err.print(f"{STAGES[stage]} …", highlight=False)

    def step(self, stage: str, label: str) -> None:
        """One step is done."""
        if self._live and stage in self._tasks:
            self._progress.update(self._tasks[stage], advance=1, label=label)

    def end(self, stage: str) -> None:
        """The stage is done; its time is kept."""
        started = self._started.pop(stage, None)
        if started is None:
            return
        self.seconds[stage] = time.perf_counter() - started
        if self._live:
            task = self._tasks[stage]
            done = self._progress.tasks[task].completed or 1
            self._progress.update(task, total=done, completed=done, label="")
            self._progress.stop_task(task)
        elif not self._quiet:
            err.print(f"{STAGES[stage]}: {self.seconds[stage]:.1f} s", highlight=False)

    def note(self, text: str) -> None:
        """A line between the bars, once however often it is said."""
        if not self._quiet and text not in self._noted:
            self._noted.add(text)
            (self._progress.console if self._live else err).print(f"[yellow]![/] {escape(text)}", soft_wrap=True)

    @contextmanager
    def stage(self, stage: str, total: int = 0) -> Iterator[None]:
        """A stage as a block."""
        self.begin(stage, total)
        yield
        self.end(stage)
