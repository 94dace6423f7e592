"""`cityhub identity review` and `repairs`: doubtful pairs, questions, opinions, proposed numbers; values masked."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table
from rich.text import Text

from orchestration import hub
from orchestration.cli.console import out, print_json, table
from orchestration.cli.run import AsJson
from warehouse.errors import ConfigurationError

if TYPE_CHECKING:
    from sharing.review import Compared, Item, Opinion
    from streamlit_app.i18n import Texts

review_app = typer.Typer(no_args_is_help=True, help="Doubtful pairs that two people must look at.")
repairs_app = typer.Typer(no_args_is_help=True, help="Mistyped citizen numbers that another record explains.")

ItemId = Annotated[int, typer.Argument(metavar="ITEM", min=1, help="Number of the item, as `review list` shows it.")]
# Half of the waterfall's bar on either side of zero, in characters.
BAR_WIDTH = 24
SMALLEST_BITS = 0.05


@review_app.command("list", epilog="Example: [bold]cityhub identity review list --state disputed[/]")
def list_(
    state: Annotated[
        Literal["waiting", "open", "disputed", "decided", "superseded"],
        typer.Option(help="Items in this state; waiting: open and disputed."),
    ] = "waiting",
    kind: Annotated[
        Literal["resident", "enterprise"] | None,
        typer.Option(help="Only pairs of this kind of subject.", show_default=False),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many items.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List the queue: disputed pairs first, then the likeliest. No value of any record is shown."""
    from sharing.review import WAITING, queue

    items, total = queue(
        hub.hub_database(), states=WAITING if state == "waiting" else (state,), subject_kind=kind, limit=limit
    )
    if as_json:
        print_json({"total": total, "items": [asdict(item) for item in items]})
        return
    if not items:
        out.print("Nothing is in review.")
        return
    columns = ["item", "kind", "left", "right", "reason", "probability", "opinions", "state"]
    cells = [
        [
            *(item.item_id, item.subject_kind, _record(item, "left"), _record(item, "right")),
            item.reason if item.conflict is None else f"{item.reason}: {item.conflict}",
            None if item.probability is None else f"{item.probability:.4f}",
            *(item.opinion_count, item.state),
        ]
        for item in items
    ]
    out.print(table("Review", columns, cells, numeric=["item", "probability", "opinions"]))
    out.print(f"{len(items)} of {total:,}. Look at one: cityhub identity review show ITEM")


@review_app.command(epilog='Example: [bold]cityhub identity review show 12 --by "Li Fang"[/]')
def show(
    item_id: ItemId,
    by: Annotated[
        str | None,
        typer.Option("--by", help="Who looks, for the access log. Default: the user logged in.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show both records side by side, masked, and how the match weight comes about. Every look is logged."""
    from connectors.quarantine import person
    from sharing import review
    from streamlit_app import review_words as words
    from streamlit_app.i18n import Texts

    item, pair, opinions = review.show(hub.hub_database(), item_id, clerk=by or person(), via="command")
    if as_json:
        print_json(
            asdict(item)
            | {"steps": [asdict(step) for step in item.steps]}
            | {"records": [asdict(row) for row in pair], "opinions": [asdict(one) for one in opinions]}
        )
        return
    t = Texts(hub.hub_settings().language)
    heads = [t("review.item", id=item.item_id), *words.title_parts(t, item), words.decision(t, item)]
    out.print(Text(t("format.dot").join(part for part in heads if part), style="bold"))
    asked = words.raised(t, item)
    if asked is not None:
        out.print(Text(asked, style="yellow"))
    for proposal in item.proposals:
        out.print(Text(words.repair(t, proposal), style="yellow"))
    out.print(_pair_table(t, item, pair))
    if item.steps:
        out.print(_waterfall(t, item))
    else:
        out.print(t("review.no_waterfall"))
    out.print(_opinion_table(t, opinions) if opinions else t("review.no_opinions"))


@review_app.command(
    epilog='Example: [bold]cityhub identity review decide 12 --same --by "Li Fang" --why "same file"[/]'
)
def decide(
    item_id: ItemId,
    by: Annotated[str, typer.Option("--by", help="Who gives the opinion: a person's own name.")],
    why: Annotated[str, typer.Option("--why", help="On what ground. No personal values.")],
    same: Annotated[bool, typer.Option("--same", help="Both records are the same subject.")] = False,
    different: Annotated[bool, typer.Option("--different", help="They are two subjects.")] = False,
    as_json: AsJson = False,
) -> None:
    """Give an opinion on a pair. Two different people who agree make a decision, which overrides the model for ever."""
    from sharing.review import give_opinion

    if same == different:
        raise ConfigurationError(
            "It is not clear what the opinion is.",
            where="options --same, --different",
            expected="exactly one of them",
            do="give --same or --different",
        )
    _require_names_on_trust()
    verdict: Literal["same", "different"] = "same" if same else "different"
    outcome = give_opinion(hub.hub_database(), item_id, verdict=verdict, clerk=by, why=why)
    if as_json:
        print_json({"item_id": item_id, **asdict(outcome)})
        return
    if outcome.decision_id is not None:
        clerks = ", ".join(outcome.decided_by or [])
        out.print(f"Decided by {clerks}: {outcome.decision}. Linkage follows it from the next run on.", markup=False)
    elif outcome.state == "disputed":
        out.print("Opinions differ: disputed until two people agree.")
    elif outcome.state == "decided":
        out.print("The decision in force stands.")
    else:
        out.print("Noted. A second person has to agree.")


@review_app.command(
    "raise",
    epilog='Example: [bold]cityhub identity review raise care_homes.stays:ST0000012 --by "Li Fang" --why "another'
    " person's stay\"[/]",
)
def raise_(
    record: Annotated[str, typer.Argument(help="The record in question, as the subject's page shows it.")],
    other: Annotated[
        str | None,
        typer.Argument(help="Another record. Default: the one that stands for the rest of its subject."),
    ] = None,
    *,
    by: Annotated[str, typer.Option("--by", help="Who asks: a person's own name.")],
    why: Annotated[str, typer.Option("--why", help="On what ground. No personal values.")],
    kind: Annotated[
        Literal["resident", "enterprise"] | None,
        typer.Option(help="The subject that is meant, where the records speak of both kinds.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Have two people look at two records: joined, but not of one subject; or not joined, but of one.

    Linkage asks by itself only about what it doubts. A question moves nobody: two people who agree do.
    """
    from sharing.review import Record, raise_question

    _require_names_on_trust()
    found = raise_question(
        hub.hub_database(),
        Record.of(record),
        None if other is None else Record.of(other),
        clerk=by,
        why=why,
        via="command",
        kind=kind,
    )
    if as_json:
        print_json(asdict(found))
        return
    asked = "Is {} another {} than {}?" if found.asks == "apart" else "Is {} the same {} as {}?"
    out.print(
        f"Item {found.item_id}: {asked.format(found.about, found.subject_kind, found.against)}"
        f" Two people decide: cityhub identity review show {found.item_id}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


@repairs_app.command("list", epilog="Example: [bold]cityhub identity repairs list --state open --limit 20[/]")
def list_repairs(
    state: Annotated[
        Literal["open", "accepted", "refused", "superseded"] | None,
        typer.Option(help="Only proposals in this state.", show_default=False),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many proposals.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List proposed repairs: which digits of which record, and what supports it; never the number.

    A proposal without a review item is of records that are one subject already.
    """
    from identity.repair import list_proposals

    proposals = list_proposals(hub.hub_database(), state=state, limit=limit)
    if as_json:
        print_json([asdict(proposal) for proposal in proposals])
        return
    if not proposals:
        out.print("No proposed repairs.")
        return
    columns = ["id", "record", "slip", "digit", "supported by", "agrees", "state", "item"]
    cells = [
        [
            *(one.proposal_id, f"{one.system}.{one.table_name} {one.record_key}", one.kind, one.position),
            f"{one.other_system}.{one.other_table} {one.other_key}",
            *(", ".join(one.evidence["agrees"]), one.state, one.item_id),
        ]
        for one in proposals
    ]
    out.print(table("Proposed repairs", columns, cells, numeric=["id", "digit", "item"]))


def _require_names_on_trust() -> None:
    """Where clerks log in, nobody gives a name by typing it.

    Raises:
        ConfigurationError: clerks of this hub log in.
    """
    if hub.hub_settings().review == "login":
        raise ConfigurationError(
            "Clerks of this hub are known by their login, which a command has not.",
            where="CITYHUB_REVIEW=login",
            expected="opinions and questions from people who are logged in",
            do="log in on the page Identity review and say it there",
        )


def _record(item: Item, side: str) -> str:
    return " ".join(
        (f"{getattr(item, f'{side}_system')}.{getattr(item, f'{side}_table')}", getattr(item, f"{side}_key"))
    )


def _pair_table(t: Texts, item: Item, pair: list[Compared]) -> Table:
    from streamlit_app import review_words as words

    heads = [f"{t(f'review.{side}')} {words.record(t, item, side)}" for side in ("left", "right")]
    cells = [
        [
            t.code("record_attribute", row.attribute),
            *(words.value(t, row.attribute, value, towns={}) for value in (row.left_value, row.right_value)),
            t("format.stop").join(said for said in (words.comparison(t, row), words.remark(t, row, item)) if said),
        ]
        for row in pair
    ]
    return table(t("review.pair"), [t("review.attribute"), *heads, t("review.comparison")], cells)


def _waterfall(t: Texts, item: Item) -> Table:
    from streamlit_app import review_words as words

    steps = item.steps
    reach = max(abs(value) for step in steps for value in (step.before, step.after)) or 1.0
    columns = [t("review.step_head"), t("review.weight"), ""]
    result = table(t("review.waterfall"), columns, [], numeric=[t("review.weight")])
    for step in steps:
        result.add_row(words.step(t, step), words.weight(step.weight), _bar(step.before, step.after, reach))
    total = steps[-1].after
    result.add_row(t("review.total"), words.weight(total), _bar(0.0, total, reach), style="bold")
    return result


def _bar(start: float, end: float, reach: float) -> Text:
    """A floating bar between two values on a line with zero in the middle."""
    low, high = (round(BAR_WIDTH * (1 + value / reach)) for value in sorted((start, end)))
    line = Text(" " * (2 * BAR_WIDTH + 1))
    # A step too small to be drawn is still a step; none at all is not.
    length = max(high - low, 1) if abs(end - start) >= SMALLEST_BITS else 0
    bar = Text(" " * low + "█" * length, style="green" if end >= start else "red")
    return Text.assemble(bar, line[len(bar) :])


def _opinion_table(t: Texts, opinions: list[Opinion]) -> Table:
    cells = []
    for one in opinions:
        verdict = t("review.hidden") if one.verdict is None else t.code("verdict", one.verdict)
        counted = "" if one.is_in_force else t("review.no_longer_counts")
        cells.append([one.clerk_name, verdict, one.why, f"{one.given_at:%Y-%m-%d %H:%M}", counted])
    columns = [t("review.clerk"), t("review.verdict"), t("review.why"), t("review.given_at"), ""]
    return table(t("review.opinions"), columns, cells)
