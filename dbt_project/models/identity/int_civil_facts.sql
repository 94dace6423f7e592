-- Which person of the register each grant and each assessment is about. The source overwrites it: whom a corrected row
-- was about before, only this table still knows.
{%- set facts = [('benefits', 'benefit', 'grant_no'), ('care_assessments', 'care_assessment', 'assessment_no')] %}
{%- for table_name, entity, key in facts %}
select
    '{{ table_name }}'::text as table_name,
    {{ key }} as record_key,
    person_no
from {{ ref('stg_civil_affairs__' ~ entity) }}
where {{ touched_record('civil_affairs', table_name, key) }}
{%- if not loop.last %}
union all
{%- endif %}
{%- endfor %}
-- depends_on: {{ ledger('departed_subjects') }}
