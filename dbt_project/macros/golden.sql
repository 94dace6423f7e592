{# The golden record: for each attribute the record that speaks best for it.

   Four rules are weighed in the order that seed_survivorship_rules declares for the attribute:
     validity      what fits the declared pattern and bounds, before what does not,
     authority     the rank of the record's source for this attribute (seed_survivorship; unlisted sources come last),
     recency       as the source itself states it, what is undated last,
     completeness  the fuller record.
   What is still equal falls by system, table and key, so that ties fall the same way each time.

   Each record gets one number per attribute (<attribute>_order), the smallest of a subject wins. A rule has three digits,
   the tie six: 4 × 3 + 6 = 18 digits fit a bigint, and one sort of a subject's records serves all attributes.
   A subject of one record needs no rules: set apart, 436,000 records of 313,500 residents take 10 s on two busy cores,
   together 12 to 21 s; sorting inside the aggregates, once per attribute and thing said of it, 16 s.

   Records of one source that say the same of every attribute are one statement, told by the newest of them: it wins
   against the others anyway, and the places it takes from them keep their order. A busy firm has thousands of cases that
   say its name and code in a handful of ways. #}

{# The seeds turned sideways: one row per source, one rank column per attribute, … #}
{% macro survivorship_ranks(subject_kind, attributes) -%}
    select
        source
        {%- for attribute in attributes %},
        coalesce(min(rank) filter (where attribute = '{{ attribute }}'), 999) as {{ attribute }}_rank
        {%- endfor %}
    from {{ ref('seed_survivorship') }}
    where subject_kind = '{{ subject_kind }}'
    group by source
{%- endmacro %}

{# … and one row of each attribute's rules: the weight of every rule, and what makes a value valid. #}
{% macro survivorship_rules(subject_kind, attributes) -%}
    select
        {%- for attribute in attributes %}
        {%- set of_attribute = "filter (where attribute = '" ~ attribute ~ "')" %}
        {%- for rule in ['validity', 'authority', 'recency', 'completeness'] %}
        -- A power of ten, exact as a bigint.
        (10 ^ (6 + 3 * (4 - coalesce(min({{ rule }}_place) {{ of_attribute }}, {{ loop.index }}))))::bigint
            as {{ attribute }}_{{ rule }}_weight,
        {%- endfor %}
        min(valid_pattern) {{ of_attribute }} as {{ attribute }}_pattern,
        min(valid_from) {{ of_attribute }} as {{ attribute }}_from{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('seed_survivorship_rules') }}
    where subject_kind = '{{ subject_kind }}'
{%- endmacro %}

{# Whether a value is what its attribute's rule calls valid. Dates lie between their earliest day and the business date. #}
{% macro is_valid(attribute) -%}
    {%- if attribute.endswith('_on') -%}
    ((rules.{{ attribute }}_from is null or {{ attribute }} >= rules.{{ attribute }}_from) and {{ attribute }} <= {{ business_date() }})
    {%- else -%}
    (rules.{{ attribute }}_pattern is null or {{ attribute }}::text ~ rules.{{ attribute }}_pattern)
    {%- endif -%}
{%- endmacro %}

{# Expects `spoken`, one row per statement, that is per record or per records that say the same: <id>, source, system,
   record_key, certified_key, updated_at, probability, record_count and the attributes; the CTEs `ranks` and `rules`; and
   `statements`, any relation with a row per statement by which those of several are found. `spoken` is read twice and must
   not be materialized. Who has several statements is found beforehand: when the number was counted beside each record,
   Postgres took those of one record for few and went through them in a nested loop.
   Gives the CTE `golden`, one row per subject. #}
{% macro golden_steps(id, statements, attributes, condition='true') -%}
several as materialized (
    select {{ id }}
    from {{ statements }}
    where {{ condition }}
    group by {{ id }}
    having count(*) > 1
),

placed as (
    select
        spoken.*,
        dense_rank() over (partition by spoken.{{ id }} order by spoken.updated_at desc nulls last) as recency,
        row_number() over (
            partition by spoken.{{ id }} order by spoken.updated_at desc nulls last, spoken.source, spoken.record_key
        ) as tie,
        num_nonnulls({{ attributes | join(', ') }}) as filled_count
    from spoken
    inner join several on spoken.{{ id }} = several.{{ id }}
),

scored as (
    select
        placed.*,
        {%- for attribute in attributes %}
        case
            when placed.{{ attribute }} is not null
                then
                    case when {{ is_valid(attribute) }} then 0 else 1 end * rules.{{ attribute }}_validity_weight
                    + least(coalesce(ranks.{{ attribute }}_rank, 999), 999) * rules.{{ attribute }}_authority_weight
                    + least(placed.recency, 999) * rules.{{ attribute }}_recency_weight
                    + (99 - placed.filled_count) * rules.{{ attribute }}_completeness_weight
                    + least(placed.tie, 999999)
        end as {{ attribute }}_order{{ ',' if not loop.last }}
        {%- endfor %}
    from placed
    cross join rules
    left join ranks on placed.source = ranks.source
),

best as (
    select
        scored.*,
        {%- for attribute in attributes %}
        min({{ attribute }}_order) over (partition by {{ id }}) as {{ attribute }}_best{{ ',' if not loop.last }}
        {%- endfor %}
    from scored
),

golden as (
    select
        {{ id }},
        {%- for attribute in attributes %}
        {{ golden_value(attribute) }} as {{ attribute }},
        {{ golden_value(attribute, 'source') }} as {{ attribute }}_source,
        {{ golden_value(attribute, 'record_key') }} as {{ attribute }}_record_key,
        {{ golden_value(attribute, local_date('updated_at')) }} as {{ attribute }}_stated_on,
        {%- endfor %}
        bool_or(certified_key is not null) as is_certified,
        sum(record_count)::integer as record_count,
        count(distinct system)::integer as system_count,
        min(probability) as link_probability,
        {{ disagreement_count(attributes) }}::integer as disagreement_count
    from best
    group by {{ id }}
    union all
    select
        {{ id }},
        {%- for attribute in attributes %}
        {{ attribute }},
        case when {{ attribute }} is not null then source end,
        case when {{ attribute }} is not null then record_key end,
        case when {{ attribute }} is not null then {{ local_date('updated_at') }} end,
        {%- endfor %}
        certified_key is not null,
        record_count,
        1,
        probability,
        0
    from spoken
    where not exists (
        select 1
        from several
        where several.{{ id }} = spoken.{{ id }}
    )
)
{%- endmacro %}

{# What the winning record says of an attribute: its value, or something else about that record. #}
{% macro golden_value(attribute, said=none) -%}
    max({{ said or attribute }}) filter (where {{ attribute }}_order = {{ attribute }}_best)
{%- endmacro %}

{# On how many attributes a subject's records contradict each other. #}
{% macro disagreement_count(attributes) -%}
    (
        {%- for attribute in attributes %}
        {%- set value = attribute if attribute.endswith(('_on', '_cny')) else attribute ~ ' collate "C"' %}
        case when min({{ value }}) <> max({{ value }}) then 1 else 0 end{{ ' +' if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}

{# The value of the most recent row that has one; the key breaks ties. #}
{% macro latest(column, recency, key) -%}
    (array_agg({{ column }} order by {{ recency }} desc nulls last, {{ key }}) filter (where {{ column }} is not null))[1]
{%- endmacro %}
