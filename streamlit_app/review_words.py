"""What a review item says in words, for the page and the command line: codes in, texts of the catalogue out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sharing.review import PRIOR, RIVALS, Compared, Item, Step
from streamlit_app.i18n import Texts

# Attributes whose values are codes, and the kind of label each has.
CODED = {
    "sex_code": "sex",
    "role": "role",
    "citizen_no_grade": "identifier_grade",
    "enterprise_grade": "identifier_grade",
}
COMMITTEE = "near_committee_code"
# The twelve digits of a committee begin with those of its town.
TOWN_DIGITS = 9
# Characters of 1949-12-31 that belong to each part.
DATE_PARTS = {"year": {1, 2, 3, 4}, "month": {6, 7}, "day": {9, 10}}
# More differing characters than this are not one slip, and a list of them says nothing.
MOST_POSITIONS = 4


def title_parts(t: Texts, item: Item) -> list[str]:
    """What sort of item it is and where it stands."""
    parts = [t.code("subject_kind", item.subject_kind), t.code("review_reason", item.reason)]
    if item.conflict:
        parts.append(t.code("review_conflict", item.conflict))
    if item.probability is not None:
        parts.append(t("review.probability", share=f"{item.probability:.2%}"))
    return [*parts, t.code("review_state", item.state)]


def decision(t: Texts, item: Item) -> str | None:
    """The decision in force and whose it is."""
    if item.decision is None:
        return None
    clerks = t("format.list").join(item.decided_by or [])
    return t("review.decided", decision=t.code("verdict", item.decision), clerks=clerks)


def raised(t: Texts, item: Item) -> str | None:
    """Who asked what, and why, where somebody did."""
    if item.asks is None:
        return None
    return t(f"review.raised_{item.asks}", clerk=item.raised_by, why=item.raised_why)


def record(t: Texts, item: Item, side: str) -> str:
    """Where one of the two records stands."""
    system, table = getattr(item, f"{side}_system"), getattr(item, f"{side}_table")
    source = t("subject.table_of", system=t.code("system", system), table=t.code("source_table", f"{system}.{table}"))
    return f"{source} {getattr(item, f'{side}_key')}"


def value(t: Texts, attribute: str, shown: str | None, towns: Mapping[str, str]) -> str | None:
    """A masked value as people read it: codes by their label, towns by their name, moments by their day.

    Args:
        towns: name of each town by its code; a town that is not among them is told by its code.
    """
    if shown is None:
        return None
    if attribute == "updated_at":
        return shown[:10]
    if attribute == "town_code":
        return towns.get(shown, shown)
    if attribute == COMMITTEE:
        town = towns.get(shown[:TOWN_DIGITS])
        return t("review.committee", town=town, code=shown) if town else shown
    return t.code(CODED[attribute], shown) if attribute in CODED else shown


def positions(t: Texts, places: Iterable[int]) -> str:
    """Which characters are meant."""
    return t("review.positions", positions=t("format.list").join(map(str, places)))


def comparison(t: Texts, row: Compared) -> str:
    """How two values compare, and where they differ: of a date the parts, of anything else the characters."""
    words = t.code("review_comparison", row.comparison)
    if not row.positions:
        return words
    if row.attribute == "birth_on":
        parts = [t(f"review.date_{part}") for part, ends in DATE_PARTS.items() if ends & set(row.positions)]
        return f"{words} {t('format.list').join(parts)}"
    if len(row.positions) > MOST_POSITIONS:
        return f"{words} {t('review.many_positions', n=len(row.positions))}"
    return f"{words} {positions(t, row.positions)}"


def remark(t: Texts, row: Compared, item: Item) -> str | None:
    """Why the waterfall finds one neighbourhood where the records name two, if it does.

    A caller may call about several; the model goes by the one he calls about most.
    """
    is_usual = any((step.comparison, step.level) == ("committee", "same_committee") for step in item.steps)
    if row.attribute == COMMITTEE and row.comparison == "different" and is_usual:
        return t("review.usual_committee")
    return None


def step(t: Texts, found: Step) -> str:
    """One bar of the waterfall."""
    attribute = t.code("record_attribute", found.comparison)
    if found.comparison in (PRIOR, RIVALS):
        return attribute
    return t("review.step", attribute=attribute, level=t.code("match_level", found.level))


def weight(bits: float) -> str:
    """A match weight with its sign; nothing has none."""
    return "0.0" if abs(bits) < 0.05 else f"{bits:+.1f}".replace("-", "−")


def repair(t: Texts, proposal: dict[str, Any]) -> str:
    """A proposed repair: which digits of whose number, and on what ground; never the digits."""
    first = int(proposal["position"])
    places = [first, first + 1] if proposal["kind"] == "transposition" else [first]
    evidence = [t.code("record_attribute", name) for name in proposal["evidence"].get("agrees", [])]
    return t(
        "review.repair",
        record=t(f"review.{proposal['side']}"),
        kind=t.code("repair_kind", proposal["kind"]),
        positions=positions(t, places),
        evidence=t("format.list").join(evidence),
    )
