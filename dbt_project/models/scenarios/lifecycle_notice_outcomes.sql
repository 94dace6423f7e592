-- One row per item of the six doubles that is due by the business date: was it done in time, and in which town.
with register_town as (
    select
        enterprise_id,
        town_code
    from {{ ref('enterprises') }}
)

select
    notice.notice_no,
    notice.double_kind,
    fact.enterprise_id,
    register_town.town_code,
    notice.due_at,
    {{ local_period('notice.due_at') }} as due_period,
    coalesce({{ known('notice.done_at') }} <= notice.due_at, false) as is_done_on_time
from {{ ref('stg_market_supervision__lifecycle_notice') }} as notice
left join {{ ref('int_market_facts') }} as fact
    on fact.table_name = 'lifecycle_notices' and notice.notice_no = fact.record_key
left join register_town on fact.enterprise_id = register_town.enterprise_id
where
    notice.due_at < {{ business_end() }}
    and {{ touched_fact('lifecycle_notices', 'notice.notice_no') }}
