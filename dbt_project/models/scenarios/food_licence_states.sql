-- Home × month: did the home hold a valid food licence on the month's last day (for the running month:
-- on the business date). A home counts from the month in which it was filed.
with months as (
    select distinct
        period,
        least(period_end_on, {{ business_date() }}) as observed_on
    from {{ ref('indicator_groups') }}
),

food_licences as (
    select
        fact.enterprise_id,
        licence.valid_from,
        licence.valid_until,
        licence.status
    from {{ ref('stg_market_supervision__licence') }} as licence
    inner join {{ ref('int_market_facts') }} as fact
        on fact.table_name = 'licences' and licence.licence_no = fact.record_key
    where licence.kind = 'food'
)

select
    home.home_no,
    home.town_code,
    link.enterprise_id,
    months.period,
    months.observed_on,
    exists(
        select 1
        from food_licences as licence
        where
            licence.enterprise_id = link.enterprise_id
            and {{ licence_in_force('licence', 'months.observed_on') }}
    ) as has_valid_food_licence
from {{ ref('stg_care_homes__institution') }} as home
cross join months
left join {{ ref('int_enterprise_links') }} as link
    on link.source = 'care_homes.institutions' and home.home_no = link.record_key
where home.filed_on is null or home.filed_on <= months.observed_on
