-- What only the joined view can see: facts of different systems about one subject that do not go together.
-- One row per kind and subject; its evidence are the records that show it. Limits come from seed_rule_parameters.
with deaths as (
    select
        resident_id,
        min(died_on) as died_on,
        min(evidence) as evidence
    from {{ ref('int_deaths') }}
    where {{ touched_subject('residents', 'resident_id') }}
    group by resident_id
),

stays as (
    select
        link.resident_id,
        stay.home_no,
        stay.admitted_on,
        stay.care_level,
        stay.is_basic_bed,
        'care_homes.stays:' || stay.stay_no as evidence
    from {{ ref('stg_care_homes__stay') }} as stay
    inner join {{ ref('int_resident_links') }} as link
        on link.source = 'care_homes.stays' and stay.stay_no = link.record_key
    where
        {{ in_residence('stay', business_date()) }}
        and {{ touched_subject('residents', 'link.resident_id') }}
),

grants as (
    select
        link.resident_id,
        benefit.kind,
        benefit.started_on,
        coalesce(benefit.ended_on >= {{ business_date() }}, true) as is_in_force,
        least(benefit.ended_on, {{ business_date() }}) as last_paid_on,
        'civil_affairs.benefits:' || benefit.grant_no as evidence
    from {{ ref('stg_civil_affairs__benefit') }} as benefit
    inner join {{ ref('int_resident_links') }} as link
        on link.source = 'civil_affairs.residents' and benefit.person_no = link.record_key
    where
        benefit.started_on <= {{ business_date() }}
        and {{ touched_subject('residents', 'link.resident_id') }}
),

penalties as (
    select
        fact.enterprise_id,
        penalty.decided_on,
        'market_supervision.penalties:' || penalty.penalty_no as evidence
    from {{ ref('stg_market_supervision__penalty') }} as penalty
    inner join {{ ref('int_market_facts') }} as fact
        on fact.table_name = 'penalties' and penalty.penalty_no = fact.record_key
    where
        penalty.decided_on <= {{ business_date() }}
        and {{ touched_subject('enterprises', 'fact.enterprise_id') }}
),

homes as (
    select
        home_no,
        enterprise_id,
        has_valid_food_licence,
        'care_homes.institutions:' || home_no as evidence
    from {{ ref('care_homes') }}
    where
        enterprise_id is not null
        and {{ touched_subject('enterprises', 'enterprise_id') }}
),

doubled as (
    select
        stays.*,
        row_number() over (partition by stays.resident_id order by stays.admitted_on, stays.evidence) as nth,
        count(*) over (partition by stays.resident_id) as stay_count
    from stays
),

troubles as (
    select
        enterprise_id,
        -- The register says that the status is so, not since when.
        null::date as holds_from,
        status_source || ':' || status_record_key as evidence
    from {{ ref('int_enterprise_golden') }}
    where
        status in ('abnormal', 'revoked')
        and {{ touched_subject('enterprises', 'enterprise_id') }}
    union all
    select
        enterprise_id,
        decided_on as holds_from,
        evidence
    from penalties
    where decided_on > {{ business_date() }} - {{ rule_parameter('home_of_troubled_firm', 'look_back_days') }}
),

-- The last food licence that ran out.
lapsed as (
    select distinct on (fact.enterprise_id)
        fact.enterprise_id,
        licence.valid_until,
        'market_supervision.licences:' || licence.licence_no as evidence
    from {{ ref('stg_market_supervision__licence') }} as licence
    inner join {{ ref('int_market_facts') }} as fact
        on fact.table_name = 'licences' and licence.licence_no = fact.record_key
    where
        licence.kind = 'food'
        and licence.valid_until < {{ business_date() }}
        and {{ touched_subject('enterprises', 'fact.enterprise_id') }}
    order by fact.enterprise_id, licence.valid_until desc, licence.licence_no
),

noisy as (
    select
        party_enterprise_id,
        'urban_management.cases:' || case_no as evidence,
        {{ local_date('found_at') }} as found_on,
        row_number() over (partition by party_enterprise_id order by found_at, case_no) as nth,
        count(*) over (partition by party_enterprise_id) as case_count
    from {{ ref('cases') }}
    where
        is_valid
        and party_enterprise_id is not null
        and {{ touched_subject('enterprises', 'party_enterprise_id') }}
        and {{ local_date('found_at') }}
        > {{ business_date() }} - {{ rule_parameter('many_cases_low_risk', 'look_back_days') }}
),

-- Firms with a penalty or a failed inspection in the look-back: not of low risk.
blemished as (
    select enterprise_id
    from penalties
    where decided_on > {{ business_date() }} - {{ rule_parameter('many_cases_low_risk', 'look_back_days') }}
    union
    select fact.enterprise_id
    from {{ ref('stg_market_supervision__inspection') }} as inspection
    inner join {{ ref('int_market_facts') }} as fact
        on fact.table_name = 'inspections' and inspection.inspection_no = fact.record_key
    where
        inspection.result = 'fail'
        and {{ touched_subject('enterprises', 'fact.enterprise_id') }}
        and inspection.inspected_on <= {{ business_date() }}
        and inspection.inspected_on
        > {{ business_date() }} - {{ rule_parameter('many_cases_low_risk', 'look_back_days') }}
),

-- Of every finding: the facts it rests on, one row each. `holds_from` is null where the source does not say when.
shown as (
    select
        'dead_in_bed' as kind,
        stays.resident_id as subject_id,
        'care_home' as other_kind,
        stays.home_no as other_id,
        greatest(deaths.died_on, stays.admitted_on) as holds_from,
        unnest(array[deaths.evidence, stays.evidence]) as evidence
    from stays
    inner join deaths on stays.resident_id = deaths.resident_id
    union all
    select
        'benefit_after_death',
        grants.resident_id,
        null,
        null,
        greatest(
            deaths.died_on + {{ rule_parameter('benefit_after_death', 'payment_run_days') }} + 1, grants.started_on
        ),
        unnest(array[deaths.evidence, grants.evidence])
    from grants
    inner join deaths on grants.resident_id = deaths.resident_id
    where
        grants.last_paid_on
        > deaths.died_on + {{ rule_parameter('benefit_after_death', 'payment_run_days') }}
    union all
    select
        'allowance_with_capital',
        grants.resident_id,
        'enterprise',
        firm.enterprise_id,
        greatest(grants.started_on, firm.established_on),
        unnest(array[grants.evidence, firm.legal_rep_name_source || ':' || firm.legal_rep_name_record_key])
    from grants
    inner join {{ ref('int_enterprise_golden') }} as firm on grants.resident_id = firm.legal_rep_resident_id
    left join deaths on grants.resident_id = deaths.resident_id
    where
        grants.is_in_force
        and grants.kind = {{ rule_parameter('allowance_with_capital', 'benefit_kind', 'text') }}
        and firm.status = 'active'
        and firm.registered_capital_cny >= {{ rule_parameter('allowance_with_capital', 'capital_cny', 'numeric') }}
        and deaths.resident_id is null
    union all
    select
        'two_beds',
        doubled.resident_id,
        'care_home',
        doubled.home_no,
        -- From the second admission on.
        case when doubled.nth = 2 then doubled.admitted_on end,
        doubled.evidence
    from doubled
    where doubled.stay_count > 1
    union all
    select
        'staff_without_papers',
        link.resident_id,
        'care_home',
        staff.home_no,
        least(staff.qualified_until, staff.health_cert_until) + 1,
        'care_homes.staff:' || staff.staff_no
    from {{ ref('stg_care_homes__staff_member') }} as staff
    inner join {{ ref('int_resident_links') }} as link
        on link.source = 'care_homes.staff' and staff.staff_no = link.record_key
    where
        staff.on_post
        and least(staff.qualified_until, staff.health_cert_until) < {{ business_date() }}
        and {{ touched_subject('residents', 'link.resident_id') }}
    union all
    select
        'basic_bed_not_entitled',
        stays.resident_id,
        'care_home',
        stays.home_no,
        stays.admitted_on,
        stays.evidence
    from stays
    where
        stays.is_basic_bed
        and stays.care_level < {{ rule_parameter('basic_bed_not_entitled', 'entitled_level') }}
        and not exists (
            select 1
            from grants
            where
                grants.resident_id = stays.resident_id
                and grants.is_in_force
                and grants.kind = any(
                    string_to_array({{ rule_parameter('basic_bed_not_entitled', 'entitling_benefits', 'text') }}, ',')
                )
        )
    union all
    select
        'home_of_troubled_firm',
        homes.enterprise_id,
        'care_home',
        homes.home_no,
        trouble.holds_from,
        unnest(array[homes.evidence, trouble.evidence])
    from homes
    inner join troubles as trouble on homes.enterprise_id = trouble.enterprise_id
    union all
    select
        'home_without_food_licence',
        homes.enterprise_id,
        'care_home',
        homes.home_no,
        lapsed.valid_until + 1,
        unnest(array_remove(array[homes.evidence, lapsed.evidence], null))
    from homes
    left join lapsed on homes.enterprise_id = lapsed.enterprise_id
    where not homes.has_valid_food_licence
    union all
    select
        'many_cases_low_risk',
        noisy.party_enterprise_id,
        null,
        null,
        -- From the case on that made them many.
        case when noisy.nth = {{ rule_parameter('many_cases_low_risk', 'case_count') }} then noisy.found_on end,
        noisy.evidence
    from noisy
    inner join {{ ref('int_enterprise_golden') }} as firm on noisy.party_enterprise_id = firm.enterprise_id
    where
        firm.status = 'active'
        and noisy.case_count >= {{ rule_parameter('many_cases_low_risk', 'case_count') }}
        and not exists (
            select 1
            from blemished
            where blemished.enterprise_id = firm.enterprise_id
        )
)

select
    md5(shown.kind || '|' || shown.subject_id) as finding_id,
    shown.kind::text as kind,
    definition.subject_kind::text as subject_kind,
    shown.subject_id::text as subject_id,
    min(shown.other_kind)::text as other_kind,
    min(shown.other_id)::text as other_id,
    min(shown.holds_from) as since_on,
    string_agg(distinct shown.evidence, ',' order by shown.evidence) as evidence,
    definition.name_zh::text as label_zh,
    definition.name_en::text as label_en,
    definition.severity::text as severity,
    definition.owner_department::text as owner_department
from shown
inner join {{ ref('seed_finding_kinds') }} as definition on shown.kind = definition.kind
group by
    shown.kind, shown.subject_id, definition.subject_kind, definition.name_zh, definition.name_en, definition.severity,
    definition.owner_department
