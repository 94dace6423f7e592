{# A dated limit from seed_rule_parameters as it stands on the business date. That every parameter named in a model has a
   row from the beginning on is tested over the files: without one the rule would find nothing and say nothing. #}
{% macro rule_parameter(rule, parameter, type='integer') -%}
    (
        select given.value::{{ type }}
        from {{ ref('seed_rule_parameters') }} as given
        where
            given.rule = '{{ rule }}'
            and given.parameter = '{{ parameter }}'
            and given.valid_from <= {{ business_date() }}
        order by given.valid_from desc
        limit 1
    )
{%- endmacro %}
