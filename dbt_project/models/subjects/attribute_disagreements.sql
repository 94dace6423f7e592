{%- set resident_attributes = [
    'name', 'citizen_no', 'birth_on', 'sex_code', 'home_address', 'hukou_address', 'town_code', 'committee_code', 'phone',
    'marital_status',
] -%}
{%- set civil_affairs_only = ['hukou_address', 'committee_code', 'marital_status'] -%}
{%- set enterprise_attributes = [
    'name', 'uscc', 'registration_no', 'kind', 'status', 'legal_rep_name', 'registered_capital_cny',
    'established_on', 'industry_code', 'address', 'town_code',
] -%}
-- Where the records of one subject contradict each other: every value said, by whom and since when.
-- Values are masked here already: `value_no` tells apart two that look alike behind their masks; 1 is the one shown.
-- Records of a firm that say the same are one row before their attributes are looked at one by one: it may have many.
with of_firms as (
    select
        golden.enterprise_id,
        record.system,
        record.table_name,
        record.name,
        record.enterprise_key,
        record.address,
        record.town_code,
        min(record.record_key) as record_key,
        min({{ local_date('record.updated_at') }}) as said_on,
        count(*)::integer as record_count
    from {{ ref('enterprises') }} as golden
    inner join {{ ref('int_enterprise_links') }} as record on golden.enterprise_id = record.enterprise_id
    where
        golden.disagreement_count > 0
        and {{ touched_subject('enterprises', 'golden.enterprise_id') }}
    group by
        golden.enterprise_id, record.system, record.table_name, record.name, record.enterprise_key, record.address,
        record.town_code,
        case when record.source = 'market_supervision.enterprises' then record.record_key end
),

stated as (
    select
        'resident' as subject_kind,
        golden.resident_id as subject_id,
        record.system,
        record.table_name,
        record.record_key,
        {{ local_date('record.updated_at') }} as said_on,
        1 as record_count,
        unnest(array[
            {%- for attribute in resident_attributes %}
            '{{ attribute }}'{{ ',' if not loop.last }}
            {%- endfor %}
        ]) as attribute,
        unnest(array[
            {%- for attribute in resident_attributes %}
            {{ 'registered' if attribute in civil_affairs_only else 'record' }}.{{ attribute }}::text
            {{- ',' if not loop.last }}
            {%- endfor %}
        ]) as value,
        unnest(array[
            {%- for attribute in resident_attributes %}
            golden.{{ attribute }}::text{{ ',' if not loop.last }}
            {%- endfor %}
        ]) as shown
    from {{ ref('residents') }} as golden
    inner join {{ ref('int_resident_links') }} as record on golden.resident_id = record.resident_id
    left join {{ ref('stg_civil_affairs__resident') }} as registered
        on record.source = 'civil_affairs.residents' and record.record_key = registered.person_no
    where
        golden.disagreement_count > 0
        and {{ touched_subject('residents', 'golden.resident_id') }}
    union all
    select
        'enterprise',
        golden.enterprise_id,
        record.system,
        record.table_name,
        record.record_key,
        record.said_on,
        record.record_count,
        unnest(array[
            {%- for attribute in enterprise_attributes %}
            '{{ attribute }}'{{ ',' if not loop.last }}
            {%- endfor %}
        ]),
        unnest(array[
            {%- for attribute in enterprise_attributes %}
            {%- if attribute == 'uscc' %}
            case when record.enterprise_key not like 'REG%' then record.enterprise_key end
            {%- elif attribute == 'registration_no' %}
            case when record.enterprise_key like 'REG%' then substr(record.enterprise_key, 4) end
            {%- else %}
            {{ 'record' if attribute in ['name', 'address', 'town_code'] else 'registered' }}.{{ attribute }}::text
            {%- endif -%}
            {{ ',' if not loop.last }}
            {%- endfor %}
        ]),
        unnest(array[
            {%- for attribute in enterprise_attributes %}
            golden.{{ attribute }}::text{{ ',' if not loop.last }}
            {%- endfor %}
        ])
    from of_firms as record
    inner join {{ ref('enterprises') }} as golden on record.enterprise_id = golden.enterprise_id
    left join {{ ref('stg_market_supervision__enterprise') }} as registered
        on record.system = 'market_supervision'
        and record.table_name = 'enterprises'
        and record.record_key = registered.uscc
),

said_by as (
    select
        subject_kind,
        subject_id,
        attribute,
        value,
        shown,
        system,
        table_name,
        min(record_key) as record_key,
        sum(record_count)::integer as record_count,
        min(said_on) as since_on
    from stated
    where value is not null
    group by subject_kind, subject_id, attribute, value, shown, system, table_name
),

numbered as (
    select
        said_by.*,
        dense_rank() over (
            partition by said_by.subject_kind, said_by.subject_id, said_by.attribute
            order by said_by.value is distinct from said_by.shown, said_by.value collate "C" -- noqa: RF03
        )::integer as value_no
    from said_by
),

counted as (
    select
        numbered.*,
        max(numbered.value_no) over (
            partition by numbered.subject_kind, numbered.subject_id, numbered.attribute
        ) as value_count
    from numbered
)

select
    counted.subject_kind::text as subject_kind,
    counted.subject_id::text as subject_id,
    counted.attribute::text as attribute,
    counted.value_no,
    case rules.mask
        when 'name' then shared.mask_name(counted.value)
        when 'citizen_no' then shared.mask_citizen_no(counted.value)
        when 'phone' then shared.mask_phone(counted.value)
        when 'address' then shared.mask_address(counted.value)
        when 'birth_on' then left(counted.value, 4)
        when 'none' then counted.value
        else '***'
    end as value_shown,
    counted.value_no = 1 as is_golden,
    counted.system::text as system,
    counted.table_name::text as table_name,
    counted.record_key::text as record_key,
    counted.record_count,
    counted.since_on
from counted
left join {{ ref('seed_survivorship_rules') }} as rules
    on counted.subject_kind = rules.subject_kind and counted.attribute = rules.attribute
where counted.value_count > 1
