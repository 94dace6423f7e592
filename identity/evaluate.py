"""How good a linkage is against a truth: of pairs, of whole subjects, by threshold, by method and by group of people.

Recall counts all pairs of the truth. A caller who gave a name and nothing else, or another telephone than any that is
on file, is in the truth and in no record, so `recall_of_tellable` counts the pairs that the records could tell: the two
agree on a surname (an enterprise: on its name) and on a telephone, a birthday or a number, directly or by way of other
records of the same subject.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import polars as pl

from identity.faces import without_hot_values
from identity.features.records import KEY
from identity.model import Kind
from identity.thresholds import STRICT, THRESHOLDS, Threshold

AGE_BANDS = ((0, 17), (18, 34), (35, 59), (60, 79), (80, 150))
# What two records of one subject may agree on; the first of each tuple has to be there besides the rest.
_TELLING: dict[Kind, tuple[tuple[str, ...], ...]] = {
    "resident": (
        ("identifier",),
        ("surname", "phone"),
        ("surname", "birth"),
        ("surname", "number"),
        ("surname", "number_tail"),
    ),
    "enterprise": (("identifier",), ("name",), ("code",), ("registration",)),
}


@dataclass(frozen=True)
class Judged:
    """A linkage beside its truth.

    Attributes:
        records: `KEY`, `true_id`, the kind's features, `subject` (at normal), `loose` (at loose), `method`,
            `probability`, `town`, `is_register`; records without truth left out.
        without_truth: records that the truth does not name.
        not_linked: records of the truth that the linkage does not hold.
    """

    kind: Kind
    records: pl.DataFrame
    without_truth: int
    not_linked: int


def judge(kind: Kind, features: pl.DataFrame, links: pl.DataFrame, truth: pl.DataFrame) -> Judged:
    """Put a linkage beside its truth.

    Args:
        features: `KEY` and the kind's features, with `town` and `is_register`.
        links: `KEY`, `subject`, `loose`, `method`, `probability`.
        truth: `KEY` and `true_id`; a record named twice counts once, one without a true id is not in the truth.
    """
    truth = truth.select(*KEY, "true_id").drop_nulls("true_id").unique(KEY, keep="first", maintain_order=True)
    held = without_hot_values(kind, features).join(links, on=KEY, how="inner")
    records = held.join(truth, on=KEY, how="inner")
    return Judged(kind, records, held.height - records.height, truth.join(held, on=KEY, how="anti").height)


def evaluate(judged: Judged) -> dict[str, Any]:
    """All figures of one kind; what each means is in docs/reference/identity-evaluation.md."""
    records = judged.records.with_columns(told=_tellable(judged.kind, judged.records))
    result: dict[str, Any] = {name: figures(records.with_columns(found=_found(name))) for name in THRESHOLDS}
    normal = records.with_columns(found=_found("normal"))
    result["by_method"] = _by_method(normal)
    result["by_group"] = _by_group(judged.kind, normal)
    result["records"] = records.height
    result["records_without_truth"] = judged.without_truth
    result["truth_without_record"] = judged.not_linked
    result["two_certified_in_one_subject"] = (
        normal.group_by("found")
        .agg(pl.col("identifier").drop_nulls().n_unique())
        .filter(pl.col("identifier") > 1)
        .height
    )
    return result


def figures(records: pl.DataFrame) -> dict[str, Any]:
    """Pairs and clusters of one grouping: columns `true_id`, `told` (what the records could tell) and `found`."""
    found, true = _pairs(records, "found"), _pairs(records, "true_id")
    right, tellable = _pairs(records, "found", "true_id"), _pairs(records, "told", "true_id")
    told = _pairs(records, "found", "true_id", "told")
    precision, recall = _share(right, found), _share(right, true)
    sizes = records.group_by("found").agg(pl.col("true_id").n_unique(), size=pl.len())
    spread = records.group_by("true_id").agg(pl.col("found").n_unique(), size=pl.len())
    exact = (
        records.group_by("found", "true_id")
        .agg(size=pl.len())
        .join(sizes.select("found", all_found="size"), on="found")
        .join(spread.select("true_id", all_true="size"), on="true_id")
        .filter((pl.col("size") > 1) & (pl.col("size") == pl.col("all_found")) & (pl.col("size") == pl.col("all_true")))
        .height
    )
    produced, existing = sizes.filter(pl.col("size") > 1).height, spread.filter(pl.col("size") > 1).height
    cluster_precision, cluster_recall = _share(exact, produced), _share(exact, existing)
    return {
        "precision": precision,
        "recall": recall,
        "f1": _f1(precision, recall),
        "recall_of_tellable": _share(told, tellable),
        "found_pairs": found,
        "wrong_pairs": found - right,
        "true_pairs": true,
        "missed_pairs": true - right,
        "tellable_pairs": tellable,
        "missed_tellable_pairs": tellable - told,
        "cluster_precision": cluster_precision,
        "cluster_recall": cluster_recall,
        "cluster_f1": _f1(cluster_precision, cluster_recall),
        "over_merged": sizes.filter(pl.col("true_id") > 1).height,
        "under_merged": spread.filter(pl.col("found") > 1).height,
    }


def _found(threshold: Threshold) -> pl.Expr:
    """The subject of a record for readers at a threshold; alone where its link does not reach it."""
    if threshold == "loose":
        return pl.col("loose")
    if threshold == "normal":
        return pl.col("subject")
    return pl.when(pl.col("probability") >= STRICT).then("subject").otherwise(pl.concat_str(KEY, separator="|"))


def _pairs(records: pl.DataFrame, *by: str) -> int:
    sizes = records.group_by(by).len().get_column("len").cast(pl.Int64)
    return int((sizes * (sizes - 1) // 2).sum())


def _share(part: int, whole: int) -> float:
    """1 where there is nothing to find or to get wrong."""
    return round(part / whole, 6) if whole else 1.0


def _f1(precision: float, recall: float) -> float:
    return round(2 * precision * recall / (precision + recall), 6) if precision + recall else 0.0


def _tellable(kind: Kind, records: pl.DataFrame) -> pl.Series:
    """Group of each record among those of its true subject that agree with it, directly or through others."""
    frame = records.with_row_index("at")
    groups = _Groups(frame.height)
    for columns in _TELLING[kind]:
        known = frame.filter(pl.all_horizontal(pl.col(column).is_not_null() for column in columns))
        for at in known.group_by("true_id", *columns).agg("at").get_column("at").to_list():
            groups.join(at)
    slipped = frame.filter(pl.col("number" if kind == "resident" else "code").is_not_null())
    column = "number" if kind == "resident" else "code"
    for rows in slipped.group_by("true_id").agg("at", column).select("at", column).rows():
        for one, number in zip(*rows, strict=True):
            groups.join([one, *(at for at, other in zip(*rows, strict=True) if one_slip(number, other))])
    return pl.Series([groups.root(at) for at in range(frame.height)], dtype=pl.Int64)


def one_slip(number: str, other: str) -> bool:
    """One character exchanged, or two neighbours in each other's place."""
    if len(number) != len(other):
        return False
    places = [place for place, (one, two) in enumerate(zip(number, other, strict=True)) if one != two]
    if len(places) == 2 and places[1] == places[0] + 1:
        return number[places[0]] == other[places[1]] and number[places[1]] == other[places[0]]
    return len(places) == 1


class _Groups:
    """Union–find."""

    def __init__(self, size: int) -> None:
        self._parent = list(range(size))

    def root(self, at: int) -> int:
        while self._parent[at] != at:
            self._parent[at] = self._parent[self._parent[at]]
            at = self._parent[at]
        return at

    def join(self, members: Iterable[int]) -> None:
        first, *rest = (self.root(at) for at in members)
        for other in rest:
            self._parent[self.root(other)] = self.root(first)


def _by_method(records: pl.DataFrame) -> dict[str, Any]:
    """Per method: records, and how many are with the subject that most of their subject's records speak of."""
    most = (
        records.group_by("found", "true_id")
        .len()
        .sort("found", "len", "true_id", descending=[False, True, False])
        .group_by("found", maintain_order=True)
        .agg(pl.col("true_id").first().alias("meant"))
    )
    counted = (
        records.join(most, on="found")
        .group_by("method")
        .agg(records=pl.len(), right=(pl.col("meant") == pl.col("true_id")).sum())
        .sort("method")
    )
    return {
        method: {"records": count, "right": right, "precision": _share(right, count)}
        for method, count, right in counted.select("method", "records", "right").iter_rows()
    }


def _by_group(kind: Kind, records: pl.DataFrame) -> dict[str, Any]:
    """Match rates: of each group's tellable pairs the share found. A gap between groups is a bias."""
    about = records.group_by("true_id").agg(
        town=pl.col("town").drop_nulls().first(),
        registration=pl.when(pl.col("is_register").any()).then(pl.lit("registered")).otherwise(pl.lit("unregistered")),
        **(
            {"sex": pl.col("sex").drop_nulls().first(), "birth": pl.col("birth").drop_nulls().first()}
            if kind == "resident"
            else {}
        ),
    )
    if kind == "resident":
        age = pl.lit(_this_year(records)) - pl.col("birth").str.slice(0, 4).cast(pl.Int32, strict=False)
        band = pl.lit(None, pl.String)
        for first, last in AGE_BANDS:
            name = f"{first}-{last}" if last < 150 else f"{first}+"
            band = pl.when(age.is_between(first, last)).then(pl.lit(name)).otherwise(band)
        about = about.with_columns(age_band=band).drop("birth")
    result: dict[str, Any] = {}
    for column in (name for name in about.columns if name != "true_id"):
        joined = records.join(about.select("true_id", group=column), on="true_id")
        result[column] = {
            str(value[0] or "unknown"): {
                "subjects": part.get_column("true_id").n_unique(),
                "tellable_pairs": (pairs := _pairs(part, "true_id", "told")),
                # A group without any pair to find has no rate, and is not as good as the best.
                "match_rate": _share(_pairs(part, "true_id", "told", "found"), pairs) if pairs else None,
            }
            for value, part in sorted(joined.group_by("group"), key=lambda item: str(item[0][0]))
        }
    return result


def _this_year(records: pl.DataFrame) -> int:
    """The year of the youngest: ages are counted from the records, not from a clock."""
    newest = records.get_column("birth").drop_nulls().str.slice(0, 4).max()
    return int(newest) if isinstance(newest, str) else 0
