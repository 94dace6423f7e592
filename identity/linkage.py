"""Linkage without a database: from features and pairs to clusters, links and questions for review."""

from __future__ import annotations

import math
from dataclasses import dataclass

import polars as pl

from identity.cluster import Clustering, Edge, cluster
from identity.engine import Engine, prior, score
from identity.faces import Faces, build_faces
from identity.features.records import KEY
from identity.lone import Lone, lone_clustered, lone_loose, lone_questions, split_lone
from identity.model import Model
from identity.nodes import Nodes, RecordKey, build_nodes
from identity.queue import COLUMNS as QUEUE
from identity.queue import PAIR
from identity.thresholds import AMONG_RIVALS, LOOSE

SCORES = (*PAIR, "probability", "match_weight")
PAIR_COLUMNS = (*SCORES, "waterfall")
CLUSTERED = (*KEY, "cluster", "identifier", "method", "probability", "model_version")
LOOSE_COLUMNS = (*KEY, "root_system", "root_table", "root_key", "root_identifier", "probability")


@dataclass(frozen=True)
class Decision:
    """What two people agreed on about two records."""

    left: RecordKey
    right: RecordKey
    verdict: str


@dataclass(frozen=True)
class EarlierLink:
    """A record without certified identifier whose subject has one."""

    record: RecordKey
    identifier: str
    probability: float


@dataclass(frozen=True)
class Settled:
    """What linkage found out.

    Attributes:
        clustered: `CLUSTERED`, one row per uncertified record that something was found out about.
        review: the queue's columns, one row per pair to ask about.
        loose: `LOOSE_COLUMNS`: a record of a cluster, a record (or the identifier) of the cluster that statistics may
            count it with, and how probable that is.
    """

    clustered: pl.DataFrame
    review: pl.DataFrame
    loose: pl.DataFrame


def compare(model: Model, faces: Faces, engine: Engine = "duckdb", chance: float | None = None) -> pl.DataFrame:
    """The scored pairs of records (`PAIR_COLUMNS`) at or above loose, a face's first record standing for all.

    Args:
        faces: `table` may have `is_fresh`: only pairs with a fresh face are scored then.
        chance: the prior, where these are not all faces.
    """
    chance = chance or prior(faces)
    table = faces.table
    if "is_fresh" not in table.columns:
        table = table.with_columns(is_fresh=pl.lit(True))
    scored = score(model, table, chance, LOOSE, engine).with_columns(waterfall=_waterfall(model, chance))
    scored = scored.select("left", "right", "probability", match_weight="weight", waterfall="waterfall")
    first = faces.table.select("face", *KEY)
    between = scored.filter(pl.col("left") != pl.col("right"))
    between = between.join(_named(first, "left"), on="left").join(_named(first, "right"), on="right")
    # A face's other records hang on its first one.
    others = faces.members.join(first.select(*KEY, is_first=pl.lit(True)), on=KEY, how="left")
    others = others.filter(pl.col("is_first").is_null()).drop("is_first").rename({"face": "right"})
    within = scored.filter(pl.col("left") == pl.col("right")).drop("right").join(_named(first, "left"), on="left")
    within = within.join(
        others.rename(dict(zip(KEY, PAIR[3:], strict=True))), left_on="left", right_on="right", how="inner"
    )
    columns = list(PAIR_COLUMNS)
    return pl.concat([between.select(columns), within.select(columns)]).sort(PAIR)


def settle(
    model: Model, faces: Faces, pairs: pl.DataFrame, decisions: list[Decision], earlier: list[EarlierLink]
) -> Settled:
    """Cluster the records by their pairs.

    Args:
        pairs: all pairs in force, `SCORES`.
    """
    pairs = pairs.select(SCORES).sort(PAIR).with_row_index("pair")
    ends = _faces_of_pairs(faces, pairs)
    decided = {record for each in decisions for record in (each.left, each.right)}
    lone = split_lone(
        faces, ends, _faces_of_records(faces, decided).get_column("face"), _faces_of_earlier(faces, earlier)
    )
    nodes, rest, weighed = _nodes(model, faces, lone, decided, earlier)
    edges = _edges(nodes, rest) + _decided(nodes, decisions, "must_link") + _earlier(nodes, weighed)
    apart = [(edge.left, edge.right) for edge in _decided(nodes, decisions, "cannot_link")]
    found = cluster(nodes, edges, apart)
    review = pl.concat([_review(pairs, found, lone), _contradicted(decisions, found)])
    # A pair that is asked about as a scored one is not asked about again as a decision.
    review = review.unique(PAIR, keep="first", maintain_order=True)
    clustered = pl.concat([lone_clustered(lone.pairs, model.version), _clustered(model, nodes, found)])
    return Settled(clustered, review, pl.concat([lone_loose(lone.pairs), _loose(nodes, found)]))


def _nodes(
    model: Model, faces: Faces, lone: Lone, decided: set[RecordKey], earlier: list[EarlierLink]
) -> tuple[Nodes, pl.DataFrame, list[EarlierLink]]:
    """Nodes of everything but lone pairs, the pairs between them, and the earlier links to weigh."""
    ends = lone.rest
    settled = pl.concat([lone.pairs.get_column("goes_face"), lone.pairs.get_column("keeps_face")])
    alone = faces.members.join(settled.alias("face").to_frame(), on="face", how="semi") if earlier else None
    gone = set() if alone is None else set(alone.select(KEY).iter_rows())
    weighed = [each for each in earlier if each.record not in gone]
    named = decided | {each.record for each in weighed}
    of_named = _faces_of_records(faces, named).get_column("face")
    crowded = faces.table.filter((pl.col("size") > 1) & pl.col("identifier").is_null()).get_column("face")
    touched = pl.concat([ends.get_column("left"), ends.get_column("right"), of_named, crowded]).unique()
    within = ends.filter(pl.col("left") == pl.col("right")).unique("left")
    own = dict(within.select("left", "probability").iter_rows())
    return build_nodes(model.kind, faces, touched, own, named), ends, weighed


def _faces_of_records(faces: Faces, records: set[RecordKey]) -> pl.DataFrame:
    return faces.members.join(_keys(records), on=KEY) if records else faces.members.clear()


def _faces_of_earlier(faces: Faces, earlier: list[EarlierLink]) -> pl.DataFrame:
    """`face` and `identifier` of every earlier link."""
    rows = [(*each.record, each.identifier) for each in earlier]
    told = pl.DataFrame(rows, schema=dict.fromkeys((*KEY, "identifier"), pl.String), orient="row")
    return faces.members.join(told, on=KEY).select("face", "identifier")


def _named(first: pl.DataFrame, side: str) -> pl.DataFrame:
    names = PAIR[:3] if side == "left" else PAIR[3:]
    return first.rename({"face": side, **dict(zip(KEY, names, strict=True))})


def _keys(records: set[RecordKey]) -> pl.DataFrame:
    return pl.DataFrame(sorted(records), schema=dict.fromkeys(KEY, pl.String), orient="row")


def _waterfall(model: Model, match_prior: float) -> pl.Expr:
    """What a score is made of, as JSON: the prior, then each comparison's level and weight in bits; no values."""
    start = math.log2(match_prior / (1 - match_prior))
    parts = [pl.lit(f'[{{"comparison": "prior", "level": "prior", "weight": {start:.4f}}}')]
    for comparison in model.settings["comparisons"]:
        name = comparison["output_column_name"]
        named = [
            level["label_for_charts"] for level in comparison["comparison_levels"] if not level.get("is_null_level")
        ]
        labels = {-1: "unknown"} | {len(named) - 1 - place: label for place, label in enumerate(named)}
        parts += [
            pl.lit(f', {{"comparison": "{name}", "level": "'),
            pl.col(f"level_{name}").replace_strict(labels, return_dtype=pl.String),
            pl.lit('", "weight": '),
            pl.col(f"weight_{name}").round(4).cast(pl.String),
            pl.lit("}"),
        ]
    return pl.concat_str(*parts, pl.lit("]"))


def _faces_of_pairs(faces: Faces, pairs: pl.DataFrame) -> pl.DataFrame:
    """`pair`, `left`, `right` (faces), `left_place`, `right_place` (of the record in its face), weight, probability."""
    places = faces.members.sort("face", *KEY).with_columns(place=pl.int_range(pl.len()).over("face"))
    sides = {
        side: places.rename({"face": side, "place": f"{side}_place", **dict(zip(KEY, names, strict=True))})
        for side, names in (("left", PAIR[:3]), ("right", PAIR[3:]))
    }
    joined = pairs.join(sides["left"], on=PAIR[:3]).join(sides["right"], on=PAIR[3:])
    columns = ("pair", "left", "right", "left_place", "right_place", "probability", "match_weight")
    return joined.select(columns).sort("pair")


def _edges(nodes: Nodes, ends: pl.DataFrame) -> list[Edge]:
    """Pairs as edges; where a face's records do not hold together, each has the face's pairs for itself."""
    edges = []
    for pair, left, right, left_place, right_place, probability, weight in ends.iter_rows():
        if left == right:
            held = nodes.of_face[left]
            if len(held) > 1:
                edges.append(Edge(held[left_place], held[right_place], probability, weight, pair))
            continue
        edges += [
            Edge(one, other, probability, weight, pair) for one in nodes.of_face[left] for other in nodes.of_face[right]
        ]
    return edges


def _decided(nodes: Nodes, decisions: list[Decision], verdict: str) -> list[Edge]:
    """Decisions as edges, numbered from -1 downwards; one about a record that is gone has nothing to join."""
    return [
        Edge(nodes.of_record[each.left], nodes.of_record[each.right], 1.0, math.inf, -1 - place, "reviewed")
        for place, each in enumerate(decisions)
        if each.verdict == verdict and each.left in nodes.of_record and each.right in nodes.of_record
    ]


def _contradicted(decisions: list[Decision], found: Clustering) -> pl.DataFrame:
    """Decisions that certified identifiers speak against: nobody is moved, and the pair is asked about."""
    rows = [
        (*decisions[-1 - pair].left, *decisions[-1 - pair].right, "conflict", conflict, None, None)
        for pair, conflict in found.conflicts.items()
        if pair < 0
    ]
    schema = dict.fromkeys(QUEUE, pl.String) | {"probability": pl.Float64, "match_weight": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _earlier(nodes: Nodes, earlier: list[EarlierLink]) -> list[Edge]:
    anchors = dict(nodes.anchors())
    edges = []
    for link in earlier:
        if link.record not in nodes.of_record:
            continue
        if link.identifier not in anchors:
            width = len(nodes.traits[0]) if nodes.traits else 0
            anchors[link.identifier] = nodes.add(link.identifier, 0, (frozenset(),) * width)
        node = nodes.of_record[link.record]
        edges.append(Edge(node, anchors[link.identifier], link.probability, 0.0, None, "kept"))
    return edges


def _clustered(model: Model, nodes: Nodes, found: Clustering) -> pl.DataFrame:
    rows = []
    for held in found.clusters:
        members = [node for node in held.nodes if nodes.records[node]]
        if not members:
            continue
        first = min(nodes.key(node) for node in members)
        name = "|".join(first)
        for node in members:
            method, probability = found.joined.get(node, ("own_record", 1.0))
            for place, record in enumerate(nodes.records[node]):
                if method == "own_record" and place:
                    told, likely = "model", nodes.cohesion[node]
                else:
                    told, likely = method, min(probability, nodes.cohesion[node] if place else 1.0)
                rows.append((*record, name, held.identifier, told, likely, model.version))
    text = dict.fromkeys(CLUSTERED, pl.String) | {"probability": pl.Float64}
    return pl.DataFrame(rows, schema=text, orient="row")


def _review(pairs: pl.DataFrame, found: Clustering, lone: Lone) -> pl.DataFrame:
    asked: list[tuple[int, str, str | None, float | None]] = [
        (pair, "conflict", conflict, None) for pair, conflict in found.conflicts.items() if pair >= 0
    ]
    asked += [(pair, "between", None, probability) for pair, probability in found.doubtful.items()]
    schema = {"pair": pl.get_index_type(), "reason": pl.String, "conflict": pl.String, "among_rivals": pl.Float64}
    table = pl.DataFrame(asked, schema=schema, orient="row")
    table = pl.concat([table, lone_questions(lone.pairs)])
    joined = pairs.join(table, on="pair").with_columns(probability=pl.coalesce("among_rivals", "probability"))
    return joined.filter(pl.col("probability") >= AMONG_RIVALS).select(QUEUE) if joined.height else joined.select(QUEUE)


def _loose(nodes: Nodes, found: Clustering) -> pl.DataFrame:
    rows = []
    for one, (other, probability) in found.loose.items():
        mine = _head(nodes, found.clusters[one].nodes)
        if mine is not None:
            root = found.clusters[other]
            head = _head(nodes, root.nodes) or ("", "", "")
            rows.append((*mine, *head, root.identifier, probability))
    text = dict.fromkeys(LOOSE_COLUMNS, pl.String) | {"probability": pl.Float64}
    return pl.DataFrame(rows, schema=text, orient="row")


def _head(nodes: Nodes, held: list[int]) -> RecordKey | None:
    return min((nodes.key(node) for node in held if nodes.records[node]), default=None)


def named_in(decisions: list[Decision]) -> pl.DataFrame:
    """`KEY` of the records that decisions name."""
    return _keys({record for each in decisions for record in (each.left, each.right)})


def faces_of(model: Model, features: pl.DataFrame, decisions: list[Decision]) -> Faces:
    """The faces of these records, those of decisions apart."""
    return build_faces(model.kind, features, named_in(decisions))
