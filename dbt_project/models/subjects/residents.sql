{%- set attributes = ['name', 'citizen_no', 'birth_on', 'sex_code', 'home_address', 'town_code', 'phone'] -%}
-- One row per resident: golden attributes with the source each came from, and what the other systems know.
with ranks as (
    {{ survivorship_ranks('resident', attributes) }}
),

ranked as (
    select
        record.*,
        {%- for attribute in attributes %}
        coalesce(ranks.{{ attribute }}_rank, 1000) as {{ attribute }}_rank,
        {%- endfor %}
        num_nonnulls(
            record.name, record.citizen_no, record.birth_on, record.sex_code,
            record.home_address, record.town_code, record.phone
        ) as filled_count
    from {{ ref('int_resident_links') }} as record
    left join ranks on record.source = ranks.source
),

golden as (
    select
        resident_id,
        {%- for attribute in attributes %}
        {{ golden_value(attribute) }} as {{ attribute }},
        {%- endfor %}
        {%- for attribute in attributes if attribute != 'sex_code' %}
        {{ golden_source(attribute) }} as {{ attribute }}_source,
        {%- endfor %}
        bool_or(citizen_no_key is not null) as is_certified,
        count(*)::integer as record_count,
        count(distinct system)::integer as system_count
    from ranked
    group by resident_id
),

-- What civil affairs alone can say; of several register rows the most recent that says it.
registered as (
    select
        link.resident_id,
        {{ latest('person.hukou_address', 'person.updated_at', 'person.person_no') }} as hukou_address,
        {{ latest('person.committee_code', 'person.updated_at', 'person.person_no') }} as committee_code,
        {{ latest('person.marital_status', 'person.updated_at', 'person.person_no') }} as marital_status,
        min(person.died_on) filter (where person.died_on <= {{ business_date() }}) as died_on
    from {{ ref('int_resident_links') }} as link
    inner join {{ ref('stg_civil_affairs__resident') }} as person on link.record_key = person.person_no
    where link.source = 'civil_affairs.residents'
    group by link.resident_id
),

benefits as (
    select
        link.resident_id,
        string_agg(distinct benefit.kind, ',' order by benefit.kind) as benefit_kinds
    from {{ ref('stg_civil_affairs__benefit') }} as benefit
    inner join {{ ref('int_resident_links') }} as link
        on link.source = 'civil_affairs.residents' and benefit.person_no = link.record_key
    where
        benefit.started_on <= {{ business_date() }}
        and (benefit.ended_on is null or benefit.ended_on >= {{ business_date() }})
    group by link.resident_id
),

assessed as (
    select distinct on (link.resident_id)
        link.resident_id,
        assessment.care_level
    from {{ ref('stg_civil_affairs__care_assessment') }} as assessment
    inner join {{ ref('int_resident_links') }} as link
        on link.source = 'civil_affairs.residents' and assessment.person_no = link.record_key
    where
        assessment.assessed_on <= {{ business_date() }}
        and (assessment.valid_until is null or assessment.valid_until >= {{ business_date() }})
    order by link.resident_id, assessment.assessed_on desc, assessment.assessment_no desc
),

staying as (
    select distinct on (link.resident_id)
        link.resident_id,
        stay.home_no,
        stay.care_level
    from {{ ref('stg_care_homes__stay') }} as stay
    inner join {{ ref('int_resident_links') }} as link
        on link.source = 'care_homes.stays' and stay.stay_no = link.record_key
    where {{ in_residence('stay', business_date()) }}
    order by link.resident_id, stay.admitted_on desc, stay.stay_no desc
),

open_cases as (
    select
        reporter_resident_id as resident_id,
        count(*)::integer as open_case_count
    from {{ ref('cases') }}
    where status in ('open', 'disposed') and reporter_resident_id is not null
    group by reporter_resident_id
)

select
    golden.resident_id::text as resident_id,
    golden.name,
    golden.citizen_no,
    golden.sex_code,
    golden.birth_on,
    golden.home_address,
    registered.hukou_address,
    golden.town_code,
    registered.committee_code,
    golden.phone,
    registered.marital_status,
    registered.died_on,
    benefits.benefit_kinds,
    coalesce(assessed.care_level, staying.care_level)::integer as care_level,
    staying.home_no as care_home_no,
    golden.is_certified,
    golden.record_count,
    golden.system_count,
    coalesce(open_cases.open_case_count, 0) as open_case_count,
    golden.name_source,
    golden.citizen_no_source,
    golden.birth_on_source,
    golden.home_address_source,
    golden.town_code_source,
    golden.phone_source
from golden
left join registered on golden.resident_id = registered.resident_id
left join benefits on golden.resident_id = benefits.resident_id
left join assessed on golden.resident_id = assessed.resident_id
left join staying on golden.resident_id = staying.resident_id
left join open_cases on golden.resident_id = open_cases.resident_id
