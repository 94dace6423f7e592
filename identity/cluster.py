"""From scored pairs to clusters: strongest pair first, never against a constraint.

A pair at or above the normal threshold joins two clusters unless that would put two certified identifiers together, two
entries of one register, more faces than a subject can have, or two records of which a third one contradicts both
(a bridge). A firm's entry under its old registration number and the one under its credit code are one entry where they
are of one founding. What a constraint refuses goes to review. Decisions by two people come first and override
everything but certified identifiers; a record's own earlier link comes last and only where nothing better was found.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from identity.nodes import Nodes
from identity.thresholds import LOOSE, NORMAL

Conflict = Literal["certified", "register", "cluster_size", "bridge", "cannot_link"]
Method = Literal["model", "reviewed", "own_record", "kept"]
# Faces, not records: a thousand equal records are one face, forty different ones of a single person are a chain.
MOST_FACES = 40


class Edge(NamedTuple):
    """A reason to join two nodes.

    `pair` is the position of the scored pair, a negative number for a decision, None for an earlier link.
    """

    left: int
    right: int
    probability: float
    weight: float
    pair: int | None
    kind: Literal["model", "reviewed", "kept"] = "model"


@dataclass
class Cluster:
    """Nodes that are one subject."""

    nodes: list[int]
    identifier: str | None
    registers: int
    traits: tuple[frozenset[str], ...]


@dataclass(frozen=True)
class Clustering:
    """What came of it.

    Attributes:
        cluster_of: node → cluster, an index into `clusters`.
        joined: node → method and probability by which it hangs on its cluster's head; heads are not in it.
        conflicts: pair or decision → the constraint that refused it.
        doubtful: scored pairs between loose and normal whose ends stayed apart, with their probability among rivals.
        loose: cluster → cluster it may be counted with in statistics, and how probable that is.
    """

    clusters: list[Cluster]
    cluster_of: list[int]
    joined: dict[int, tuple[Method, float]]
    conflicts: dict[int, Conflict]
    doubtful: dict[int, float]
    loose: dict[int, tuple[int, float]]


@dataclass
class _State:
    nodes: Nodes
    apart: dict[int, set[int]]
    renumbered: dict[int, int]
    cluster_of: list[int] = field(default_factory=list)
    clusters: list[Cluster] = field(default_factory=list)
    joined: dict[int, tuple[Method, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        count = len(self.nodes.identifier)
        self.cluster_of = list(range(count))
        self.clusters = [
            Cluster([node], self.nodes.identifier[node], self.nodes.registers[node], self.nodes.traits[node])
            for node in range(count)
        ]

    def refusal(self, edge: Edge) -> Conflict | None:
        """The constraint that forbids joining the two ends' clusters."""
        one, other = self.clusters[self.cluster_of[edge.left]], self.clusters[self.cluster_of[edge.right]]
        if one.identifier is not None and other.identifier is not None:
            direct = self.nodes.identifier[edge.left] is not None or self.nodes.identifier[edge.right] is not None
            return "certified" if direct else "bridge"
        if edge.kind == "reviewed":
            return None
        if any(self.apart.get(node, set()) & set(other.nodes) for node in one.nodes):
            return "cannot_link"
        if one.registers and other.registers and not self._is_renumbered(one, other):
            return "register"
        if len(one.nodes) + len(other.nodes) > MOST_FACES:
            return "cluster_size"
        return "bridge" if self._contradicts(edge, one, other) else None

    def _is_renumbered(self, one: Cluster, other: Cluster) -> bool:
        """Whether one holds a firm's entry under its old number and the other the one under its code."""
        old, coded = (one, other) if one.identifier is None else (other, one)
        entries = [node for node in old.nodes if self.nodes.registers[node]]
        return len(entries) == 1 and self.renumbered.get(entries[0]) in coded.nodes

    def _contradicts(self, edge: Edge, one: Cluster, other: Cluster) -> bool:
        if len(one.nodes) == len(other.nodes) == 1:
            return False
        ends = zip(self.nodes.traits[edge.left], self.nodes.traits[edge.right], strict=True)
        # Where both ends show a trait, the model has compared it and decided.
        return any(
            not (left and right) and mine and theirs and not mine & theirs
            for (left, right), mine, theirs in zip(ends, one.traits, other.traits, strict=True)
        )

    def join(self, edge: Edge) -> None:
        """One cluster of the two; the one without head hangs on the other's."""
        first, second = self.cluster_of[edge.left], self.cluster_of[edge.right]
        if self._rank(second) < self._rank(first):
            first, second = second, first
        keeps, goes = self.clusters[first], self.clusters[second]
        for node in goes.nodes:
            self.cluster_of[node] = first
            before = self.joined.get(node)
            method: Method = "reviewed" if before and before[0] == "reviewed" else edge.kind
            self.joined[node] = (method, edge.probability)
        keeps.nodes += goes.nodes
        keeps.identifier = keeps.identifier or goes.identifier
        keeps.registers += goes.registers
        keeps.traits = tuple(mine | theirs for mine, theirs in zip(keeps.traits, goes.traits, strict=True))
        goes.nodes = []

    def _rank(self, cluster: int) -> tuple[bool, tuple[str, str, str]]:
        held = self.clusters[cluster]
        return (held.identifier is None, min(self.nodes.key(node) for node in held.nodes))


def cluster(nodes: Nodes, edges: list[Edge], apart: list[tuple[int, int]]) -> Clustering:
    """Cluster the nodes.

    Args:
        edges: scored pairs at or above loose, must-link decisions (`reviewed`) and earlier links (`kept`).
        apart: cannot-link decisions.
    """
    forbidden: dict[int, set[int]] = {}
    for one, other in apart:
        forbidden.setdefault(one, set()).add(other)
        forbidden.setdefault(other, set()).add(one)
    same_entry = renumbered(nodes, edges, forbidden)
    state = _State(nodes, forbidden, same_entry)
    conflicts: dict[int, Conflict] = {}
    rivals = among_rivals(nodes, edges, same_entry)
    order = {"reviewed": 0, "model": 1, "kept": 2}
    ranked = sorted(
        (edge for edge in rivals if edge.probability >= NORMAL or edge.kind != "model"),
        key=lambda edge: (order[edge.kind], -edge.weight, *sorted((nodes.key(edge.left), nodes.key(edge.right)))),
    )
    for edge in ranked:
        if state.cluster_of[edge.left] == state.cluster_of[edge.right]:
            continue
        refused = state.refusal(edge)
        if refused is None:
            state.join(edge)
        elif edge.pair is not None and edge.right not in forbidden.get(edge.left, ()):
            # What people have decided, of these two or of others with the same certified number, is no question.
            conflicts[edge.pair] = refused
    doubtful = {
        edge.pair: edge.probability
        for edge in rivals
        if edge.pair is not None
        and edge.pair not in conflicts
        and edge.probability < NORMAL
        and state.cluster_of[edge.left] != state.cluster_of[edge.right]
    }
    final = Clustering(state.clusters, list(state.cluster_of), dict(state.joined), conflicts, doubtful, {})
    return _with_loose(final, state, [edge for edge in rivals if edge.pair in doubtful and edge.probability >= LOOSE])


def renumbered(nodes: Nodes, edges: list[Edge], apart: dict[int, set[int]]) -> dict[int, int]:
    """Entries under an old number → the entry under the code that took its place.

    Those of one founding, and those that were one subject before and began on one day: when the firm's name or who
    leads it changes, only the new entry is kept up.
    """
    found = dict(nodes.of_founding)
    for edge in edges:
        for node, other in ((edge.left, edge.right), (edge.right, edge.left)):
            began = nodes.established.get(node, set()) & nodes.established.get(other, set())
            if edge.kind == "kept" and node in nodes.old_entries and nodes.identifier[other] is not None and began:
                found.setdefault(node, other)
    return {node: other for node, other in found.items() if other not in apart.get(node, set())}


def among_rivals(nodes: Nodes, edges: list[Edge], same_entry: dict[int, int]) -> list[Edge]:
    """The scored pairs with the probability they have among rivals.

    A record speaks of one subject at most. Where two entities (certified subjects, entries of a register) are equally
    near, each has half: namesakes born on one day are never decided by a coin. Two entries of one firm are no rivals.
    """
    entity = [nodes.identifier[node] is not None or nodes.registers[node] > 0 for node in range(len(nodes.identifier))]
    odds: dict[int, dict[int, float]] = {}
    for edge in edges:
        if edge.kind != "model":
            continue
        for node, other in ((edge.left, edge.right), (edge.right, edge.left)):
            if (
                nodes.identifier[node] is None
                and entity[other]
                and not (nodes.registers[node] and nodes.registers[other])
            ):
                best = odds.setdefault(node, {})
                meant = same_entry.get(other, other)
                best[meant] = max(best.get(meant, 0.0), 2.0 ** min(edge.weight, 500.0))
    adjusted = []
    for edge in edges:
        probability = edge.probability
        if edge.kind == "model":
            for node, other in ((edge.left, edge.right), (edge.right, edge.left)):
                near = odds.get(node, {})
                meant = same_entry.get(other, other)
                if len(near) > 1 and meant in near:
                    probability = min(probability, near[meant] / (1.0 + sum(near.values())))
        adjusted.append(edge._replace(probability=probability))
    return adjusted


def _with_loose(result: Clustering, state: _State, edges: list[Edge]) -> Clustering:
    """Clusters that statistics may count as one: the same constraints, the loose threshold."""
    before = list(state.cluster_of)
    members = {cluster: list(held.nodes) for cluster, held in enumerate(state.clusters) if held.nodes}
    state.clusters = [
        Cluster(list(held.nodes), held.identifier, held.registers, held.traits) for held in state.clusters
    ]
    state.joined = {}
    for edge in sorted(edges, key=lambda edge: (-edge.probability, nodes_key(state.nodes, edge))):
        if state.cluster_of[edge.left] != state.cluster_of[edge.right] and state.refusal(edge) is None:
            state.join(edge)
    loose = {}
    for cluster_, held in members.items():
        now = state.cluster_of[held[0]]
        if now != cluster_:
            loose[cluster_] = (now, min(state.joined[node][1] for node in held if node in state.joined))
    return Clustering(result.clusters, before, result.joined, result.conflicts, result.doubtful, loose)


def nodes_key(nodes: Nodes, edge: Edge) -> list[tuple[str, str, str]]:
    """What orders edges of one weight."""
    return sorted((nodes.key(edge.left), nodes.key(edge.right)))
