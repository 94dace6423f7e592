{# What a reader may do with a link of this probability: act on the subject (strict), be served it (normal), or only
   count it (loose). The same thresholds as identity.thresholds, which a test compares. #}
{% macro link_level(probability) -%}
    case
        when {{ probability }} >= {{ rule_parameter('link_level', 'strict', 'double precision') }} then 'strict'
        when {{ probability }} >= {{ rule_parameter('link_level', 'normal', 'double precision') }} then 'normal'
        else 'loose'
    end
{%- endmacro %}

{# The link in force of `record`, to be joined. Where few records are restated each link is looked up (that is what the limit
   is for: it keeps Postgres from reading all links first to find the newest of each record). #}
{% macro link_of_record(subject_kind) -%}
    {%- set links = source('identity', 'current_links') -%}
    {%- if restates() -%}
        lateral (
            select found.*
            from {{ links }} as found
            where
                found.subject_kind = '{{ subject_kind }}'
                and record.system = found.system
                and record.table_name = found.table_name
                and record.record_key = found.record_key
            order by found.link_id desc
            limit 1
        ) as link
        on true
    {%- else -%}
        {{ links }} as link
        on link.subject_kind = '{{ subject_kind }}'
        and record.system = link.system
        and record.table_name = link.table_name
        and record.record_key = link.record_key
    {%- endif -%}
{%- endmacro %}
