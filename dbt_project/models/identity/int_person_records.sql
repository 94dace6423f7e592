-- One row per record that speaks of a person, in the shape identity resolution reads.
with spoken as (
    select
        'civil_affairs' as system,
        'residents' as table_name,
        person_no as record_key,
        'resident' as role,
        name,
        id_no,
        id_no_key as citizen_no_key,
        id_no_grade as citizen_no_grade,
        birth_on,
        sex_code,
        phone,
        home_address,
        town_code,
        committee_code as near_committee_code,
        updated_at,
        changed_at
    from {{ ref('stg_civil_affairs__resident') }}
    where {{ touched_record('civil_affairs', 'residents', 'person_no', 'changed_records') }}
    union all
    select
        'care_homes',
        'stays',
        stay_no,
        'elder',
        name,
        id_no,
        id_no_key,
        id_no_grade,
        birth_on,
        sex_code,
        null,
        null,
        null,
        null,
        updated_at,
        changed_at
    from {{ ref('stg_care_homes__stay') }}
    where {{ touched_record('care_homes', 'stays', 'stay_no', 'changed_records') }}
    union all
    select
        'care_homes',
        'staff',
        staff_no,
        'staff',
        name,
        id_no,
        id_no_key,
        id_no_grade,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        changed_at
    from {{ ref('stg_care_homes__staff_member') }}
    where {{ touched_record('care_homes', 'staff', 'staff_no', 'changed_records') }}
    union all
    select
        'market_supervision',
        'enterprises',
        uscc,
        'legal_representative',
        legal_rep_name,
        legal_rep_id_no,
        legal_rep_id_no_key,
        legal_rep_id_no_grade,
        null,
        null,
        null,
        null,
        null,
        null,
        updated_at,
        changed_at
    from {{ ref('stg_market_supervision__enterprise') }}
    where
        (legal_rep_name is not null or legal_rep_id_no_key is not null)
        and {{ touched_record('market_supervision', 'enterprises', 'uscc', 'changed_records') }}
    union all
    -- Town and committee of a case are where it happened, not where its reporter lives. The committee is evidence for
    -- linkage (most report on their own neighbourhood); the town, by which people are counted, is not told.
    select
        'urban_management',
        'cases',
        case_no,
        'reporter',
        reporter_name,
        null,
        null,
        'missing',
        null,
        null,
        reporter_phone,
        null,
        null,
        committee_code,
        updated_at,
        changed_at
    from {{ ref('stg_urban_management__case') }}
    where
        reporter_name is not null
        and {{ touched_record('urban_management', 'cases', 'case_no', 'changed_records') }}
)

select
    system::text as system,
    table_name::text as table_name,
    record_key::text as record_key,
    role::text as role,
    name::text as name,
    {{ citizen_no_18('id_no', 'citizen_no_grade') }}::text as citizen_no,
    case when citizen_no_grade <> 'certified' then id_no end::text as citizen_no_written,
    citizen_no_key::text as citizen_no_key,
    citizen_no_grade::text as citizen_no_grade,
    birth_on::date as birth_on,
    sex_code::text as sex_code,
    phone::text as phone,
    home_address::text as home_address,
    town_code::text as town_code,
    near_committee_code::text as near_committee_code,
    updated_at::timestamptz as updated_at,
    changed_at::timestamptz as changed_at
from spoken
