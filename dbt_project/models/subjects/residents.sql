{%- set attributes = [
    'name', 'citizen_no', 'birth_on', 'sex_code', 'home_address', 'hukou_address', 'town_code', 'committee_code', 'phone',
    'marital_status',
] -%}
-- One row per resident: golden attributes with the source each came from, and what the other systems know.
with deaths as (
    select
        resident_id,
        min(died_on) as died_on
    from {{ ref('int_deaths') }}
    group by resident_id
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
),

found as (
    select
        subject_id as resident_id,
        count(*)::integer as finding_count
    from {{ ref('findings') }}
    where subject_kind = 'resident'
    group by subject_id
)

select
    golden.resident_id::text as resident_id,
    golden.name,
    golden.citizen_no,
    golden.sex_code,
    golden.birth_on,
    golden.home_address,
    golden.hukou_address,
    golden.town_code,
    golden.committee_code,
    golden.phone,
    golden.marital_status,
    deaths.died_on,
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
    golden.phone_source,
    {%- for attribute in ['sex_code', 'hukou_address', 'committee_code', 'marital_status'] %}
    golden.{{ attribute }}_source,
    {%- endfor %}
    {%- for attribute in attributes %}
    golden.{{ attribute }}_stated_on,
    {%- endfor %}
    golden.disagreement_count,
    coalesce(found.finding_count, 0) as finding_count
from {{ ref('int_resident_golden') }} as golden
left join deaths on golden.resident_id = deaths.resident_id
left join benefits on golden.resident_id = benefits.resident_id
left join assessed on golden.resident_id = assessed.resident_id
left join staying on golden.resident_id = staying.resident_id
left join open_cases on golden.resident_id = open_cases.resident_id
left join found on golden.resident_id = found.resident_id
