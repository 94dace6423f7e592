-- Where the living live, in one form for all spellings of an address: who shares a form is one household.
select
    golden.resident_id,
    {{ address_key('golden.home_address') }} as address_key
from {{ ref('int_resident_golden') }} as golden
where
    golden.home_address is not null
    and not exists (
        select 1
        from {{ ref('int_deaths') }} as death
        where death.resident_id = golden.resident_id
    )
    and {{ touched_subject('residents', 'golden.resident_id') }}
    -- depends_on: {{ ledger('departed_addresses') }}
