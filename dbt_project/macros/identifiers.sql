{# A certified citizen number in its 18-digit form (GB 11643); null when the number did not certify.
   Certification itself happened at landing; this only brings the written form into one shape. #}
{% macro citizen_no_18(column, grade) -%}
    {%- set clean = "regexp_replace(upper(normalize(" ~ column ~ ", NFKC)), '[^0-9X]', '', 'g')" -%}
    case
        when {{ grade }} <> 'certified' then null
        when {{ column }} ~ '^[0-9]{17}[0-9X]$' then {{ column }}
        when length({{ clean }}) = 18 then {{ clean }}
        when length({{ clean }}) = 15 then {{ citizen_no_from_15(clean) }}
    end
{%- endmacro %}

{# 15 digits: the century goes in after digit 6, the check digit comes after digit 17. #}
{% macro citizen_no_from_15(digits) -%}
    {%- set long = "(left(" ~ digits ~ ", 6) || '19' || right(" ~ digits ~ ", 9))" -%}
    {%- set weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2] -%}
    {{ long }} || substr('10X98765432', 1 + (
        {%- for weight in weights %}
        {{ weight }} * substr({{ long }}, {{ loop.index }}, 1)::integer{{ ' +' if not loop.last }}
        {%- endfor %}
    ) % 11, 1)
{%- endmacro %}
