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
    where {{ touched_subject('households', 'resident_id') }}
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
        and {{ touched_subject('households', 'link.resident_id') }}
    group by link.resident_id
),

assessed as (
    select distinct on (link.resident_id)
        link.resident_id,
        assessment.care_level,
        assessment.valid_until
    from {{ ref('stg_civil_affairs__care_assessment') }} as assessment
    inner join {{ ref('int_resident_links') }} as link
        on link.source = 'civil_affairs.residents' and assessment.person_no = link.record_key
    where
        assessment.assessed_on <= {{ business_date() }}
        and (assessment.valid_until is null or assessment.valid_until >= {{ business_date() }})
        and {{ touched_subject('households', 'link.resident_id') }}
    order by link.resident_id, assessment.assessed_on desc, assessment.assessment_no desc
),

staying as (
    select distinct on (link.resident_id)
        link.resident_id,
        stay.home_no,
        stay.bed_no,
        stay.admitted_on,
        stay.is_basic_bed,
        stay.care_level
    from {{ ref('stg_care_homes__stay') }} as stay
    inner join {{ ref('int_resident_links') }} as link
        on link.source = 'care_homes.stays' and stay.stay_no = link.record_key
    where
        {{ in_residence('stay', business_date()) }}
        and {{ touched_subject('households', 'link.resident_id') }}
    order by link.resident_id, stay.admitted_on desc, stay.stay_no desc
),

open_cases as (
    select
        reporter_resident_id as resident_id,
        count(*)::integer as open_case_count
    from {{ ref('cases') }}
    where
        status in ('open', 'disposed')
        and reporter_resident_id is not null
        and {{ touched_subject('households', 'reporter_resident_id') }}
    group by reporter_resident_id
),

representing as (
    select
        legal_rep_resident_id as resident_id,
        count(*)::integer as legal_rep_count
    from {{ ref('int_enterprise_golden') }}
    where
        legal_rep_resident_id is not null
        and status is distinct from 'cancelled'
        and {{ touched_subject('households', 'legal_rep_resident_id') }}
    group by legal_rep_resident_id
),

working as (
    select
        link.resident_id,
        min(staff.home_no) as works_at_home_no
    from {{ ref('stg_care_homes__staff_member') }} as staff
    inner join {{ ref('int_resident_links') }} as link
        on link.source = 'care_homes.staff' and staff.staff_no = link.record_key
    where
        staff.on_post
        and {{ touched_subject('households', 'link.resident_id') }}
    group by link.resident_id
),

found as (
    select
        subject_id as resident_id,
        count(*)::integer as finding_count,
        string_agg(kind, ',' order by kind) as finding_kinds
    from {{ ref('findings') }}
    where
        subject_kind = 'resident'
        and {{ touched_subject('households', 'subject_id') }}
    group by subject_id
),

-- The living at one address, however it is spelled.
households as (
    select
        address_key,
        min(resident_id) as first_resident_id,
        count(*)::integer as household_size
    from {{ ref('int_resident_addresses') }}
    where {{ touched_address('address_key') }}
    group by address_key
),

golden as (
    select
        subject.*,
        deaths.died_on,
        -- Beyond that size it is a collective household or a whole building.
        case
            when households.household_size <= {{ rule_parameter('household', 'largest_size') }}
                then households.first_resident_id
        end as household_id,
        case
            when households.household_size <= {{ rule_parameter('household', 'largest_size') }}
                then households.household_size
        end as household_size
    from {{ ref('int_resident_golden') }} as subject
    left join deaths on subject.resident_id = deaths.resident_id
    left join {{ ref('int_resident_addresses') }} as home on subject.resident_id = home.resident_id
    left join households on home.address_key = households.address_key
    where {{ touched_subject('households', 'subject.resident_id') }}
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
    golden.died_on,
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
    coalesce(found.finding_count, 0) as finding_count,
    found.finding_kinds,
    golden.died_on is not null as is_deceased,
    golden.household_id::text as household_id,
    golden.household_size,
    case
        when assessed.care_level is not null then 'civil_affairs.care_assessments'
        when staying.care_level is not null then 'care_homes.stays'
    end as care_level_source,
    assessed.valid_until as care_level_until_on,
    staying.bed_no,
    staying.admitted_on as stay_since_on,
    staying.is_basic_bed as is_in_basic_bed,
    coalesce(representing.legal_rep_count, 0) as legal_rep_count,
    working.works_at_home_no,
    {{ link_level('golden.link_probability') }} as link_level,
    golden.link_probability
from golden
left join benefits on golden.resident_id = benefits.resident_id
left join assessed on golden.resident_id = assessed.resident_id
left join staying on golden.resident_id = staying.resident_id
left join open_cases on golden.resident_id = open_cases.resident_id
left join found on golden.resident_id = found.resident_id
left join representing on golden.resident_id = representing.resident_id
left join working on golden.resident_id = working.resident_id
