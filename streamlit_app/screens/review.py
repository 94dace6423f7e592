"""Identity review: the queue of doubtful pairs, one pair side by side, an opinion by a named clerk.

Shown only where a deployment opens it (CITYHUB_REVIEW), to clerks who are known by name (`clerks`). It reads and writes
under the role `cityhub_clerk`, through functions of the database that mask, log and hold the rule of two; nothing is
cached beyond the clerk's own session.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st
from markupsafe import Markup

from sharing import review
from sharing.review import WAITING, Compared, Item, Opinion, Outcome, ReviewRefused, State, Step, Verdict
from streamlit_app import charts, clerks, data, formats, review_question
from streamlit_app import review_words as words
from streamlit_app.clerks import Clerk
from streamlit_app.components import Column, Content, box, heading, join, notice, show, span, table, tag
from streamlit_app.i18n import Texts
from streamlit_app.shell import language, page_head, page_offset, pager

LOOKED = "review_looked"
TOLD = "review_told"
PAGER = "review_page"
TOTAL = "total"
ITEMS_PER_PAGE = 15
FILTERS: dict[str, tuple[State, ...]] = {"waiting": WAITING, "disputed": ("disputed",), "decided": ("decided",)}
Looked = tuple[Item, list[Compared], list[Opinion]]


def render() -> None:
    t = Texts(language())
    page_head(t("review.title"), t("review.note"))
    clerk = clerks.at_work(t)
    if clerk is None and not clerks.on_trust():
        return
    asked = str(st.query_params.get("item", ""))
    if not asked.isdigit() and not review_question.is_asked():
        _queue(t)
        return
    st.button(t("review.back"), on_click=_close, type="tertiary", icon=":material/arrow_back:")
    if clerk is None:
        show(notice("info", t("review.name_first")))
    elif asked.isdigit():
        _item(t, int(asked), clerk)
    else:
        _question(t, clerk)


def _queue(t: Texts) -> None:
    chosen = st.segmented_control(
        t("review.show"),
        FILTERS,
        default="waiting",
        format_func=lambda code: t(f"review.filter_{code}"),
        key="review_filter",
    )
    states = FILTERS[chosen or "waiting"]
    items, total = review.queue(
        data.warehouse(), states=states, limit=ITEMS_PER_PAGE, offset=page_offset(PAGER, ITEMS_PER_PAGE)
    )
    show(heading(t("review.queue"), t("review.queue_note")))
    st.button(t("review.raise"), on_click=review_question.begin, type="tertiary", icon=":material/add_comment:")
    if not items:
        show(box("table-empty", t("review.nothing" if states == WAITING else "review.nothing_here")))
        return
    with st.container(key="matches", gap="small"):
        for item in items:
            st.button(
                _label(t, item), key=f"item_{item.item_id}", on_click=_open, args=(item.item_id,), width="stretch"
            )
    pager(t, PAGER, ITEMS_PER_PAGE, len(items), total)


def _label(t: Texts, item: Item) -> str:
    parts = [t("review.item", id=item.item_id), *words.title_parts(t, item)]
    if item.opinion_count:
        parts.append(t("review.opinions_given", n=item.opinion_count))
    return t("format.dot").join(parts)


def _open(item_id: int) -> None:
    st.query_params["item"] = str(item_id)


def _close() -> None:
    st.query_params.clear()
    st.session_state.pop(LOOKED, None)


def _question(t: Texts, clerk: Clerk) -> None:
    found = review_question.form(t, clerk)
    if found is None:
        return
    st.session_state[TOLD] = t("review.raised")
    _close()
    _open(found.item_id)
    st.rerun()


def _item(t: Texts, item_id: int, clerk: Clerk) -> None:
    try:
        item, pair, opinions = _look(item_id, clerk)
    except ReviewRefused as error:
        show(notice("warning", t("review.no_item"), t.code("review_refusal", error.code)))
        return
    show(box("subject-head", span("subject-name", t("review.item", id=item_id)), *map(tag, words.title_parts(t, item))))
    _tell()
    decided = words.decision(t, item)
    if decided is not None:
        show(notice("info", decided))
    asked = words.raised(t, item)
    if asked is not None:
        show(notice("warning", asked))
    for proposal in item.proposals:
        show(notice("warning", words.repair(t, proposal)))
    left, right = st.columns([7, 5], gap="large")
    with left:
        show(heading(t("review.pair"), t("review.pair_note")))
        show(box("pair", _pair(t, item, pair)))
    with right:
        show(heading(t("review.waterfall"), t("review.waterfall_note")))
        if item.steps:
            st.altair_chart(charts.waterfall(t, _bars(t, item)), width="stretch")
        else:
            show(box("table-empty", t("review.no_waterfall")))
    show(heading(t("review.opinions")))
    show(_opinions(t, opinions))
    if item.state != "superseded":
        _form(t, item_id, clerk)


def _look(item_id: int, clerk: Clerk) -> Looked:
    """The pair as this clerk opened it: one look, one entry in the log, however often the page is drawn anew."""
    looked = st.session_state.get(LOOKED)
    if looked is None or looked[0] != (item_id, clerk):
        looked = ((item_id, clerk), _shown(item_id, clerk))
        st.session_state[LOOKED] = looked
    found: Looked = looked[1]
    return found


def _shown(item_id: int, clerk: Clerk) -> Looked:
    return review.show(data.warehouse(), item_id, clerk=clerk.name, login=clerk.login, via="page")


def _pair(t: Texts, item: Item, pair: Sequence[Compared]) -> Markup:
    columns = [
        Column(t("review.attribute")),
        *(Column(t(f"review.{side}")) for side in ("left", "right")),
        Column(t("review.comparison")),
    ]
    sources = (box("wrap", words.record(t, item, side)) for side in ("left", "right"))
    towns = _towns(t)
    body: list[list[Content]] = [[t("review.source"), *sources, formats.NONE]]
    body += [
        [
            t.code("record_attribute", row.attribute),
            *(
                box("wrap", words.value(t, row.attribute, value, towns) or formats.NONE)
                for value in (row.left_value, row.right_value)
            ),
            _compared(t, item, row),
        ]
        for row in pair
    ]
    return table(columns, body, t("review.no_item"))


def _compared(t: Texts, item: Item, row: Compared) -> Content:
    words_of_row = span("strong" if row.comparison == "different" else "quiet", words.comparison(t, row))
    remark = words.remark(t, row, item)
    return words_of_row if remark is None else join([words_of_row, span("fact-source", remark)])


def _towns(t: Texts) -> dict[str, str]:
    """Names of the towns by code; none before the first release."""
    release = data.current_release()
    rows = [] if release is None else data.towns(release)
    return {row["town_code"]: t.pick(row, "name") for row in rows}


def _bars(t: Texts, item: Item) -> list[dict[str, str | float | bool]]:
    total = Step(TOTAL, TOTAL, item.steps[-1].after, 0.0, item.steps[-1].after)
    return [
        {
            "label": t("review.total") if step is total else words.step(t, step),
            "before": step.before,
            "after": step.after,
            "figure": words.weight(step.weight),
            "is_for": step.weight >= 0,
            "is_total": step is total,
        }
        for step in (*item.steps, total)
    ]


def _opinions(t: Texts, opinions: Sequence[Opinion]) -> Markup:
    columns = [Column(t(f"review.{name}")) for name in ("clerk", "verdict", "why", "given_at")]
    body: list[list[Content]] = [
        [
            _said_by(t, one),
            t("review.hidden") if one.verdict is None else t.code("verdict", one.verdict),
            box("wrap", one.why or formats.NONE),
            formats.moment(one.given_at),
        ]
        for one in opinions
    ]
    return table(columns, body, t("review.no_opinions"))


def _said_by(t: Texts, one: Opinion) -> str:
    """Whose opinion it is; where there is a login, whether it came by one."""
    remarks = [] if one.is_in_force else [t("review.no_longer_counts")]
    if clerks.has_login() and not one.is_by_login:
        remarks.append(t("review.by_trust"))
    return t("format.dot").join([one.clerk_name, *remarks])


def _form(t: Texts, item_id: int, clerk: Clerk) -> None:
    show(heading(t("review.your_opinion")))
    # Enter must not say "same": a verdict is a click.
    with st.form("review_opinion", border=False, enter_to_submit=False):
        why = st.text_input(t("review.why_note"), max_chars=500)
        first, second, _ = st.columns([1, 1, 2])
        same = first.form_submit_button(t("review.same_button"), width="stretch")
        different = second.form_submit_button(t("review.different_button"), width="stretch")
    if same or different:
        _say(t, item_id, "same" if same else "different", clerk, why)


def _say(t: Texts, item_id: int, verdict: Verdict, clerk: Clerk, why: str) -> None:
    try:
        outcome = review.give_opinion(
            data.warehouse(), item_id, verdict=verdict, clerk=clerk.name, login=clerk.login, why=why
        )
    except ReviewRefused as error:
        show(notice("warning", t("review.refused"), t.code("review_refusal", error.code)))
        return
    st.session_state[TOLD] = _outcome(t, outcome)
    st.session_state.pop(LOOKED, None)
    st.rerun()


def _outcome(t: Texts, outcome: Outcome) -> str:
    """What came of an opinion."""
    if outcome.decision_id is not None:
        return t("review.done_decided", decision=t.code("verdict", outcome.decision))
    told = {"disputed": "disputed", "decided": "stands"}.get(outcome.state, "noted")
    return t(f"review.done_{told}")


def _tell() -> None:
    """What came of the opinion just given, or of the question just raised."""
    told: str | None = st.session_state.pop(TOLD, None)
    if told is not None:
        show(notice("info", told))


if __name__ == "__main__":
    render()
