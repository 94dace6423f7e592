"""Every text a reader sees, in Chinese and English, and the one way to get at it.

The catalogue itself is `texts.toml`: a key, then its Chinese and its English form. Labels of coded values stand under
`code.<kind>.<value>`. Texts that come with the data (indicator names, town names) live in the released tables.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
CATALOGUE_FILE = Path(__file__).with_name("texts.toml")


@cache
def catalogue() -> dict[str, dict[Language, str]]:
    """All texts: key to language to text."""
    found: dict[str, dict[Language, str]] = {}
    _flatten(tomllib.loads(CATALOGUE_FILE.read_text(encoding="utf-8")), "", found)
    return found


def _flatten(node: Mapping[str, Any], prefix: str, into: dict[str, dict[Language, str]]) -> None:
    for name, value in node.items():
        if isinstance(value, list):
            into[prefix + name] = dict(zip(LANGUAGES, value, strict=True))
        else:
            _flatten(value, f"{prefix}{name}.", into)


@dataclass(frozen=True)
class Texts:
    """The catalogue in one language: `t("overview.title")`, `t("overview.release", id=12)`."""

    language: Language

    def __call__(self, key: str, **values: object) -> str:
        """The text of `key` with its placeholders filled.

        Raises:
            KeyError: the catalogue has no such text; a missing text is a defect, not something to show.
        """
        text = catalogue()[key][self.language]
        return text.format(**values) if values else text

    def code(self, kind: str, value: object) -> str:
        """The label of a coded value, or the code itself: sources may bring codes the catalogue does not know yet."""
        entry = catalogue().get(f"code.{kind}.{value}")
        return str(value) if entry is None else entry[self.language]

    def pick(self, row: Mapping[str, Any], stem: str) -> str:
        """A bilingual pair of columns (`name_zh`, `name_en`) in this language."""
        return str(row[f"{stem}_{self.language}"])


def language_of(text: str | None, default: Language) -> Language:
    """A language named in an address or a setting; anything else gives the default."""
    for language in LANGUAGES:
        if text == language:
            return language
    return default
