{%- set base = ledger_base() -%}
{#- When the marts begin to say something else of a record: table, key, columns of days, columns of instants. -#}
{%- set tables = [
    ('civil_affairs', 'residents', 'person_no', ['died_on', 'birth_on'], []),
    ('civil_affairs', 'benefits', 'grant_no', ['started_on', 'ended_on'], []),
    ('civil_affairs', 'care_assessments', 'assessment_no', ['assessed_on', 'valid_until'], []),
    ('market_supervision', 'enterprises', 'uscc', ['established_on'], []),
    ('market_supervision', 'licences', 'licence_no', ['valid_from', 'valid_until'], []),
    ('market_supervision', 'inspections', 'inspection_no', ['inspected_on', 'published_on'], []),
    ('market_supervision', 'penalties', 'penalty_no', ['decided_on', 'published_on'], []),
    ('market_supervision', 'special_equipment', 'equipment_no', ['last_maintained_on', 'next_due_on'], []),
    ('market_supervision', 'lifecycle_notices', 'notice_no', [], ['sent_at', 'due_at', 'done_at']),
    ('urban_management', 'cases', 'case_no', [], [
        'found_at', 'filed_at', 'dispatched_at', 'first_contact_at', 'due_at', 'extended_to', 'disposed_at',
        'verified_at', 'closed_at',
    ]),
    ('care_homes', 'institutions', 'home_no', ['filed_on'], []),
    ('care_homes', 'stays', 'stay_no', ['birth_on', 'admitted_on', 'discharged_on'], []),
    ('care_homes', 'staff', 'staff_no', ['qualified_until', 'health_cert_until'], []),
    ('care_homes', 'prices', price_key(), ['filed_on'], []),
    ('care_homes', 'device_alarms', 'alarm_no', [], ['raised_at', 'acknowledged_at', 'cleared_at']),
] -%}
{#- Days reckoned from those of a record: rule, parameter and the day it looks back to. -#}
{%- set look_backs = [
    ('civil_affairs', 'residents', 'person_no', 'died_on', [('benefit_after_death', 'payment_run_days')]),
    ('market_supervision', 'inspections', 'inspection_no', 'inspected_on', [
        ('risk', 'look_back_days'), ('many_cases_low_risk', 'look_back_days'),
    ]),
    ('market_supervision', 'penalties', 'penalty_no', 'decided_on', [
        ('risk', 'look_back_days'), ('home_of_troubled_firm', 'look_back_days'),
        ('many_cases_low_risk', 'look_back_days'),
    ]),
    ('urban_management', 'cases', 'case_no', local_date('found_at'), [
        ('risk', 'look_back_days'), ('many_cases_low_risk', 'look_back_days'),
    ]),
] -%}
{%- set facts = ['licences', 'inspections', 'penalties', 'special_equipment', 'lifecycle_notices'] -%}
-- noqa: disable=layout.indent
-- depends_on: {{ ref('seed_rule_parameters') }}
-- Records of which the marts may say something else than the base did: content or link moved, a day of theirs came or
-- went by, or the firm that their number names or the person they are about is another. Too many named costs time, one
-- too few would be wrong.
with moved as (
    select
        system,
        table_name,
        record_key
    from {{ ref('changed_records') }}
    union
    select
        system,
        table_name,
        record_key
    from identity.links
    where {{ 'link_id > ' ~ base['links_through'] if base else 'false' }}
),

-- Numbers that moved records carry now, or carried in the build before.
numbers as (
    select record.enterprise_key
    from {{ ref('int_enterprise_records') }} as record
    inner join moved
        on record.system = moved.system
        and record.table_name = moved.table_name
        and record.record_key = moved.record_key
    {%- if base %}
    union
    select link.enterprise_key
    -- By its name: as the build before has left it.
    from identity.int_enterprise_links as link
    inner join moved
        on link.system = moved.system
        and link.table_name = moved.table_name
        and link.record_key = moved.record_key
    {%- endif %}
),

-- Where nothing has moved, the tables are not looked through for it.
touched as (
    select * from moved
    {%- for table_name in facts %}
    union all
    select
        'market_supervision',
        '{{ table_name }}',
        {{ {'licences': 'licence_no', 'inspections': 'inspection_no', 'penalties': 'penalty_no',
            'special_equipment': 'equipment_no', 'lifecycle_notices': 'notice_no'}[table_name] }}::text
    from {{ source('raw_market_supervision', table_name) }}
    where
        exists (select 1 from moved)
        and (
            _uscc_key in (select numbers.enterprise_key from numbers)
            or uscc in (
                select moved.record_key
                from moved
                where moved.system = 'market_supervision' and moved.table_name = 'enterprises'
            )
        )
    {%- endfor %}
    {%- for table_name, key in [('prices', price_key()), ('device_alarms', 'alarm_no')] %}
    union all
    -- What a home says, another firm's since the home's own record is another's.
    select
        'care_homes',
        '{{ table_name }}',
        {{ key }}::text
    from {{ source('raw_care_homes', table_name) }}
    where
        home_no in (
            select moved.record_key
            from moved
            where moved.system = 'care_homes' and moved.table_name = 'institutions'
        )
    {%- endfor %}
    {%- for table_name, key in [('benefits', 'grant_no'), ('care_assessments', 'assessment_no')] %}
    union all
    select
        'civil_affairs',
        '{{ table_name }}',
        {{ key }}::text
    from {{ source('raw_civil_affairs', table_name) }}
    where
        exists (select 1 from moved)
        and person_no in (
            select moved.record_key
            from moved
            where moved.system = 'civil_affairs' and moved.table_name = 'residents'
        )
    {%- endfor %}
    {%- if days_passed(base) %}
    {%- for system, table_name, key, days, instants in tables %}
    union all
    select
        '{{ system }}',
        '{{ table_name }}',
        {{ key }}::text
    from {{ source('raw_' ~ system, table_name) }}
    where
        false
        {%- for column in days %}
        or {{ column }} between {{ first_day(base) }} and {{ business_date() }}
        {%- endfor %}
        {%- for column in instants %}
        or {{ happened_since(base, column) }}
        {%- endfor %}
    {%- endfor %}
    {%- for system, table_name, key, day, parameters in look_backs %}
    {%- for rule, parameter in parameters %}
    union all
    select
        '{{ system }}',
        '{{ table_name }}',
        {{ key }}::text
    from {{ source('raw_' ~ system, table_name) }}
    where
        {{ day }} between {{ first_day(base) }} - {{ rule_parameter(rule, parameter) }}
        and {{ business_date() }} - {{ rule_parameter(rule, parameter) }}
    {%- endfor %}
    {%- endfor %}
    union all
    -- The days to a licence's expiry are another number every day.
    select
        'market_supervision',
        'licences',
        licence_no::text
    from {{ source('raw_market_supervision', 'licences') }}
    where
        valid_until between {{ first_day(base) }}
        and {{ business_date() }} + {{ rule_parameter('licence_expiry', 'warn_days') }}
    union all
    select
        'urban_management',
        'cases',
        case_no::text
    from {{ source('raw_urban_management', 'case_steps') }}
    where
        {{ happened_since(base, 'at') }}
    {%- endif %}
)

select distinct
    {{ base['id'] if base else 'null' }}::bigint as base_id,
    system,
    table_name,
    record_key
from touched
