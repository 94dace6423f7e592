{# Golden attributes: for each attribute the record that speaks best for it, by
     1. the rank of the record's source for this attribute (seed_survivorship; unlisted sources come last),
     2. recency as the source itself states it, 3. completeness of the record, 4. system, table and key, so that ties fall the same way each time.
   Expects rows of `golden_ranked` columns: <attribute>_rank, updated_at, filled_count, source, record_key. #}
{% macro golden_order(attribute) -%}
    order by {{ attribute }}_rank, updated_at desc nulls last, filled_count desc, source, record_key
{%- endmacro %}

{% macro golden_value(attribute) -%}
    (array_agg({{ attribute }} {{ golden_order(attribute) }}) filter (where {{ attribute }} is not null))[1]
{%- endmacro %}

{% macro golden_source(attribute) -%}
    (array_agg(source {{ golden_order(attribute) }}) filter (where {{ attribute }} is not null))[1]
{%- endmacro %}

{# The seed turned sideways: one row per source, one rank column per attribute. #}
{% macro survivorship_ranks(subject_kind, attributes) -%}
    select
        source
        {%- for attribute in attributes %},
        coalesce(min(rank) filter (where attribute = '{{ attribute }}'), 1000) as {{ attribute }}_rank
        {%- endfor %}
    from {{ ref('seed_survivorship') }}
    where subject_kind = '{{ subject_kind }}'
    group by source
{%- endmacro %}

{# The value of the most recent row that has one; the key breaks ties. #}
{% macro latest(column, recency, key) -%}
    (array_agg({{ column }} order by {{ recency }} desc nulls last, {{ key }}) filter (where {{ column }} is not null))[1]
{%- endmacro %}
