"""What two records are compared by, level by level, as Splink settings before training.

The conditions keep to SQL that DuckDB and Spark share. Levels are tried from the top; the last one is "anything
else". Texts in `TEXTS` name comparisons and levels for the people who review a pair.
"""

from __future__ import annotations

from typing import Any

Level = dict[str, Any]
Comparison = dict[str, Any]


def _null(*columns: str) -> Level:
    condition = " or ".join(f"({column}_l is null or {column}_r is null)" for column in columns)
    return {"sql_condition": condition, "label_for_charts": "unknown", "is_null_level": True}


def _level(label: str, condition: str, **more: Any) -> Level:
    return {"sql_condition": condition, "label_for_charts": label, **more}


def _else() -> Level:
    return {"sql_condition": "ELSE", "label_for_charts": "different"}


def _same(column: str) -> str:
    return f"{column}_l = {column}_r"


def _one_slip(column: str, letters: str) -> str:
    """One character exchanged for another, or two neighbours in each other's place."""
    return (
        f"length({column}_l) = length({column}_r) and (levenshtein({column}_l, {column}_r) = 1 or "
        f"(levenshtein({column}_l, {column}_r) = 2 and {letters}_l = {letters}_r))"
    )


_BOTH_FULL = "not is_surname_only_l and not is_surname_only_r"
# Characters, not edits: DuckDB counts the edits of a text in bytes, of which a Chinese character has three.
_SAME_LAST = "substr(name_l, length(name_l), 1) = substr(name_r, length(name_r), 1)"
_SAME_SECOND = "(length(name_l) > 2 and length(name_r) > 2 and substr(name_l, 2, 1) = substr(name_r, 2, 1))"

PERSON_COMPARISONS: list[Comparison] = [
    {
        "output_column_name": "name",
        "comparison_levels": [
            # A name is null where only a surname is known.
            _null("surname"),
            _level("same", _same("name"), tf_adjustment_column="name", tf_adjustment_weight=1.0),
            _level("same_sound_and_tone", f"{_same('toned_sound')} and {_BOTH_FULL}"),
            _level("same_sound", f"{_same('sound')} and {_BOTH_FULL}"),
            _level("similar", f"{_same('surname')} and {_BOTH_FULL} and ({_SAME_LAST} or {_SAME_SECOND})"),
            _level("surname_only", f"{_same('surname')} and (is_surname_only_l or is_surname_only_r)"),
            _else(),
        ],
    },
    {
        "output_column_name": "number",
        "comparison_levels": [
            _level(
                "unknown",
                "(number_l is null or number_r is null) and (number_tail_l is null or number_tail_r is null)",
                is_null_level=True,
            ),
            _level("same", _same("number")),
            _level("one_slip", _one_slip("number", "number_letters")),
            _level(
                "same_under_mask",
                "(number_l is null or number_r is null) and number_head_l = number_head_r"
                " and number_tail_l = number_tail_r",
            ),
            _else(),
        ],
    },
    {
        "output_column_name": "birth",
        "comparison_levels": [
            _null("birth"),
            _level("same", _same("birth")),
            _level(
                "near",
                "levenshtein(birth_l, birth_r) = 1 or (substr(birth_l, 1, 4) = substr(birth_r, 1, 4)"
                " and levenshtein(birth_l, birth_r) = 2)",
            ),
            _else(),
        ],
    },
    {"output_column_name": "sex", "comparison_levels": [_null("sex"), _level("same", _same("sex")), _else()]},
    {
        "output_column_name": "phone",
        "comparison_levels": [
            # Who shares a telephone with the family has one of his own as well.
            _level(
                "unknown",
                f"phone_l is null or phone_r is null or"
                f" ((is_family_phone_l or is_family_phone_r) and not {_same('phone')}"
                f" and not coalesce({_same('home')}, false))",
                is_null_level=True,
            ),
            _level("same", _same("phone")),
            # Who calls from the telephone of somebody at home.
            _level("same_household", _same("home")),
            _level("one_digit_off", "length(phone_l) = length(phone_r) and levenshtein(phone_l, phone_r) = 1"),
            _else(),
        ],
    },
    {
        "output_column_name": "address",
        "comparison_levels": [
            _null("place"),
            _level("same_room", f"{_same('place')} and {_same('room')}"),
            _level("same_house", _same("place")),
            _else(),
        ],
    },
    {
        # Where somebody lives, or what he calls about: three calls in four are about the caller's own neighbourhood.
        "output_column_name": "committee",
        "comparison_levels": [
            _null("committee"),
            _level("same_committee", _same("committee")),
            # The first nine digits are the town's.
            _level("same_town", "substr(committee_l, 1, 9) = substr(committee_r, 1, 9)"),
            _else(),
        ],
    },
]

FIRM_COMPARISONS: list[Comparison] = [
    {
        "output_column_name": "name",
        "comparison_levels": [
            _null("name"),
            _level("same", _same("name")),
            _level("same_stem", f"{_same('core')} and form_l <> 'branch' and form_r <> 'branch'"),
            _level("same_sound", f"{_same('core_sound')} and length(core_l) > 3 and form_l = form_r"),
            _else(),
        ],
    },
    {
        "output_column_name": "code",
        "comparison_levels": [
            # A slip in the code of a record without a name is no evidence: the neighbour's code is as near.
            _level(
                "unknown",
                f"code_l is null or code_r is null or (not {_same('code')} and (name_l is null or name_r is null))",
                is_null_level=True,
            ),
            _level("same", _same("code")),
            _level("one_slip", _one_slip("code", "code_letters")),
            _level("same_organisation", _same("organisation")),
            _else(),
        ],
    },
    {
        "output_column_name": "registration",
        "comparison_levels": [_null("registration"), _level("same", _same("registration")), _else()],
    },
    {
        "output_column_name": "address",
        "comparison_levels": [
            _null("place"),
            _level("same_room", f"{_same('place')} and coalesce(room_l, '') = coalesce(room_r, '')"),
            _level("same_house", _same("place")),
            _else(),
        ],
    },
    {
        "output_column_name": "representative",
        "comparison_levels": [_null("representative"), _level("same", _same("representative")), _else()],
    },
]

# Attributes that single out one subject or household: two strangers agree on them the more rarely the larger the city
# is, so their u shrinks with it, as the prior does. Names and birthdays are as common in a large city as in a small.
SINGLING: dict[str, tuple[str, ...]] = {
    "resident": ("number", "phone", "address", "committee.same_committee"),
    "enterprise": ("name", "code", "registration", "address"),
}

# m where certified records cannot teach it: a person has one entry in the register, so no two records that certify one
# number both carry a telephone or an address, and a firm's own entry is the only one that names its representative.
DECLARED_M: dict[str, dict[str, float]] = {
    "phone": {"same": 0.94, "same_household": 0.015, "one_digit_off": 0.005, "different": 0.04},
    "address": {"same_room": 0.82, "same_house": 0.08, "different": 0.10},
    "committee": {"same_committee": 0.7, "same_town": 0.12, "different": 0.18},
    "registration": {"same": 0.98, "different": 0.02},
    "representative": {"same": 0.9, "different": 0.1},
}

# (m, u) where pairs of certified records mislead: brothers and sisters share a surname, a character, a household and
# its telephone; a surname alone certifies nothing; neighbouring telephones are too rare among random pairs to count.
DECLARED_LEVELS: dict[tuple[str, str], tuple[float, float]] = {
    ("name", "similar"): (0.002, 0.01),
    ("name", "surname_only"): (0.02, 0.0014),
    ("phone", "one_digit_off"): (0.005, 1e-5),
}

# comparison → (Chinese, English), and comparison.level → the same, for the waterfall of a pair.
TEXTS: dict[str, tuple[str, str]] = {
    "prior": ("先验", "Prior"),
    "name": ("姓名（名称）", "Name"),
    "number": ("公民身份号码", "Citizen number"),
    "birth": ("出生日期", "Date of birth"),
    "sex": ("性别", "Sex"),
    "phone": ("电话", "Telephone"),
    "address": ("地址", "Address"),
    "code": ("统一社会信用代码", "Credit code"),
    "registration": ("原注册号", "Registration number"),
    "representative": ("法定代表人", "Legal representative"),
    "unknown": ("至少一方缺失", "Unknown on one side"),
    "same": ("相同", "The same"),
    "different": ("不同", "Different"),
    "same_sound_and_tone": ("同音同调", "Same sound and tone"),
    "same_sound": ("同音", "Same sound"),
    "similar": ("同姓且名中有同字", "Same surname, and a character of the given name in common"),
    "surname_only": ("一方仅有姓氏，姓氏相同", "One gives the surname only, and it agrees"),
    "one_slip": ("相差一位或相邻两位对调", "One digit or a transposition"),
    "same_under_mask": ("掩码可见部分相同", "Agree where the mask shows"),
    "near": ("日期相近", "Dates are near"),
    "same_household": ("登记在同一住户", "Registered in one household"),
    "one_digit_off": ("相差一位", "One digit differs"),
    "same_room": ("同室", "Same room"),
    "same_house": ("同号（楼）", "Same house"),
    "committee": ("居（村）委", "Neighbourhood"),
    "same_committee": ("同一居（村）委", "Same neighbourhood"),
    "same_town": ("同一街镇", "Same town"),
    "same_stem": ("字号与行业相同", "Same stem and trade"),
    "same_organisation": ("主体标识码相同", "Same organisation code"),
}
