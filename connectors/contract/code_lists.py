"""Published code lists a column may refer to (`codeList` in a contract). A value outside its list is a warning, never a
rejection: lists grow, and an old row keeps the code of its day.
"""

from __future__ import annotations

# The 12 streets, the 24 towns, and the six farms and zones of Pudong New Area (310115), GB/T 10114 nine-digit codes.
_STREETS = "004 005 007 008 009 010 011 012 013 014 015 016"
_TOWNS = "103 104 105 110 114 117 120 121 123 125 130 131 132 133 134 136 137 139 140 141 142 143 144 145"
_FARMS_AND_ZONES = "401 402 403 501 502 503"

CODE_LISTS: dict[str, tuple[str, ...]] = {
    "towns": tuple(f"310115{code}" for code in f"{_STREETS} {_TOWNS} {_FARMS_AND_ZONES}".split()),
}
