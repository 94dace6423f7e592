"""Both languages say everything, and no text hides in the code."""

from __future__ import annotations

import ast
import csv
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

import streamlit_app
from streamlit_app.i18n import LANGUAGES, Texts, catalogue

ROOM = Path(streamlit_app.__file__).parent
SEEDS = ROOM.parent / "dbt_project" / "seeds"
SOURCES = sorted(ROOM.rglob("*.py"))
CJK = re.compile(r"[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]")
PROSE = re.compile(r"[A-Za-z]{2,}[ ,]+[A-Za-z]{2,}")
TEXT_BETWEEN_TAGS = re.compile(r">[^<>{}]*[A-Za-z]{2,}[^<>{}]*<")
# Words for the database or the browser, not for a reader: SQL, font lists, paths of an SVG, class names.
NOT_FOR_READERS = {"data.py", "subject_data.py", "theme/__init__.py", "sparkline.py", "serve.py", "components.py"}
CLASSES = re.compile(r"[a-z][a-z0-9_]*(-[a-z0-9_]+)*( [a-z][a-z0-9_]*(-[a-z0-9_]+)*)*")


def literals(file: Path) -> Iterator[tuple[int, str]]:
    """String literals of a module that are not docstrings."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value


def hidden_texts(file: Path) -> list[str]:
    """Literals that a reader would see and that are not in the catalogue."""
    name = file.relative_to(ROOM).as_posix()
    found = []
    for line, text in literals(file):
        # A command to type and an expression of the chart library are the same in every language.
        is_code = text.startswith("cityhub ") or any(sign in text for sign in ("datum.", "width <", " ? "))
        is_prose = name not in NOT_FOR_READERS and not is_code and PROSE.search(text) and not CLASSES.fullmatch(text)
        if CJK.search(text) or TEXT_BETWEEN_TAGS.search(text) or is_prose:
            found.append(f"{name}:{line} {text!r}")
    return found


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: file.relative_to(ROOM).as_posix())
def test_no_text_outside_the_catalogue(file: Path) -> None:
    assert hidden_texts(file) == []


def test_hidden_texts_would_be_found(tmp_path: Path) -> None:
    """The guard above can fail: Chinese, English prose and text inside markup are all seen."""
    file = ROOM / "screens" / "overview.py"
    assert not hidden_texts(file)
    for planted in ("'总览'", "'Nothing to show'", "'<b>Total rows</b>'"):
        tree = ast.parse(f"x = {planted}")
        value = tree.body[0].value.value  # type: ignore[attr-defined]
        assert CJK.search(value) or TEXT_BETWEEN_TAGS.search(value) or PROSE.search(value)


def test_every_text_has_both_languages_and_the_same_placeholders() -> None:
    for key, entry in catalogue().items():
        assert set(entry) == set(LANGUAGES), key
        fields = {
            frozenset(name for _, name, _, _ in string.Formatter().parse(text) if name) for text in entry.values()
        }
        # A month is a number in Chinese and a name in English.
        assert len(fields) == 1 or key == "format.month", key
        assert all(text == text.strip("\n") and text for text in entry.values()), key


def test_chinese_texts_are_chinese_and_english_ones_are_not() -> None:
    for key, entry in catalogue().items():
        if key != "app.other_language":
            assert not CJK.search(entry["en"].replace("\u3000", "")), key
    # What is only punctuation and placeholders is the same in both languages.
    plain = {key for key, entry in catalogue().items() if not CJK.search(re.sub(r"\{\w+\}|\W", "", entry["zh"]))}
    assert {key for key in plain if re.search(r"[A-Za-z]", re.sub(r"\{\w+\}", "", catalogue()[key]["zh"]))} == {
        "app.other_language"
    }


def test_every_text_the_code_asks_for_exists() -> None:
    """Keys written out in full are in the catalogue; keys put together at run time share its prefixes."""
    asked = re.compile(r"""\bt\(\s*"([a-z_.]+)\"""")
    for file in SOURCES:
        for key in asked.findall(file.read_text(encoding="utf-8")):
            assert key in catalogue(), f"{file.name}: {key}"


def test_labels_agree_with_the_label_seed() -> None:
    """A coded value is called the same on the pages and in the database."""
    with (SEEDS / "seed_labels.csv").open(encoding="utf-8", newline="") as handle:
        seed = {(row["kind"], row["code"]): (row["zh"], row["en"]) for row in csv.DictReader(handle)}
    compared = 0
    for key, entry in catalogue().items():
        if key.startswith("code."):
            kind, code = key.removeprefix("code.").split(".", 1)
            if (kind, code) in seed:
                assert (entry["zh"], entry["en"]) == seed[kind, code], key
                compared += 1
    assert compared > 80


def test_unknown_code_is_shown_as_it_is_and_unknown_text_is_an_error() -> None:
    t = Texts("zh")
    assert t.code("system", "a_new_system") == "a_new_system"
    with pytest.raises(KeyError):
        t("overview.no_such_text")
