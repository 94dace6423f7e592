{#- event kind, staging model, day, instant (none: the source knows only the day), the event's own record,
    the record whose link tells the resident. -#}
{%- set resident_events = [
    ('died', 'stg_civil_affairs__resident', 'died_on', none, 'civil_affairs', 'residents', 'person_no', 'residents', 'person_no'),
    ('benefit_started', 'stg_civil_affairs__benefit', 'started_on', none, 'civil_affairs', 'benefits', 'grant_no', 'residents', 'person_no'),
    ('benefit_ended', 'stg_civil_affairs__benefit', 'ended_on', none, 'civil_affairs', 'benefits', 'grant_no', 'residents', 'person_no'),
    ('care_assessed', 'stg_civil_affairs__care_assessment', 'assessed_on', none, 'civil_affairs', 'care_assessments', 'assessment_no', 'residents', 'person_no'),
    ('care_assessment_expired', 'stg_civil_affairs__care_assessment', 'valid_until', none, 'civil_affairs', 'care_assessments', 'assessment_no', 'residents', 'person_no'),
    ('qualification_expired', 'stg_care_homes__staff_member', 'qualified_until', none, 'care_homes', 'staff', 'staff_no', 'staff', 'staff_no'),
    ('health_cert_expired', 'stg_care_homes__staff_member', 'health_cert_until', none, 'care_homes', 'staff', 'staff_no', 'staff', 'staff_no'),
    ('admitted', 'stg_care_homes__stay', 'admitted_on', none, 'care_homes', 'stays', 'stay_no', 'stays', 'stay_no'),
    ('discharged', 'stg_care_homes__stay', 'discharged_on', none, 'care_homes', 'stays', 'stay_no', 'stays', 'stay_no'),
    ('case_found', 'stg_urban_management__case', none, 'found_at', 'urban_management', 'cases', 'case_no', 'cases', 'case_no'),
    ('case_disposed', 'stg_urban_management__case', none, 'disposed_at', 'urban_management', 'cases', 'case_no', 'cases', 'case_no'),
    ('case_verified', 'stg_urban_management__case', none, 'verified_at', 'urban_management', 'cases', 'case_no', 'cases', 'case_no'),
    ('case_closed', 'stg_urban_management__case', none, 'closed_at', 'urban_management', 'cases', 'case_no', 'cases', 'case_no'),
] -%}
{#- The last item: is the event's record one that identity resolution has seen, or a market fact. -#}
{%- set enterprise_events = [
    ('established', 'stg_market_supervision__enterprise', 'established_on', none, 'market_supervision', 'enterprises', 'uscc', true),
    ('licence_granted', 'stg_market_supervision__licence', 'valid_from', none, 'market_supervision', 'licences', 'licence_no', false),
    ('licence_expired', 'stg_market_supervision__licence', 'valid_until', none, 'market_supervision', 'licences', 'licence_no', false),
    ('care_home_filed', 'stg_care_homes__institution', 'filed_on', none, 'care_homes', 'institutions', 'home_no', true),
    ('equipment_maintained', 'stg_market_supervision__special_equipment', 'last_maintained_on', none, 'market_supervision', 'special_equipment', 'equipment_no', false),
    ('equipment_due', 'stg_market_supervision__special_equipment', 'next_due_on', none, 'market_supervision', 'special_equipment', 'equipment_no', false),
    ('inspected', 'stg_market_supervision__inspection', 'inspected_on', none, 'market_supervision', 'inspections', 'inspection_no', false),
    ('inspection_published', 'stg_market_supervision__inspection', 'published_on', none, 'market_supervision', 'inspections', 'inspection_no', false),
    ('penalised', 'stg_market_supervision__penalty', 'decided_on', none, 'market_supervision', 'penalties', 'penalty_no', false),
    ('penalty_published', 'stg_market_supervision__penalty', 'published_on', none, 'market_supervision', 'penalties', 'penalty_no', false),
    ('lifecycle_item_sent', 'stg_market_supervision__lifecycle_notice', none, 'sent_at', 'market_supervision', 'lifecycle_notices', 'notice_no', false),
    ('lifecycle_item_done', 'stg_market_supervision__lifecycle_notice', none, 'done_at', 'market_supervision', 'lifecycle_notices', 'notice_no', false),
    ('case_found', 'stg_urban_management__case', none, 'found_at', 'urban_management', 'cases', 'case_no', true),
    ('case_disposed', 'stg_urban_management__case', none, 'disposed_at', 'urban_management', 'cases', 'case_no', true),
    ('case_verified', 'stg_urban_management__case', none, 'verified_at', 'urban_management', 'cases', 'case_no', true),
    ('case_closed', 'stg_urban_management__case', none, 'closed_at', 'urban_management', 'cases', 'case_no', true),
] -%}
-- What happened to each subject, in one list; what lies after the business date is not known yet.
-- Whose records are whose, narrow and once: each kind of event would look through all links by itself.
with residents as materialized (
    select
        resident_id,
        source,
        record_key
    from {{ ref('int_resident_links') }}
    where {{ touched_subject('residents', 'resident_id') }}
),

enterprises as materialized (
    select
        enterprise_id,
        source,
        record_key
    from {{ ref('int_enterprise_links') }}
    where {{ touched_subject('enterprises', 'enterprise_id') }}
),

facts as materialized (
    select
        enterprise_id,
        table_name,
        record_key
    from {{ ref('int_market_facts') }}
    where {{ touched_subject('enterprises', 'enterprise_id') }}
),

happened as (
    {%- for kind, model, day, instant, system, table_name, key, link_table, link_key in resident_events %}
    select
        'resident' as subject_kind,
        link.resident_id as subject_id,
        {{ 'event.' ~ day if day else local_date('event.' ~ instant) }} as on_date,
        {{ 'event.' ~ instant if instant else 'null::timestamptz' }} as at,
        '{{ kind }}' as event_kind,
        '{{ system }}' as system,
        '{{ table_name }}' as table_name,
        event.{{ key }} as record_key
    from {{ ref(model) }} as event
    inner join residents as link
        on link.source = '{{ system }}.{{ link_table }}' and event.{{ link_key }} = link.record_key
    union all
    {%- endfor %}
    {%- for kind, model, day, instant, system, table_name, key, is_record in enterprise_events %}
    {%- set by_record = "link.source = '" ~ system ~ "." ~ table_name ~ "'" %}
    {%- set by_fact = "link.table_name = '" ~ table_name ~ "'" %}
    select
        'enterprise' as subject_kind,
        link.enterprise_id as subject_id,
        {{ 'event.' ~ day if day else local_date('event.' ~ instant) }} as on_date,
        {{ 'event.' ~ instant if instant else 'null::timestamptz' }} as at,
        '{{ kind }}' as event_kind,
        '{{ system }}' as system,
        '{{ table_name }}' as table_name,
        event.{{ key }} as record_key
    from {{ ref(model) }} as event
    inner join {{ 'enterprises' if is_record else 'facts' }} as link
        on {{ by_record if is_record else by_fact }}
        and event.{{ key }} = link.record_key
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
    happened.on_date,
    happened.at,
    happened.event_kind::text as event_kind,
    coalesce(label.zh, happened.event_kind)::text as label_zh,
    coalesce(label.en, happened.event_kind)::text as label_en,
    happened.system::text as system,
    happened.table_name::text as table_name,
    happened.record_key::text as record_key
from happened
left join {{ ref('seed_labels') }} as label on label.kind = 'event_kind' and happened.event_kind = label.code
where happened.on_date <= {{ business_date() }} and happened.subject_id is not null
