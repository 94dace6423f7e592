"""Numbers, shares, months and moments as readers of either language expect them. Nothing here touches HTML."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from streamlit_app.i18n import Texts

SHANGHAI = ZoneInfo("Asia/Shanghai")
NONE = "—"
MONTHS_EN = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
SHARE_UNITS = frozenset({"share", "percent", "ratio", "%"})


def number(value: float | None, digits: int = 0) -> str:
    """A count or amount with thousands separators; a dash for nothing."""
    return NONE if value is None else f"{value:,.{digits}f}"


def quantity(value: float | None) -> str:
    """A numerator or denominator: whole where it is whole, else with two decimals."""
    if value is None:
        return NONE
    return number(value, 0 if float(value).is_integer() else 2)


def share(value: float | None, digits: int = 1) -> str:
    """A share between 0 and 1 as a percentage."""
    return NONE if value is None else f"{value * 100:.{digits}f}%"


def measure(t: Texts, value: float | None, unit: str, digits: int = 1) -> str:
    """A value of an indicator with its unit."""
    if value is None:
        return NONE
    if unit in SHARE_UNITS:
        return share(value, digits)
    return f"{number(value, digits)} {t.code('unit', unit)}"


def index(value: float | None) -> str:
    """A composite index on the scale where 100 means every target is met."""
    return NONE if value is None else f"{value * 100:.1f}"


def change(value: float) -> str:
    """A difference in points of a hundred, with its sign."""
    return f"{value * 100:+.1f}".replace("-", "−")


def month(t: Texts, period: str) -> str:
    """`2026-05` as 2026年5月 or May 2026."""
    year, number_of_month = int(period[:4]), int(period[5:7])
    return t("format.month", year=year, number=number_of_month, name=MONTHS_EN[number_of_month - 1])


def day(value: date | datetime | None) -> str:
    """A day as 2026-05-31; a moment is taken in Asia/Shanghai first."""
    if value is None:
        return NONE
    if isinstance(value, datetime):
        value = local(value)
    return value.strftime("%Y-%m-%d")


def moment(value: datetime | None) -> str:
    """A moment in Asia/Shanghai, to the minute."""
    return NONE if value is None else local(value).strftime("%Y-%m-%d %H:%M")


def local(value: datetime) -> datetime:
    """A moment on Shanghai's clock."""
    return value.astimezone(SHANGHAI)
