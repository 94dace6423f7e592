"""What devices and scales report: waste weighings, alarms in care homes, hours the devices were online."""

from __future__ import annotations

import numpy as np
import polars as pl

from demo.city.draw import NEVER, Array, Rng, chance, counted, days, minutes, stream
from demo.city.geography import Geography

HISTORY_DAYS = 120
WEIGHED_KINDS = ("producer", "compound")
# Devices per home: kind, number per ten places (at least one), alarms per device and 100 days.
DEVICES: dict[str, tuple[float, float]] = {
    "arc": (0.6, 1.2),
    "fence": (1.0, 5.0),
    "smoke": (2.0, 1.5),
    "food_safety": (0.5, 3.5),
    "off_bed": (4.0, 9.0),
    "dress": (0.5, 4.0),
}


def plan_weighings(rng: Rng, dates: Array, sites: pl.DataFrame, geography: Geography) -> pl.DataFrame:
    """One weighing per site and day: site_no, weighed_on, weights, is_sorted_ok, _from (1 % come 1–2 days late)."""
    weighed = sites.filter(pl.col("kind").is_in(WEIGHED_KINDS))
    count = weighed.height * len(dates)
    site = np.tile(np.arange(weighed.height), len(dates))
    date = np.repeat(dates, weighed.height)
    town = weighed["town"].to_numpy()[site]
    is_compound = (weighed["kind"] == "compound").to_numpy()[site]
    size = (0.6 + (site * 37 % 17) / 12) * np.where(is_compound, 5.0, 1.0)
    quality = np.clip(geography.towns["quality"].to_numpy()[town] - 0.03 + (site * 13 % 7 - 3) * 0.015, 0.5, 0.995)
    late = chance(rng, 0.01, count)
    return pl.DataFrame(
        {
            "site_no": weighed["site_no"].gather(pl.Series(site)),
            "weighed_on": date,
            "wet_kg": np.round(rng.gamma(6, 14, count) * size, 1),
            "dry_kg": np.round(rng.gamma(6, 17, count) * size, 1),
            "recyclable_kg": np.round(rng.gamma(4, 6, count) * size, 1),
            "hazardous_kg": np.round(rng.gamma(1.2, 0.4, count) * size, 2),
            "is_sorted_ok": chance(rng, quality, count),
            "_from": date + days(np.where(late, rng.integers(1, 3, count), 0)),
        }
    ).filter(pl.Series(chance(rng, 0.995, count)))


def build_devices(seed: int, homes: pl.DataFrame) -> pl.DataFrame:
    """Devices of all homes: device_no, home_no, kind, online (usual share of the day)."""
    rng = stream(seed, "devices")
    frames = []
    for kind, (per_ten, _) in DEVICES.items():
        number = np.maximum(1, np.round(homes["capacity"].to_numpy() * per_ten / 10)).astype(int)
        home = np.repeat(np.arange(homes.height), number)
        serial = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number) + 1
        frames.append(
            pl.DataFrame(
                {
                    "home_no": homes["home_no"].gather(pl.Series(home)),
                    "kind": [kind] * len(home),
                    "serial": serial,
                    "town": homes["town"].gather(pl.Series(home)),
                }
            )
        )
    devices = pl.concat(frames)
    return devices.with_columns(
        device_no=pl.col("home_no") + "-" + pl.col("kind").str.to_uppercase() + "-" + pl.col("serial").cast(pl.String),
        online=pl.Series(np.where(chance(rng, 0.06, devices.height), rng.uniform(0.35, 0.9, devices.height), 0.985)),
    ).drop("serial")


def plan_uptime(rng: Rng, dates: Array, devices: pl.DataFrame) -> pl.DataFrame:
    """Hours online per device and day; a silent device (1 %) has no row at all."""
    count = devices.height * len(dates)
    device = np.tile(np.arange(devices.height), len(dates))
    online = devices["online"].to_numpy()[device]
    outage = chance(rng, 0.05, count)
    hours = np.clip(24 * online * np.where(outage, rng.uniform(0.1, 0.9, count), rng.uniform(0.97, 1.02, count)), 0, 24)
    return pl.DataFrame(
        {
            "device_no": devices["device_no"].gather(pl.Series(device)),
            "on_date": np.repeat(dates, devices.height),
            "home_no": devices["home_no"].gather(pl.Series(device)),
            "kind": devices["kind"].gather(pl.Series(device)),
            "hours_online": np.round(hours, 2),
        }
    ).filter(pl.Series(chance(rng, 0.99, count)))


def plan_alarms(rng: Rng, dates: Array, devices: pl.DataFrame, geography: Geography, first_number: int) -> pl.DataFrame:
    """Alarms raised on those days: alarm_no, home_no, device_no, kind, raised_at, planned acknowledged_at, cleared_at,
    is_false, _from (1 % arrive up to two days late)."""
    rate = np.array([DEVICES[kind][1] / 100 for kind in devices["kind"]])
    elder_care = geography.towns["elder_care"].to_numpy()[devices["town"].to_numpy()]
    raised_count = rng.poisson(np.outer(np.ones(len(dates)), rate * np.exp(-0.15 * elder_care)))
    date_index, device = np.nonzero(raised_count)
    repeat = raised_count[date_index, device]
    date, device = np.repeat(dates[date_index], repeat), np.repeat(device, repeat)
    count = len(device)
    raised = date.astype("datetime64[us]") + minutes(rng.uniform(0, 24 * 60 - 0.1, count))
    order = np.argsort(raised, kind="stable")
    raised, device = raised[order], device[order]
    care = np.exp(-0.45 * elder_care[device])
    acknowledged = raised + minutes(rng.lognormal(1.1, 1.0, count) * care + 0.2)
    cleared = acknowledged + minutes(rng.lognormal(3.0, 1.1, count))
    unseen = chance(rng, 0.015, count)
    late = chance(rng, 0.01, count)
    return pl.DataFrame(
        {
            "alarm_no": counted("BJ", first_number + np.arange(count), 9),
            "home_no": devices["home_no"].gather(pl.Series(device)),
            "device_no": devices["device_no"].gather(pl.Series(device)),
            "kind": devices["kind"].gather(pl.Series(device)),
            "raised_at": raised,
            "acknowledged_at": np.where(unseen, NEVER, acknowledged),
            "cleared_at": np.where(unseen, NEVER, cleared),
            "is_false": chance(rng, 0.14, count),
            "_from": raised + np.where(late, minutes(rng.uniform(600, 2800, count)), minutes(np.zeros(count))),
        }
    )
