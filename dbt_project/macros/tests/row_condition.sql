{# Every row meets the condition; unknown (null) counts as not met. #}
{% test row_condition(model, condition) %}
select 1 as broken
from {{ model }}
where ({{ condition }}) is not true
{% endtest %}
