"""What is generated from the contracts must say what they say."""

from __future__ import annotations

from connectors.contract import load_contracts
from connectors.data_dictionary import DICTIONARY_PATH, render_dictionary
from connectors.sources_yaml import SOURCES_PATH, render_sources


def test_sources_file_is_what_the_contracts_say() -> None:
    assert SOURCES_PATH.read_text(encoding="utf-8") == render_sources(load_contracts()), (
        "run `python -m connectors.sources_yaml`"
    )


def test_data_dictionary_is_what_the_contracts_say() -> None:
    assert DICTIONARY_PATH.read_text(encoding="utf-8") == render_dictionary(load_contracts()), (
        "run `python -m connectors.data_dictionary`"
    )
