"""What the four systems' tables look like at the source: columns in order, kinds of value, keys.

The hub's contracts describe the same tables from the hub's side; a test compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass

SYSTEMS = ("civil_affairs", "market_supervision", "urban_management", "care_homes")


@dataclass(frozen=True)
class Table:
    """A source table. Kinds: text, date, time, money, number, integer, flag."""

    system: str
    name: str
    columns: dict[str, str]
    key: tuple[str, ...]

    @property
    def full_name(self) -> str:
        """`system.table`."""
        return f"{self.system}.{self.name}"


def _table(system: str, name: str, columns: str) -> Table:
    kinds: dict[str, str] = {}
    key = []
    for word in columns.split():
        column, _, kind = word.partition(":")
        if column.startswith("*"):
            column = column[1:]
            key.append(column)
        kinds[column] = kind or "text"
    return Table(system, name, kinds, tuple(key))


TABLES: dict[str, Table] = {
    table.full_name: table
    for table in [
        _table(
            "civil_affairs",
            "residents",
            "*person_no name id_no sex birth_on:date hukou_address home_address town_code committee_code phone"
            " marital_status died_on:date updated_at:time",
        ),
        _table(
            "civil_affairs",
            "benefits",
            "*grant_no person_no kind monthly_cny:money started_on:date ended_on:date updated_at:time",
        ),
        _table(
            "civil_affairs",
            "care_assessments",
            "*assessment_no person_no care_level:integer assessed_on:date valid_until:date",
        ),
        _table(
            "market_supervision",
            "enterprises",
            "*uscc name kind legal_rep_name legal_rep_id_no registered_capital_cny:money established_on:date status"
            " industry_code address town_code updated_at:time",
        ),
        _table("market_supervision", "licences", "*licence_no uscc kind valid_from:date valid_until:date status"),
        _table(
            "market_supervision",
            "inspections",
            "*inspection_no uscc inspected_on:date plan_id kind result published_on:date",
        ),
        _table(
            "market_supervision",
            "penalties",
            "*penalty_no uscc decided_on:date cause amount_cny:money published_on:date",
        ),
        _table(
            "market_supervision",
            "special_equipment",
            "*equipment_no uscc kind installed_at_address last_maintained_on:date next_due_on:date",
        ),
        _table(
            "market_supervision", "lifecycle_notices", "*notice_no uscc double sent_at:time due_at:time done_at:time"
        ),
        _table("urban_management", "sites", "*site_no kind name address town_code committee_code property_uscc"),
        _table(
            "urban_management",
            "cases",
            "*case_no scenario_code channel site_no town_code committee_code found_at:time filed_at:time"
            " dispatched_at:time first_contact_at:time due_at:time extended_to:time disposed_at:time verified_at:time"
            " verify_result closed_at:time loop_level is_valid:flag reporter_name reporter_phone party_name party_uscc"
            " satisfaction updated_at:time",
        ),
        _table("urban_management", "case_steps", "*case_no *seq:integer action actor_kind loop_level at:time outcome"),
        _table(
            "urban_management",
            "waste_weighings",
            "*site_no *weighed_on:date wet_kg:number dry_kg:number recyclable_kg:number hazardous_kg:number"
            " is_sorted_ok:flag",
        ),
        _table(
            "care_homes",
            "institutions",
            "*home_no name uscc licensed_beds:integer basic_beds:integer filed_on:date star:integer address town_code",
        ),
        _table("care_homes", "beds", "*bed_no home_no room kind status"),
        _table(
            "care_homes",
            "stays",
            "*stay_no home_no bed_no name id_no sex birth_on:date care_level:integer admitted_on:date"
            " discharged_on:date monthly_fee_cny:money has_contract:flag emergency_contact is_basic_bed:flag"
            " updated_at:time",
        ),
        _table(
            "care_homes",
            "staff",
            "*staff_no home_no name id_no role qualification qualified_until:date health_cert_until:date on_post:flag",
        ),
        _table("care_homes", "prices", "*home_no *item *filed_on:date monthly_cny:money"),
        _table(
            "care_homes",
            "device_alarms",
            "*alarm_no home_no device_no kind raised_at:time acknowledged_at:time cleared_at:time is_false:flag",
        ),
        _table("care_homes", "device_uptime", "*device_no *on_date:date home_no kind hours_online:number"),
    ]
}


def tables_of(system: str) -> list[Table]:
    """The tables of one system, in order."""
    return [table for table in TABLES.values() if table.system == system]
