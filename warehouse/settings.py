"""Everything a deployment may set, read from the environment (prefix `CITYHUB_`). Secrets have no other source.

Source systems are named by their contracts, so their addresses are read by name at call time:
`CITYHUB_SOURCE_<SYSTEM>_URL`, for signed REST `CITYHUB_SOURCE_<SYSTEM>_KEY_ID` and `_SECRET`, for SFTP
`CITYHUB_SOURCE_<SYSTEM>_SECRET` or `_KEY_FILE`, and `_KNOWN_HOSTS`.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from warehouse.errors import ConfigurationError
from warehouse.paths import CONTRACTS_DIR

TIMEZONE = "Asia/Shanghai"


class Settings(BaseSettings):
    """The hub's settings. Paths are as given; `home` is made absolute."""

    model_config = SettingsConfigDict(env_prefix="CITYHUB_", extra="ignore", frozen=True)

    home: Path = Field(Path(".cityhub"), description="Directory for everything this hub keeps on this machine.")
    database_url: SecretStr | None = Field(
        None, description="An external Postgres >= 16 as postgresql://…; unset: embedded under home."
    )
    token_key: SecretStr | None = Field(None, description="Key of the citizen-number tokens (HMAC-SM3).")
    contracts_dir: Path = Field(CONTRACTS_DIR, description="Directory of the source systems' contracts.")
    language: Literal["zh", "en"] = Field("zh", description="Language of pages and exported texts.")
    review: Literal["off", "login", "trust"] = Field(
        "off",
        description="Whether the pages offer identity review: to who logs in at an identity provider, or on trust to "
        "whoever types a name.",
    )
    linkage_engine: Literal["duckdb", "spark"] = Field(
        "duckdb", description="What scores pairs of records; spark needs pyspark and Java."
    )
    dbt_threads: int = Field(4, ge=1, le=32, description="Parallel dbt models.")
    statement_timeout_seconds: int = Field(3600, ge=1, description="Longest single statement of the pipeline.")

    def model_post_init(self, context: object, /) -> None:
        object.__setattr__(self, "home", self.home.expanduser().absolute())

    def source_url(self, system: str) -> str | None:
        """Address of a source system, with its credentials: never print it, print its masked form."""
        return _source_variable(system, "URL")

    def source_secret(self, system: str) -> SecretStr | None:
        """Signing secret of a REST source; password or key's passphrase of an SFTP source."""
        value = _source_variable(system, "SECRET")
        return None if value is None else SecretStr(value)

    def source_key_id(self, system: str) -> str | None:
        """Name of the signing key of a REST source."""
        return _source_variable(system, "KEY_ID")

    def source_file(self, system: str, kind: Literal["KEY_FILE", "KNOWN_HOSTS"]) -> Path | None:
        """Private key, or file of known host keys, of an SFTP source."""
        value = _source_variable(system, kind)
        return None if value is None else Path(value)

    def alert_variable(self, department: str, name: Literal["URL", "KIND", "SECRET"]) -> SecretStr | None:
        """What is set of a department's webhook; its URL carries the robot's key and is as secret as its secret."""
        value = os.environ.get(f"CITYHUB_ALERT_{department.upper()}_{name}")
        return SecretStr(value) if value else None

    def shown(self) -> dict[str, str | int | None]:
        """Settings as they may be printed: secrets as `********`, URLs without their password."""
        return {
            "home": str(self.home),
            "database_url": None if self.database_url is None else mask_url(self.database_url.get_secret_value()),
            "token_key": None if self.token_key is None else "********",
            "contracts_dir": str(self.contracts_dir),
            "language": self.language,
            "review": self.review,
            "linkage_engine": self.linkage_engine,
            "dbt_threads": self.dbt_threads,
            "statement_timeout_seconds": self.statement_timeout_seconds,
        }


def _source_variable(system: str, suffix: str) -> str | None:
    return os.environ.get(f"CITYHUB_SOURCE_{system.upper()}_{suffix}") or None


def mask_url(url: str) -> str:
    """A URL as it may be printed: password and query left out; unreadable ones are not shown at all."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        return "(unreadable address)"
    return parsed.set(query={}).render_as_string(hide_password=True)


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read once.

    Raises:
        ConfigurationError: a variable does not hold what it should.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(
            "A setting has a value that cannot be used.",
            where=f"environment variable CITYHUB_{name.upper()}",
            expected=first["msg"],
            do="correct the variable or unset it; `cityhub config` lists all settings",
        ) from None
