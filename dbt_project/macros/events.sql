{# Events of one source row, a row each, for a select list: event_kind, on_date where the source knows no hour, at where it
   does. One look at the row for all of its dates, instead of one look at the table for each (cases alone have eight), and
   arrays side by side: joined to a list of values row by row, two million events took four times as long. A kind is a
   code, or SQL where it begins with a quote. #}
{% macro dated(events) -%}
    {%- set days = events | selectattr(1, 'equalto', 'day') | list -%}
    {%- if days and days | length < events | length -%}
        {{ exceptions.raise_compiler_error("Events of one source row are dated by days or by instants, not by both.") }}
    {%- endif -%}
    {%- if events | length == 1 %}
    {%- set kind, known, value = events[0] %}
    {{ kind if kind.startswith("'") else "'" ~ kind ~ "'" }} as event_kind,
    {{ value if days else 'null::date' }} as on_date,
    {{ 'null::timestamptz' if days else value }} as at
    {%- else %}
    unnest(array[
        {%- for kind, known, value in events %}
        {{ kind if kind.startswith("'") else "'" ~ kind ~ "'" }}{{ ',' if not loop.last }}
        {%- endfor %}
    ]) as event_kind,
    {%- set values = events | map(attribute=2) | join(',\n        ') %}
    {% if days -%}
    unnest(array[
        {{ values }}
    ]) as on_date,
    null::timestamptz as at
    {%- else -%}
    null::date as on_date,
    unnest(array[
        {{ values }}
    ]) as at
    {%- endif %}
    {%- endif -%}
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
