"""`cityhub identity`: how records become subjects, how good that is, and what people say about the doubtful ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from orchestration import hub
from orchestration.cli import identity_review
from orchestration.cli.console import out, print_json, table
from orchestration.cli.run import AsJson

if TYPE_CHECKING:
    from identity.model import Model

identity_app = typer.Typer(no_args_is_help=True, help="Records and subjects: linkage, evaluation, review, repairs.")
identity_app.add_typer(identity_review.review_app, name="review")
identity_app.add_typer(identity_review.repairs_app, name="repairs")

Kind = Literal["resident", "enterprise"]
KindOption = Annotated[Kind | None, typer.Option("--kind", help="Only this kind of subject.", show_default=False)]
KINDS: tuple[Kind, ...] = ("resident", "enterprise")


@identity_app.command("model", epilog="Example: [bold]cityhub identity model --kind resident[/]")
def show_model(kind: KindOption = None, as_json: AsJson = False) -> None:
    """Show the models in force: what two records are compared by, and what each agreement weighs, in bits."""
    from identity.model import load_model
    from identity.thresholds import THRESHOLDS

    models = [load_model(each) for each in ([kind] if kind else KINDS)]
    if as_json:
        print_json(
            {
                "thresholds": THRESHOLDS,
                "models": {
                    model.kind: {"version": model.version, "trained": model.trained, "comparisons": model.levels()}
                    for model in models
                },
            }
        )
        return
    for model in models:
        rows: list[list[Any]] = [
            [name, level["level"], f"{level['m']:.4f}", f"{level['u']:.2e}", f"{level['weight']:+.1f}"]
            for name, levels in model.levels().items()
            for level in levels
        ]
        columns = ["comparison", "level", "m", "u", "weight"]
        out.print(table(f"{model.version}: {model.trained['on']}", columns, rows, numeric=columns[2:]))
    out.print("Thresholds: " + ", ".join(f"{name} {value}" for name, value in THRESHOLDS.items()), highlight=False)


@identity_app.command(
    "evaluate", epilog="Example: [bold]cityhub identity evaluate --records labelled.csv --truth truth.csv --json[/]"
)
def evaluate(
    truth: Annotated[
        Path | None,
        typer.Option(help="CSV or Parquet that says who is who. Default: the demo city's.", show_default=False),
    ] = None,
    records: Annotated[
        Path | None,
        typer.Option(help="CSV of labelled records, linked from scratch instead of the hub's.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say how good the linkage is: precision and recall by threshold, method and group."""
    from orchestration.identity_evaluation import evaluate_file, evaluate_hub

    result = evaluate_hub(truth) if records is None else evaluate_file(records, truth)
    if as_json:
        print_json(result)
        return
    shown = ("precision", "recall", "recall_of_tellable", "wrong_pairs", "missed_pairs")
    for kind, judged in result.items():
        rows = [[name, *(judged[name][column] for column in shown)] for name in ("strict", "normal", "loose")]
        out.print(table(f"{kind}: {judged['records']:,} records", ["threshold", *shown], rows, numeric=shown))
        methods = [[method, *counts.values()] for method, counts in judged["by_method"].items()]
        columns = ["method", "records", "right", "precision"]
        out.print(table("By method, at normal", columns, methods, numeric=columns[1:]))
        groups = [
            [column, group, *counts.values()]
            for column, found in judged["by_group"].items()
            for group, counts in found.items()
            if column != "town" or _is_below(counts["match_rate"], judged["normal"]["recall_of_tellable"])
        ]
        columns = ["by", "group", "subjects", "tellable_pairs", "match_rate"]
        out.print(table("By group, at normal (of towns those below the average)", columns, groups, numeric=columns[2:]))
    out.print("Recall counts all pairs of the truth; recall_of_tellable those that more than a name tells.")


def _is_below(rate: float | None, average: float) -> bool:
    return rate is not None and rate < average


@identity_app.command("train", epilog="Example: [bold]cityhub identity train --kind resident --to identity/models[/]")
def train(
    kind: KindOption = None,
    to: Annotated[Path, typer.Option("--to", help="Folder the new version's file is written into.")] = Path(),
    as_json: AsJson = False,
) -> None:
    """Train a new version of a model on the hub's records and report what it would change.

    No run uses it before its file stands in identity/models: a model is changed by a commit, not by a command.
    """
    from identity.model import load_model
    from identity.store import read_records
    from identity.train import train as train_model
    from warehouse.errors import ConfigurationError

    to.mkdir(parents=True, exist_ok=True)
    report: dict[str, Any] = {}
    for each in [kind] if kind else KINDS:
        # A version whose comparisons have changed since can be trained anew, which is what this command is for.
        old = load_model(each, to_compare=False)
        with hub.hub_database().psycopg("pipeline") as connection:
            records = read_records(connection, each)
        path = to / f"{each}-{old.number + 1}.json"
        if path.exists():
            raise ConfigurationError(
                "This version of the model is there already.",
                where=str(path),
                expected="a folder without it: versions are never replaced",
                do="move the file away, or choose another folder with --to",
            )
        new = train_model(each, records, old.number + 1, {"on": "records of this hub"})
        path.write_text(new.as_json(), encoding="utf-8")
        report[each] = {"from": old.version, "to": new.version, "file": str(path), "levels": _changes(old, new)}
    if as_json:
        print_json(report)
        return
    for trained_kind, found in report.items():
        rows = [
            [
                *(level[name] for name in ("comparison", "level")),
                *(_bits(level[name]) for name in ("old", "new", "by")),
            ]
            for level in found["levels"]
        ]
        columns = ["comparison", "level", "old", "new", "by"]
        out.print(
            table(
                f"{trained_kind}: {found['from']} → {found['to']}, weights in bits", columns, rows, numeric=columns[2:]
            )
        )
        out.print(f"Written to {found['file']}. It is in force once it stands in identity/models.", highlight=False)


def _changes(old: Model, new: Model) -> list[dict[str, Any]]:
    """Weight, m and u of every level in both versions; null where a version has no such level."""
    before, after = (
        {(name, level["level"]): level for name, levels in model.levels().items() for level in levels}
        for model in (old, new)
    )
    rows: list[dict[str, Any]] = []
    for key in [*after, *(key for key in before if key not in after)]:
        one, other = before.get(key, {}), after.get(key, {})
        rows.append(
            {"comparison": key[0], "level": key[1], "old": one.get("weight"), "new": other.get("weight")}
            | {"by": other["weight"] - one["weight"] if one and other else None}
            | {name: [one.get(name), other.get(name)] for name in ("m", "u")}
        )
    return rows


def _bits(weight: float | None) -> str:
    return "–" if weight is None else f"{weight:+.2f}"
