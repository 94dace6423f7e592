"""What is clustered: certified subjects, faces, and single records of faces that do not hold together.

A node is an integer. All certified records of one identifier are one node, the *anchor* of that identifier.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import polars as pl

from identity.faces import Faces
from identity.features.records import KEY
from identity.model import Kind
from identity.thresholds import NORMAL

RecordKey = tuple[str, str, str]
Traits = tuple[frozenset[str], ...]
# What must not be contradicted inside one cluster, though the two records that differ were never compared.
TRAITS: dict[Kind, tuple[str, ...]] = {"resident": ("sex", "birth", "surname"), "enterprise": ("registration",)}


@dataclass
class Nodes:
    """The nodes of one kind.

    Attributes:
        identifier: of an anchor, else None.
        registers: how many register entries the node holds.
        traits: per trait the values the node shows.
        records: the records of a node, in order of their keys; empty for an anchor (certified records join by SQL).
        of_face: face → its nodes: one, or one per record where the records of a face do not hold together.
        of_record: node of each record that a decision or an earlier link names.
        cohesion: node → probability that the records of its face are one subject.
        old_entries: nodes that are entries of the register under an old registration number.
        established: node → the days on which its entries of the register say that the firm began.
        of_founding: node of an old entry → node of the code's entry that shares its founding, where no third one does.
    """

    identifier: list[str | None] = field(default_factory=list)
    registers: list[int] = field(default_factory=list)
    traits: list[Traits] = field(default_factory=list)
    records: list[list[RecordKey]] = field(default_factory=list)
    of_face: dict[int, list[int]] = field(default_factory=dict)
    of_record: dict[RecordKey, int] = field(default_factory=dict)
    cohesion: dict[int, float] = field(default_factory=dict)
    old_entries: set[int] = field(default_factory=set)
    established: dict[int, set[str]] = field(default_factory=dict)
    of_founding: dict[int, int] = field(default_factory=dict)

    def add(self, identifier: str | None, registers: int, traits: Traits) -> int:
        """A new node without records."""
        self.identifier.append(identifier)
        self.registers.append(registers)
        self.traits.append(traits)
        self.records.append([])
        return len(self.identifier) - 1

    def key(self, node: int) -> tuple[str, str, str]:
        """What orders nodes, whatever order they were made in."""
        return self.records[node][0] if self.records[node] else ("", "", self.identifier[node] or "")

    def anchors(self) -> Iterator[tuple[str, int]]:
        """Identifier and node of every anchor."""
        return ((identifier, node) for node, identifier in enumerate(self.identifier) if identifier is not None)


def build_nodes(kind: Kind, faces: Faces, touched: pl.Series, own: dict[int, float], named: set[RecordKey]) -> Nodes:
    """Nodes of the faces that appear in pairs, decisions or earlier links; all other records stand alone anyway.

    Args:
        touched: those faces.
        own: face → probability that two of its records are one subject.
        named: records that decisions or earlier links name.
    """
    nodes = Nodes()
    anchors: dict[str, int] = {}
    table = faces.table.filter(pl.col("face").is_in(touched.implode()))
    members = faces.members.filter(pl.col("face").is_in(touched.implode())).sort("face", *KEY)
    records: dict[int, list[RecordKey]] = {}
    for face, *key in members.select("face", *KEY).iter_rows():
        records.setdefault(face, []).append((key[0], key[1], key[2]))
    columns = ("face", "identifier", "is_register", *TRAITS[kind])
    for face, identifier, is_register, *values in table.select(columns).iter_rows():
        traits = tuple(frozenset() if value is None else frozenset((value,)) for value in values)
        if identifier is None:
            _add_face(nodes, face, records[face], int(is_register), traits, own.get(face))
        else:
            _add_certified(nodes, anchors, face, identifier, int(is_register), traits)
        for record in records[face]:
            if record in named:
                nodes.of_record[record] = _node_of(nodes, face, record)
    if kind == "enterprise":
        _add_entries(nodes, table)
    return nodes


def _add_entries(nodes: Nodes, table: pl.DataFrame) -> None:
    """What entries of the register of enterprises say of how the firm began.

    All that share a founding are here: their name is the same, so they were compared.
    """
    founded: dict[str, set[int]] = {}
    entries = table.filter("is_register").select("face", "identifier", "registration", "established", "founding")
    for face, identifier, registration, established, founding in entries.iter_rows():
        node = nodes.of_face[face][0]
        if identifier is None and registration is not None:
            nodes.old_entries.add(node)
        if established is not None:
            nodes.established.setdefault(node, set()).add(established)
        if founding is not None:
            founded.setdefault(founding, set()).add(node)
    for held in founded.values():
        old = held & nodes.old_entries
        coded = {node for node in held if nodes.identifier[node] is not None}
        if len(held) == 2 and len(old) == len(coded) == 1:
            nodes.of_founding[old.pop()] = coded.pop()


def _add_face(
    nodes: Nodes,
    face: int,
    records: list[RecordKey],
    registers: int,
    traits: Traits,
    cohesion: float | None,
) -> None:
    together = len(records) == 1 or (cohesion is not None and cohesion >= NORMAL)
    for part in [records] if together else [[record] for record in records]:
        node = nodes.add(None, registers, traits)
        nodes.records[node] = part
        nodes.of_face.setdefault(face, []).append(node)
        nodes.cohesion[node] = 1.0 if cohesion is None or not together else cohesion


def _add_certified(
    nodes: Nodes,
    anchors: dict[str, int],
    face: int,
    identifier: str,
    registers: int,
    traits: Traits,
) -> None:
    if identifier not in anchors:
        anchors[identifier] = nodes.add(identifier, 0, tuple(frozenset() for _ in traits))
    node = anchors[identifier]
    nodes.registers[node] += registers
    nodes.traits[node] = tuple(one | other for one, other in zip(nodes.traits[node], traits, strict=True))
    nodes.of_face[face] = [node]


def _node_of(nodes: Nodes, face: int, record: RecordKey) -> int:
    found = nodes.of_face[face]
    return next((node for node in found if record in nodes.records[node]), found[0])
