"""What each rule says to the person who must repair a row, in Chinese and English. No row value appears in any text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from connectors.contract import ColumnContract, Rule, TableContract

Language = Literal["zh", "en"]

_TYPES: dict[str, tuple[str, str]] = {
    "text": ("文本", "text"),
    "boolean": ("“是”或“否”", "yes or no (是 / 否)"),
    "smallint": ("整数", "a whole number"),
    "integer": ("整数", "a whole number"),
    "bigint": ("整数", "a whole number"),
    "date": ("日期，如 2026-06-30", "a date such as 2026-06-30"),
    "timestamptz": ("日期和时间，如 2026-06-30 08:00:00", "a date and time such as 2026-06-30 08:00:00"),
}
_IDENTIFIERS: dict[str, tuple[str, str]] = {
    "citizen_no": ("校验位正确的公民身份号码", "a citizen number whose check digit is right"),
    "uscc": ("校验位正确的统一社会信用代码", "a credit code whose check digit is right"),
}
# `{name}` is the column's Chinese name, or its technical name in English; `{wanted}` what the contract asks for.
TEXTS: dict[str, tuple[str, str]] = {
    "type": ("“{name}”无法识别，应为{wanted}", "{name} cannot be read: it should be {wanted}"),
    "required": ("“{name}”必填，不能为空", "{name} is required and is empty"),
    "enum": ("“{name}”不在允许的取值内：{wanted}", "{name} is none of the allowed values: {wanted}"),
    "pattern": ("“{name}”格式不符，应符合 {wanted}", "{name} is not of the form {wanted}"),
    "range": ("“{name}”超出允许范围：{wanted}", "{name} is outside its range: {wanted}"),
    "identifier": ("“{name}”应为{wanted}", "{name} should be {wanted}"),
    "reference": ("“{name}”不在代码表 {wanted} 内", "{name} is not in the code list {wanted}"),
    "nul_byte": ("“{name}”含有不可存储的空字符（NUL）", "{name} holds a NUL character, which cannot be stored"),
    "unique_key": (
        "同一主键（{wanted}）有多行且内容不一致，无法判断以哪行为准",
        "several rows share the key ({wanted}) and differ; nothing says which is right",
    ),
    "duplicate_row": ("与同一批次的另一行完全重复", "an exact copy of another row of the same delivery"),
}
_COMPARISONS: dict[str, tuple[str, str, str]] = {
    "<": ("应早于", "应小于", "must be below"),
    "<=": ("不得晚于", "不得大于", "must not be above"),
    ">": ("应晚于", "应大于", "must be above"),
    ">=": ("不得早于", "不得小于", "must not be below"),
    "=": ("应等于", "应等于", "must equal"),
    "!=": ("不得等于", "不得等于", "must not equal"),
}
# A list of allowed values longer than this is cut: the cell must stay readable.
_MOST_VALUES = 12


def reason_text(table: TableContract, reason: Mapping[str, Any], language: Language = "zh") -> str:
    """A reason of a rejected row (`{rule, column, severity}`) as a sentence.

    A rule the contract no longer has is told by its name, so that old rows can still be read.
    """
    rule, column = str(reason["rule"]), _column(table, reason.get("column"))
    at = 0 if language == "zh" else 1
    if rule in TEXTS:
        name = "" if column is None else (column.zh if language == "zh" else column.name)
        if column is None and reason.get("column"):
            name = str(reason["column"])
        return TEXTS[rule][at].format(name=name, wanted=_wanted(table, column, rule, at))
    for own in table.rules:
        if own.kind == "expression" and own.name == rule:
            return _comparison(table, own, language)
    return f"不符合规则 {rule}" if language == "zh" else f"breaks the rule {rule}"


# Where a row stood, by what its transport knows of it: a file's line, a service's page and index (from 0), the number
# of the row in a database's answer.
_PLACES: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (("file", "line"), "文件 {file} 第 {line} 行", "{file}, line {line}"),
    (("page", "index"), "第 {page} 页第 {item} 条", "page {page}, item {item}"),
    (("row",), "查询结果第 {row} 行", "row {row}"),
)


def position_text(position: Mapping[str, Any] | None, language: Language = "zh") -> str:
    """Where a rejected row stood at its source, for the person who looks for it there."""
    known = dict(position or {})
    if "index" in known:
        # People count from one.
        known["item"] = int(known["index"]) + 1
    for names, chinese, english in _PLACES:
        if known.keys() >= set(names):
            return (chinese if language == "zh" else english).format(**known)
    return ""


def _column(table: TableContract, name: Any) -> ColumnContract | None:
    return next((column for column in table.columns if column.name == name), None)


def _wanted(table: TableContract, column: ColumnContract | None, rule: str, at: int) -> str:
    if rule == "unique_key":
        names = [table.column(name) for name in table.key]
        return "、".join(c.zh for c in names) if at == 0 else ", ".join(c.name for c in names)
    if column is None:
        return "?"
    match rule:
        case "type":
            number = ("数字", "a number")
            return _TYPES.get(column.pg_type, number)[at]
        case "identifier":
            return _IDENTIFIERS[column.identifier or "citizen_no"][at]
        case "reference":
            return column.code_list or column.reference or "?"
        case "pattern":
            return column.pattern or "?"
        case "enum":
            values = column.enum or ()
            more = " …" if len(values) > _MOST_VALUES else ""
            return ("、" if at == 0 else ", ").join(values[:_MOST_VALUES]) + more
        case "range":
            return _bounds(column, at)
    return ""


def _bounds(column: ColumnContract, at: int) -> str:
    low, high = (None if bound is None else f"{bound:g}" if isinstance(bound, float) else bound
                 for bound in (column.minimum, column.maximum))  # fmt: skip
    if low is not None and high is not None:
        return f"{low} 至 {high}" if at == 0 else f"{low} to {high}"
    if low is not None:
        return f"不小于 {low}" if at == 0 else f"at least {low}"
    return f"不大于 {high}" if at == 0 else f"at most {high}"


def _comparison(table: TableContract, rule: Rule, language: Language) -> str:
    left = table.column(str(rule.params["left"]))
    right = table.column(str(rule.params["right"])) if "right" in rule.params else None
    temporal, plain, english = _COMPARISONS[str(rule.params["operator"])]
    if language == "en":
        return f"{left.name} {english} {right.name if right else rule.params['value']}"
    word = temporal if left.pg_type in ("date", "timestamptz") else plain
    return f"“{left.zh}”{word}" + (f"“{right.zh}”" if right else str(rule.params["value"]))
