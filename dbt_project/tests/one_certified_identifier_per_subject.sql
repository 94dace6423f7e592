-- Two different certified numbers never share one id. A registration number beside a credit code is one firm's history.
{{ config(group='integration') }}
select resident_id as subject_id
from {{ ref('int_resident_links') }}
group by resident_id
having count(distinct citizen_no_key) > 1
union all
select enterprise_id
from {{ ref('int_enterprise_links') }}
where enterprise_key not like 'REG%'
group by enterprise_id
having count(distinct enterprise_key) > 1
