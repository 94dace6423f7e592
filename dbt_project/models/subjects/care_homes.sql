-- One row per care home, as of the business date.
with in_residence as (
    select
        stay.home_no,
        count(*)::integer as in_residence_count
    from {{ ref('stg_care_homes__stay') }} as stay
    where {{ in_residence('stay', business_date()) }}
    group by stay.home_no
)

select
    home.home_no::text as home_no,
    link.enterprise_id::text as enterprise_id,
    home.name,
    home.licensed_beds::integer as licensed_beds,
    home.basic_beds::integer as basic_beds,
    home.star::integer as star,
    home.address,
    home.town_code,
    coalesce(in_residence.in_residence_count, 0) as in_residence_count,
    exists(
        select 1
        from {{ ref('stg_market_supervision__licence') }} as licence
        inner join {{ ref('int_market_facts') }} as fact
            on fact.table_name = 'licences' and licence.licence_no = fact.record_key
        where
            fact.enterprise_id = link.enterprise_id
            and licence.kind = 'food'
            and {{ licence_in_force('licence', business_date()) }}
    ) as has_valid_food_licence
from {{ ref('stg_care_homes__institution') }} as home
left join {{ ref('int_enterprise_links') }} as link
    on link.source = 'care_homes.institutions' and home.home_no = link.record_key
left join in_residence on home.home_no = in_residence.home_no
