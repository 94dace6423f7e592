-- Register rows that tell a death known on the business date, with the resident who died. Two rows may tell one death.
select
    link.resident_id,
    person.died_on,
    'civil_affairs.residents:' || person.person_no as evidence
from {{ ref('stg_civil_affairs__resident') }} as person
inner join {{ ref('int_resident_links') }} as link
    on link.source = 'civil_affairs.residents' and person.person_no = link.record_key
where person.died_on <= {{ business_date() }}
