{#- Steps that a case's own row tells too, the first time they are taken: action, kind of event, column of the case. -#}
{%- set milestones = [
    ('file', 'case_filed', 'filed_at'),
    ('dispatch', 'case_dispatched', 'dispatched_at'),
    ('contact', 'case_contacted', 'first_contact_at'),
    ('dispose', 'case_disposed', 'disposed_at'),
    ('verify', 'case_verified', 'verified_at'),
    ('close', 'case_closed', 'closed_at'),
] -%}
{#- Steps that only the record of steps tells. An action that is neither is a step like any other. -#}
{%- set steps = [
    ('judge', 'case_judged'),
    ('extend', 'case_extended'),
    ('dissuade', 'case_dissuaded'),
    ('escalate', 'case_escalated'),
    ('joint_visit', 'case_visited'),
    ('meet', 'case_discussed'),
    ('volunteer', 'case_volunteers_came'),
] -%}
-- Steps of cases that concern a subject, as far as the cases themselves do not tell them: repeated ones and the others.
with numbered as (
    select
        step.case_no,
        step.seq,
        step.action,
        step.step_at,
        row_number() over (partition by step.case_no, step.action order by step.seq) as turn,
        told.filed_at,
        told.dispatched_at,
        told.first_contact_at,
        told.disposed_at,
        told.verified_at,
        told.closed_at
    from {{ ref('stg_urban_management__case_step') }} as step
    inner join {{ ref('stg_urban_management__case') }} as told on step.case_no = told.case_no
    where
        (told.reporter_name is not null or told.party_name is not null or told.party_uscc is not null)
        and {{ touched_record('urban_management', 'cases', 'step.case_no') }}
),

named as (
    select
        case_no,
        seq,
        step_at,
        case
            {%- for action, kind, column in milestones %}
            when action = '{{ action }}' and turn > 1 then '{{ kind }}_again'
            when action = '{{ action }}' then case when {{ column }} is null then '{{ kind }}' end
            {%- endfor %}
            {%- for action, kind in steps %}
            when action = '{{ action }}' then '{{ kind }}'
            {%- endfor %}
            else 'case_step'
        end as event_kind
    from numbered
)

select
    case_no,
    seq,
    event_kind,
    step_at
from named
where event_kind is not null
