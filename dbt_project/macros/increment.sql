{# Cost follows change: the big models are restated for what was touched since the build that readers see.

   ops.mart_builds says what a build adds to (its base: the last published build) and what that one had seen. Ledgers name
   what was touched since; they accumulate until a build is published, so that a build that was killed or refused leaves
   its rows named for the next one. A model deletes the rows of what is named (incremental_predicates) and inserts them
   anew (touched_…). Without a build of a run, that is in dbt called by hand, everything is built whole. #}

{# The build under way: the newest one, not yet published, and the one that a run has told dbt of. #}
{% macro open_build() -%}
    {%- set build_id = env_var('CITYHUB_MART_BUILD', '') if execute else '' -%}
    {%- if not build_id -%}{{ return(none) }}{%- endif -%}
    {%- set found = run_query(
        "select build_id, base_id from ops.mart_builds where published_at is null"
        ~ " and build_id = (select max(build_id) from ops.mart_builds) and build_id = " ~ (build_id | int)
    ).rows -%}
    {{ return(found[0] if found else none) }}
{%- endmacro %}

{# What this build adds to; none where it is built whole. #}
{% macro mart_base() -%}
    {%- set build = open_build() -%}
    {%- if build is none or build['base_id'] is none -%}{{ return(none) }}{%- endif -%}
    {%- set base = run_query(
        "select build_id, business_date::text as from_on, batches::text as batches, links_through"
        ~ " from ops.mart_builds where build_id = " ~ (build['base_id'] | int)
    ).rows[0] -%}
    {{ return({
        'id': base['build_id'] | int,
        'from_on': base['from_on'],
        'batches': fromjson(base['batches']),
        'links_through': base['links_through'] | int,
    }) }}
{%- endmacro %}

{# dbt's own question, answered by the ledger of builds too. #}
{% macro should_full_refresh() -%}
    {%- set told = config.get('full_refresh') -%}
    {%- if told is none -%}
        {%- set told = flags.FULL_REFRESH or (model.config.materialized == 'incremental' and mart_base() is none) -%}
    {%- endif -%}
    {{ return(told) }}
{%- endmacro %}

{# Tables built by hand are nothing that an increment could add to: the next run builds them whole. #}
{% macro note_build_by_hand() -%}
    {%- if execute and flags.WHICH in ('build', 'run') and open_build() is none -%}
        insert into ops.mart_builds (run_id, why_whole) values ('dbt', 'built by hand');
    {%- endif -%}
{%- endmacro %}

{# How a model is restated: of what it says of the touched, rows that are selected anew as they stand stay, the others go,
   and what is selected beside them comes. Most of what is touched turns out to say what it said: replaced, it would cost
   each index an entry and the publisher a row. A condition may speak of :based_on, the business date of the base, and of
   :window_start, the first day shown. #}
{% macro get_incremental_touched_sql(given) -%}
    {%- set columns = given['dest_columns'] | map(attribute='quoted') | list -%}
    {%- set key = row_key() -%}
    {%- set standing = adapter.quote('standing__' ~ model['name']) -%}
    create temporary table {{ standing }} on commit drop as
    select
        there.tid,
        {%- for name in key %}
        there.{{ name }},
        {%- endfor %}
        selected.{{ key[0] }} is not null as stays
    from (
        select
            ctid as tid,
            {{ columns | join(', ') }}
        from {{ given['target_relation'] }}
        where {{ given['incremental_predicates'] | join(' and ')
            | replace(':based_on', first_day(mart_base())) | replace(':window_start', window_start()) }}
    ) as there
    left join {{ given['temp_relation'] }} as selected
        on {% for name in key %}there.{{ name }} = selected.{{ name }} and {% endfor %}
        ({% for name in columns %}there.{{ name }}{{ ', ' if not loop.last }}{% endfor %})
        is not distinct from
        ({% for name in columns %}selected.{{ name }}{{ ', ' if not loop.last }}{% endfor %});
    delete from {{ given['target_relation'] }}
    where ctid = any(array(select standing.tid from {{ standing }} as standing where not standing.stays));
    insert into {{ given['target_relation'] }} ({{ columns | join(', ') }})
    select {{ columns | join(', ') }}
    from {{ given['temp_relation'] }} as selected
    where
        not exists (
            select 1
            from {{ standing }} as standing
            where
                standing.stays
                {%- for name in key %}
                and standing.{{ name }} = selected.{{ name }}
                {%- endfor %}
        )
{%- endmacro %}

{# The columns that tell a row of the model from every other: its primary key, or what it is configured to be told by. #}
{% macro row_key() -%}
    {%- set keys = model['constraints'] | selectattr('type', 'equalto', 'primary_key') | map(attribute='columns') | list -%}
    {%- set key = keys[0] if keys else config.get('unique_key') -%}
    {%- if not key -%}
        {{ exceptions.raise_compiler_error(
            "The model " ~ model['name'] ~ " does not say what tells its rows apart. Expected: a primary key, or unique_key"
        ) }}
    {%- endif -%}
    {{ return(key if key is not string else [key]) }}
{%- endmacro %}

{# How a ledger is kept: what was named since another base goes, what is not yet named comes. #}
{% macro get_incremental_accumulate_sql(given) -%}
    {%- set columns = given['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    delete from {{ given['target_relation'] }}
    where base_id <> {{ mart_base()['id'] }};
    insert into {{ given['target_relation'] }} ({{ columns }})
    select {{ columns }}
    from {{ given['temp_relation'] }}
    except
    select {{ columns }}
    from {{ given['target_relation'] }}
{%- endmacro %}

{# Of a ledger's model: the base it speaks of, none in a whole build, in which nothing has to be named. #}
{% macro ledger_base() -%}
    {%- set base = mart_base() if execute and model.config.materialized != 'unit' else none -%}
    {%- if base is not none and not is_incremental() -%}
        {{ exceptions.raise_compiler_error(
            "The ledger " ~ this ~ " is not there. Expected: the one that the last whole build made. "
            ~ "Build everything whole: cityhub run --full"
        ) }}
    {%- endif -%}
    {{ return(base) }}
{%- endmacro %}

{# A ledger to follow in the order of building. Unit tests build whole and know no ledger. #}
{% macro ledger(name) -%}
    {%- if model is not defined or model.config.materialized != 'unit' -%}{{ return(ref(name)) }}{%- endif -%}
{%- endmacro %}

{# Whether the model is restated for what was touched. Unit tests build whole, and stand in no database. #}
{% macro restates() -%}
    {{ return((model is not defined or model.config.materialized != 'unit') and is_incremental()) }}
{%- endmacro %}

{# Conditions of the models: the row is of a touched subject, or of a touched record; true in a whole build. #}
{% macro touched_subject(name, column) -%}
    {%- set named = ledger('touched_' ~ name) -%}
    {%- if restates() -%}
        {{ column }} in (select ledger.subject_id from {{ named }} as ledger)
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}

{# The address is that of a resident whose row is restated. #}
{% macro touched_address(column) -%}
    {%- if restates() -%}
        {{ column }} in (
            select home.address_key
            from {{ ref('int_resident_addresses') }} as home
            where {{ touched_subject('households', 'home.resident_id') }}
        )
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}

{% macro touched_record(system, table_name, key, name='touched_records') -%}
    {%- set named = ledger(name) -%}
    {%- if restates() -%}
        {{ key }} in (
            select ledger.record_key
            from {{ named }} as ledger
            where ledger.system = '{{ system }}' and ledger.table_name = '{{ table_name }}'
        )
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}

{# A market fact that is touched itself, or whose enterprise is. #}
{% macro touched_fact(table_name, key) -%}
    {%- set named = ledger('touched_records') -%}
    {%- set is_of_touched = touched_subject('enterprises', 'touched.enterprise_id') -%}
    {%- if restates() -%}
        {{ key }} in (
            select ledger.record_key
            from {{ named }} as ledger
            where ledger.system = 'market_supervision' and ledger.table_name = '{{ table_name }}'
            union
            select touched.record_key
            from {{ ref('int_market_facts') }} as touched
            where
                touched.table_name = '{{ table_name }}'
                and {{ is_of_touched }}
        )
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}

{% macro touched_home(column) -%}
    {%- set named = ledger('touched_homes') -%}
    {%- if restates() -%}
        {{ column }} in (select ledger.home_no from {{ named }} as ledger)
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}

{# Of a table with an index on record_key. The array is for the planner: it takes three columns in a ledger for far more
   rows than they are, and reads the table whole; keys of an array it looks up. The models' own conditions do the same. #}
{% macro touched_record_of(alias=none) -%}
    {%- set prefix = alias ~ '.' if alias else '' -%}
    {%- set named = ledger('touched_records') -%}
    {%- if restates() -%}
        {{ prefix }}record_key = any(array(select named.record_key from {{ named }} as named))
        and ({{ prefix }}system, {{ prefix }}table_name, {{ prefix }}record_key) in (
            select
                ledger.system,
                ledger.table_name,
                ledger.record_key
            from {{ named }} as ledger
        )
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}

{# Source tables of which a batch after those of the base has changed a row: the others need no looking through. #}
{% macro moved_tables(base) -%}
    {%- if not base -%}{{ return([]) }}{%- endif -%}
    {{ return(run_query(
        "select distinct batch.system || '.' || batch.table_name from ops.batches as batch"
        ~ " inner join ops.mart_builds as base on base.build_id = " ~ base['id']
        ~ " where batch.state = 'admitted' and batch.inserted_count + batch.updated_count + batch.deleted_count > 0"
        ~ " and batch.batch_id > coalesce((base.batches ->> (batch.system || '.' || batch.table_name))::bigint, 0)"
    ).columns[0].values() | list) }}
{%- endmacro %}

{# Rows of a source table that a batch after those of the base has written, for a ledger. #}
{% macro changed_since(base, moved, system, table_name, alias=none) -%}
    {%- if base and system ~ '.' ~ table_name in moved -%}
        {{ alias ~ '.' if alias }}_batch_id > {{ base['batches'].get(system ~ '.' ~ table_name, 0) }}
    {%- else -%}
        false
    {%- endif -%}
{%- endmacro %}

{# The day that the base speaks of: what began or ended on it, or after it up to the business date, reads otherwise. #}
{% macro first_day(base) -%}
    date '{{ base['from_on'] }}'
{%- endmacro %}

{# Whether this build speaks of a later day than its base. #}
{% macro days_passed(base) -%}
    {{ return(base is not none and ("date '" ~ base['from_on'] ~ "'") != business_date()) }}
{%- endmacro %}

{# In a model that is restated: the day came since the base, so that nothing was built for it yet. #}
{% macro came_since_base(column) -%}
    {%- if restates() -%}
        {{ column }} > {{ first_day(mart_base()) }}
    {%- else -%}
        false
    {%- endif -%}
{%- endmacro %}

{# Instants of the days between, for a ledger. #}
{% macro happened_since(base, column) -%}
    ({{ column }} >= {{ day_end(first_day(base) ~ ' - 1') }} and {{ column }} < {{ business_end() }})
{%- endmacro %}

{# Statistics of a table just built. One that was restated has those of before, and autovacuum sees to it when a tenth has
   changed: looking at 30,000 rows of sixty columns takes a second of a build that may restate a few hundred. Of a wide
   table only the columns are looked at by which it is joined or filtered (`joined_by`). #}
{% macro analyze_when_built() -%}
    {%- if not (config.get('incremental_strategy') == 'touched' and restates()) -%}
        {%- set columns = (config.get('meta') or {}).get('joined_by', []) %}
        analyze {{ this }}{{ ' (' ~ columns | join(', ') ~ ')' if columns }}
    {%- endif -%}
{%- endmacro %}
