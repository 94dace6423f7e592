{# Events of one source row side by side, as (event_kind, on_date, at): one look at the row for all of its dates, instead
   of one look at the table for each (cases alone have eight). A kind is a code, or SQL where it begins with a quote. #}
{% macro dated(events) -%}
    (
        values
        {%- for kind, known, value in events %}
        (
            {{ kind if kind.startswith("'") else "'" ~ kind ~ "'" }},
            {{ value if known == 'day' else local_date(value) }},
            {{ value if known == 'instant' else 'null::timestamptz' }}
        ){{ ',' if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}

{# A deadline that went by before the thing was done; null where it was kept. Whether it went by, the business date says. #}
{% macro overdue(done, deadline, and_if='true') -%}
    case when {{ and_if }} and ({{ done }} is null or {{ done }} > {{ deadline }}) then {{ deadline }} end
{%- endmacro %}

{# Keys of records that have several columns: the values joined, as the quarantine writes them. #}
{% macro price_key(alias=none) -%}
    {%- set prefix = alias ~ '.' if alias else '' -%}
    concat_ws('|', {{ prefix }}home_no, {{ prefix }}item, to_char({{ prefix }}filed_on, 'YYYY-MM-DD'))
{%- endmacro %}
