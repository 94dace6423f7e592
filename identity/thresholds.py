"""The three thresholds, in one place: what a reader may do with a link of a given probability.

strict: act on a person (a decision, a visit, a penalty). normal: serve, show one view; ids are given at this one.
loose: count, in statistics that name nobody. Between loose and normal two people look at the pair.
"""

from __future__ import annotations

from typing import Literal

Threshold = Literal["strict", "normal", "loose"]

STRICT = 0.999
NORMAL = 0.95
LOOSE = 0.5
# A pair that would do but for its rivals is worth a question while it has one chance in five.
AMONG_RIVALS = 0.2
THRESHOLDS: dict[Threshold, float] = {"strict": STRICT, "normal": NORMAL, "loose": LOOSE}
