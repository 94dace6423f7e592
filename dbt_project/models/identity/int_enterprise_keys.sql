-- Which enterprise a certified identifier belongs to: lets a fact that only carries a number find its firm.
select
    enterprise_key,
    min(enterprise_id) as enterprise_id
from {{ ref('int_enterprise_links') }}
where enterprise_key is not null
group by enterprise_key
