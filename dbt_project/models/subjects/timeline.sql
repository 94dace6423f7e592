{#- Of each source table the columns that date an event: staging model, system, table, the event's own record, the
    record whose link tells the subject, and per kind what dates it (`day`: the source knows no hour; `instant`). -#}
{%- set case_deadline = 'coalesce(event.extended_to, event.due_at)' -%}
{%- set case_events = [
    ('case_found', 'instant', 'event.found_at'),
    ('case_filed', 'instant', 'event.filed_at'),
    ('case_dispatched', 'instant', 'event.dispatched_at'),
    ('case_contacted', 'instant', 'event.first_contact_at'),
    ('case_overdue', 'instant', overdue('event.disposed_at', case_deadline, 'event.is_valid is not false')),
    ('case_disposed', 'instant', 'event.disposed_at'),
    ('case_verified', 'instant', 'event.verified_at'),
    ('case_closed', 'instant', 'event.closed_at'),
] -%}
{%- set resident_events = [
    ('stg_civil_affairs__resident', 'civil_affairs', 'residents', 'person_no', 'residents', 'person_no', [
        ('died', 'day', 'event.died_on'),
    ]),
    ('stg_civil_affairs__benefit', 'civil_affairs', 'benefits', 'grant_no', 'residents', 'person_no', [
        ('benefit_started', 'day', 'event.started_on'),
        ('benefit_ended', 'day', 'event.ended_on'),
    ]),
    ('stg_civil_affairs__care_assessment', 'civil_affairs', 'care_assessments', 'assessment_no', 'residents', 'person_no', [
        ('care_assessed', 'day', 'event.assessed_on'),
        ('care_assessment_expired', 'day', 'event.valid_until'),
    ]),
    ('stg_care_homes__staff_member', 'care_homes', 'staff', 'staff_no', 'staff', 'staff_no', [
        ('qualification_expired', 'day', 'event.qualified_until'),
        ('health_cert_expired', 'day', 'event.health_cert_until'),
    ]),
    ('stg_care_homes__stay', 'care_homes', 'stays', 'stay_no', 'stays', 'stay_no', [
        ('admitted', 'day', 'event.admitted_on'),
        ('discharged', 'day', 'event.discharged_on'),
    ]),
    ('stg_urban_management__case', 'urban_management', 'cases', 'case_no', 'cases', 'case_no', case_events),
] -%}
{#- Of firms: is the event's record one that identity resolution has seen (link), or a market fact (fact). -#}
{%- set enterprise_events = [
    ('stg_market_supervision__enterprise', 'market_supervision', 'enterprises', 'uscc', 'link', [
        ('established', 'day', 'event.established_on'),
    ]),
    ('stg_market_supervision__licence', 'market_supervision', 'licences', 'licence_no', 'fact', [
        ('licence_granted', 'day', 'event.valid_from'),
        ('licence_expired', 'day', 'event.valid_until'),
    ]),
    ('stg_market_supervision__special_equipment', 'market_supervision', 'special_equipment', 'equipment_no', 'fact', [
        ('equipment_maintained', 'day', 'event.last_maintained_on'),
        ('equipment_due', 'day', 'event.next_due_on'),
    ]),
    ('stg_market_supervision__inspection', 'market_supervision', 'inspections', 'inspection_no', 'fact', [
        ('inspected', 'day', 'event.inspected_on'),
        ('inspection_published', 'day', 'event.published_on'),
    ]),
    ('stg_market_supervision__penalty', 'market_supervision', 'penalties', 'penalty_no', 'fact', [
        ('penalised', 'day', 'event.decided_on'),
        ('penalty_published', 'day', 'event.published_on'),
    ]),
    ('stg_market_supervision__lifecycle_notice', 'market_supervision', 'lifecycle_notices', 'notice_no', 'fact', [
        ('lifecycle_item_sent', 'instant', 'event.sent_at'),
        ('lifecycle_item_overdue', 'instant', overdue('event.done_at', 'event.due_at')),
        ('lifecycle_item_done', 'instant', 'event.done_at'),
    ]),
    ('stg_care_homes__institution', 'care_homes', 'institutions', 'home_no', 'link', [
        ('care_home_filed', 'day', 'event.filed_on'),
    ]),
    ('stg_urban_management__case', 'urban_management', 'cases', 'case_no', 'link', case_events),
] -%}
{#- What happens in a care home happens to the firm that runs it; no alarm names an elder. -#}
{%- set home_events = [
    ('stg_care_homes__price', 'prices', price_key('event'), [
        ('price_filed', 'day', 'event.filed_on'),
    ]),
    ('stg_care_homes__device_alarm', 'device_alarms', 'event.alarm_no', [
        ("'alarm_' || event.kind", 'instant', 'event.raised_at'),
        ('alarm_acknowledged', 'instant', 'event.acknowledged_at'),
        ('alarm_cleared', 'instant', 'event.cleared_at'),
    ]),
] -%}
-- What happened to each subject, in one list; what lies after the business date is not known yet.
-- Whose records are whose, narrow and once: each source table would look through all links by itself. What is restated
-- are the events of touched records, not all years of the subjects they speak of: a busy firm has thousands.
{%- set once = 'not materialized' if restates() else 'materialized' %}
with residents as {{ once }} (
    select
        resident_id as subject_id,
        source,
        record_key
    from {{ ref('int_resident_links') }}
),

enterprises as {{ once }} (
    select
        enterprise_id as subject_id,
        source,
        record_key
    from {{ ref('int_enterprise_links') }}
),

facts as {{ once }} (
    select
        enterprise_id as subject_id,
        'market_supervision.' || table_name as source,
        record_key
    from {{ ref('int_market_facts') }}
),

homes as {{ once }} (
    select
        enterprise_id as subject_id,
        record_key as home_no
    from {{ ref('int_enterprise_links') }}
    where source = 'care_homes.institutions'
),

happened as (
    {%- for model, system, table_name, key, link_table, link_key, events in resident_events %}
    select
        'resident' as subject_kind,
        link.subject_id,
        '{{ system }}' as system,
        '{{ table_name }}' as table_name,
        event.{{ key }} as record_key,
        {{ dated(events) }}
    from {{ ref(model) }} as event
    inner join residents as link
        on link.source = '{{ system }}.{{ link_table }}' and event.{{ link_key }} = link.record_key
    where {{ touched_record(system, table_name, 'event.' ~ key) }}
    union all
    {%- endfor %}
    {%- for model, system, table_name, key, through, events in enterprise_events %}
    select
        'enterprise',
        link.subject_id,
        '{{ system }}',
        '{{ table_name }}',
        event.{{ key }},
        {{ dated(events) }}
    from {{ ref(model) }} as event
    inner join {{ {'link': 'enterprises', 'fact': 'facts'}[through] }} as link
        on link.source = '{{ system }}.{{ table_name }}' and event.{{ key }} = link.record_key
    where {{ touched_record(system, table_name, 'event.' ~ key) }}
    union all
    {%- endfor %}
    {%- for kind, links in [('resident', 'residents'), ('enterprise', 'enterprises')] %}
    select
        '{{ kind }}',
        link.subject_id,
        'urban_management',
        'case_steps',
        concat_ws('|', event.case_no, event.seq),
        event.event_kind,
        null::date,
        event.step_at
    from {{ ref('int_case_events') }} as event
    inner join {{ links }} as link on link.source = 'urban_management.cases' and event.case_no = link.record_key
    where {{ touched_record('urban_management', 'cases', 'event.case_no') }}
    union all
    {%- endfor %}
    {%- for model, table_name, key, events in home_events %}
    select
        'enterprise',
        home.subject_id,
        'care_homes',
        '{{ table_name }}',
        {{ key }},
        {{ dated(events) }}
    from {{ ref(model) }} as event
    inner join homes as home on event.home_no = home.home_no
    where {{ touched_record('care_homes', table_name, key) }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
)

select
    md5(concat_ws(
        '|', happened.subject_kind, happened.subject_id, happened.event_kind,
        happened.system, happened.table_name, happened.record_key
    )) as event_id,
    happened.subject_kind::text as subject_kind,
    happened.subject_id::text as subject_id,
    coalesce(happened.on_date, {{ local_date('happened.at') }}) as on_date,
    happened.at,
    happened.event_kind::text as event_kind,
    coalesce(label.zh, happened.event_kind)::text as label_zh,
    coalesce(label.en, happened.event_kind)::text as label_en,
    happened.system::text as system,
    happened.table_name::text as table_name,
    happened.record_key::text as record_key
from happened
left join {{ ref('seed_labels') }} as label on label.kind = 'event_kind' and happened.event_kind = label.code
where
    (happened.on_date <= {{ business_date() }} or happened.at < {{ business_end() }})
    and happened.subject_id is not null
