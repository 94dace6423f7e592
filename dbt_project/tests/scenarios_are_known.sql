-- A case of a scenario without a row in the seed has no name to be shown by.
{{ config(severity='warn') }}
select distinct known_case.scenario_code
from {{ ref('cases') }} as known_case
left join {{ ref('seed_scenarios') }} as scenario on known_case.scenario_code = scenario.scenario_code
where scenario.scenario_code is null
