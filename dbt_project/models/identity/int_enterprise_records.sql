-- One row per record that speaks of a firm, in the shape identity resolution reads.
-- A market fact (licence, inspection, …) speaks through the register row it names; only when the register
-- does not hold that firm is the fact itself a record.
with registered as (
    select * from {{ ref('stg_market_supervision__enterprise') }}
),

market_facts as (
    {%- for table_name, entity, key, role in [
        ('licences', 'licence', 'licence_no', 'licence_holder'),
        ('inspections', 'inspection', 'inspection_no', 'inspected'),
        ('penalties', 'penalty', 'penalty_no', 'penalised'),
        ('special_equipment', 'special_equipment', 'equipment_no', 'equipment_user'),
        ('lifecycle_notices', 'lifecycle_notice', 'notice_no', 'notified'),
    ] %}
    select
        '{{ table_name }}' as table_name,
        {{ key }} as record_key,
        '{{ role }}' as role,
        uscc,
        uscc_key,
        uscc_grade,
        changed_at
    from {{ ref('stg_market_supervision__' ~ entity) }}
    where
        uscc is not null
        and {{ touched_record('market_supervision', table_name, key, 'changed_records') }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

spoken as (
    select
        'market_supervision' as system,
        'enterprises' as table_name,
        uscc as record_key,
        'registered' as role,
        name,
        uscc_key as enterprise_key,
        uscc_grade as enterprise_grade,
        uscc as code,
        legal_rep_name,
        legal_rep_id_no_key as legal_rep_key,
        established_on,
        town_code,
        address,
        updated_at,
        changed_at
    from registered
    where {{ touched_record('market_supervision', 'enterprises', 'uscc', 'changed_records') }}
    union all
    select
        'care_homes',
        'institutions',
        home_no,
        'care_home_operator',
        name,
        uscc_key,
        uscc_grade,
        uscc,
        null,
        null,
        null,
        town_code,
        address,
        null,
        changed_at
    from {{ ref('stg_care_homes__institution') }}
    where {{ touched_record('care_homes', 'institutions', 'home_no', 'changed_records') }}
    union all
    -- The name, address and town of a site are the site's, not its property company's.
    select
        'urban_management',
        'sites',
        site_no,
        'property_company',
        null,
        property_uscc_key,
        property_uscc_grade,
        property_uscc,
        null,
        null,
        null,
        null,
        null,
        null,
        changed_at
    from {{ ref('stg_urban_management__site') }}
    where
        property_uscc is not null
        and {{ touched_record('urban_management', 'sites', 'site_no', 'changed_records') }}
    union all
    select
        'urban_management',
        'cases',
        case_no,
        'party',
        party_name,
        party_uscc_key,
        coalesce(party_uscc_grade, 'missing'),
        party_uscc,
        null,
        null,
        null,
        null,
        null,
        updated_at,
        changed_at
    from {{ ref('stg_urban_management__case') }}
    where
        (party_name is not null or party_uscc is not null)
        and {{ touched_record('urban_management', 'cases', 'case_no', 'changed_records') }}
    union all
    select
        'market_supervision',
        fact.table_name,
        fact.record_key,
        fact.role,
        null,
        fact.uscc_key,
        fact.uscc_grade,
        fact.uscc,
        null,
        null,
        null,
        null,
        null,
        null,
        fact.changed_at
    from market_facts as fact
    where
        not exists (select 1 from registered where registered.uscc = fact.uscc)
        and not exists (select 1 from registered where registered.uscc_key = fact.uscc_key)
)

select
    system::text as system,
    table_name::text as table_name,
    record_key::text as record_key,
    role::text as role,
    name::text as name,
    enterprise_key::text as enterprise_key,
    enterprise_grade::text as enterprise_grade,
    case when enterprise_grade <> 'certified' then code end::text as code_written,
    legal_rep_name::text as legal_rep_name,
    legal_rep_key::text as legal_rep_key,
    established_on::date as established_on,
    town_code::text as town_code,
    address::text as address,
    updated_at::timestamptz as updated_at,
    changed_at::timestamptz as changed_at
from spoken
