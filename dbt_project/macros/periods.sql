{# The business date is an input of the run. Every model that needs "today" takes it from here: from the variable
   business_date, else from the environment. Another value of a variable makes dbt parse everything anew (3 s), and
   so would one in the environment if parsing read it: only what is executed does, so a new day parses nothing. #}
{% macro business_date() -%}
    {%- set given = var('business_date', none) or (env_var('CITYHUB_BUSINESS_DATE', '') if execute else none) -%}
    {%- if execute and not given -%}
        {{ exceptions.raise_compiler_error(
            "The business date is missing. Expected: --vars '{business_date: YYYY-MM-DD}' or CITYHUB_BUSINESS_DATE, "
            ~ "the day the run speaks of."
        ) }}
    {%- endif -%}
    {%- if execute and (given | string).split('-') | map('length') | list != [4, 2, 2] -%}
        {{ exceptions.raise_compiler_error("The business date is '" ~ given ~ "'. Expected: YYYY-MM-DD.") }}
    {%- endif -%}
    date '{{ given or '1970-01-01' }}'
{%- endmacro %}

{# First instant after the business date; what happened at or after it is not known yet. #}
{% macro business_end() -%}
    {{ day_end(business_date()) }}
{%- endmacro %}

{# First instant after a day in the district. #}
{% macro day_end(day) -%}
    (({{ day }} + 1)::timestamp at time zone 'Asia/Shanghai')
{%- endmacro %}

{# First day of the earliest month shown. #}
{% macro window_start() -%}
    (date_trunc('month', {{ business_date() }}::timestamp) - ({{ var('period_months') }} - 1) * interval '1 month')::date
{%- endmacro %}

{# The calendar day in the district of an instant. #}
{% macro local_date(instant) -%}
    ({{ instant }} at time zone 'Asia/Shanghai')::date
{%- endmacro %}

{# 'YYYY-MM' of an instant, by the district's clock. #}
{% macro local_period(instant) -%}
    to_char({{ instant }} at time zone 'Asia/Shanghai', 'YYYY-MM')
{%- endmacro %}

{# An event not later than the business date, otherwise null: a past day can be run again with the same result. #}
{% macro known(instant) -%}
    case when {{ instant }} < {{ business_end() }} then {{ instant }} end
{%- endmacro %}

{# A stay counts on a day from the day of admission up to, not including, the day of discharge. #}
{% macro in_residence(stay, day) -%}
    {{ stay }}.admitted_on <= {{ day }} and ({{ stay }}.discharged_on is null or {{ stay }}.discharged_on > {{ day }})
{%- endmacro %}

{# A licence is in force on a day inside its dates unless it was revoked; 'expired' only repeats the dates.
   The source tells no day of revocation, so a revoked licence counts as never in force. #}
{% macro licence_in_force(licence, day) -%}
    ({{ licence }}.valid_from is null or {{ licence }}.valid_from <= {{ day }})
    and ({{ licence }}.valid_until is null or {{ licence }}.valid_until >= {{ day }})
    and {{ licence }}.status is distinct from 'revoked'
{%- endmacro %}
