{# What a reader may do with a link of this probability: act on the subject (strict), be served it (normal), or only
   count it (loose). The same thresholds as identity.thresholds, which a test compares. #}
{% macro link_level(probability) -%}
    case
        when {{ probability }} >= {{ rule_parameter('link_level', 'strict', 'double precision') }} then 'strict'
        when {{ probability }} >= {{ rule_parameter('link_level', 'normal', 'double precision') }} then 'normal'
        else 'loose'
    end
{%- endmacro %}
