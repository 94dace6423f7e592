-- The reader's views as plain tables, with the columns that the pages use.
create table shared.towns (town_code text, name_zh text, name_en text, kind text, tile_x int, tile_y int);
create table shared.residents (resident_id text, name text, citizen_no text, sex_code text, birth_on date,
    home_address text, hukou_address text, town_code text, committee_code text, phone text, marital_status text,
    died_on date, benefit_kinds text, care_level int, care_home_no text, is_certified boolean, record_count int,
    system_count int, open_case_count int, name_source text, citizen_no_source text, birth_on_source text,
    home_address_source text, town_code_source text, phone_source text, name_stated_on date default '2026-01-15',
    finding_count int default 0, disagreement_count int default 0, is_deceased boolean default false,
    household_id text, household_size int, care_level_source text, stay_since_on date, is_in_basic_bed boolean,
    legal_rep_count int default 0, works_at_home_no text, link_level text default 'strict',
    link_probability float8 default 1);
create table shared.enterprises (enterprise_id text, uscc text, registration_no text, name text, kind text,
    status text, legal_rep_name text, legal_rep_resident_id text, registered_capital_cny numeric(14,2),
    established_on date, industry_code text, address text, town_code text, care_home_no text, is_certified boolean,
    record_count int, system_count int, licence_count int, penalty_count int, open_case_count int, name_source text,
    uscc_source text, address_source text, status_source text, town_code_source text,
    finding_count int default 0, disagreement_count int default 0, next_licence_until_on date default '2026-08-01',
    days_to_licence_expiry int default 32, expired_licence_count int default 0, inspection_count int default 2,
    last_inspected_on date default '2026-03-01', last_inspection_result text default 'rectify',
    penalty_amount_cny numeric(16,2) default 0, equipment_count int default 2, equipment_overdue_count int default 1,
    double_notice_state text default 'done', double_feedback_state text default 'late',
    double_tracking_state text default 'pending', double_random_state text default 'overdue',
    double_assessment_state text, double_publication_state text, case_count int default 3,
    risk_signals text default 'equipment_overdue,notice_overdue', link_level text default 'normal',
    link_probability float8 default 0.985);
create table shared.findings (finding_id text, kind text, subject_kind text, subject_id text, other_kind text,
    other_id text, since_on date, evidence text, label_zh text, label_en text, severity text, owner_department text);
create table shared.attribute_disagreements (subject_kind text, subject_id text, attribute text, value_no int,
    value_shown text, is_golden boolean, system text, table_name text, record_key text, record_count int,
    since_on date);
create table shared.subject_history (subject_kind text, subject_id text, attribute text, value_shown text, source text,
    from_release bigint, from_on date, to_release bigint, to_on date, is_current boolean);
create table shared.care_homes (home_no text, enterprise_id text, name text, licensed_beds int, basic_beds int,
    star int, address text, town_code text, in_residence_count int, has_valid_food_licence boolean);
create table shared.relations (relation_id text, kind text, from_kind text, from_id text, to_kind text, to_id text,
    since_on date, until_on date, is_current boolean, source_system text, source_table text, source_key text);
create table shared.cases (case_no text, scenario_code text, channel text, is_smart_discovery boolean,
    is_valid boolean, site_no text, site_name text, town_code text, committee_code text, found_at timestamptz,
    effective_due_at timestamptz, disposed_at timestamptz, closed_at timestamptz, loop_level text, status text,
    is_overdue boolean, reporter_resident_id text, party_enterprise_id text, satisfaction text);
create table shared.timeline (event_id text, subject_kind text, subject_id text, on_date date, at timestamptz,
    event_kind text, label_zh text, label_en text, system text, table_name text, record_key text);
create table shared.subject_records (subject_kind text, subject_id text, system text, table_name text,
    record_key text, role text, method text, is_certified boolean);
create table scorecards.indicators (indicator_code text, version text, name_zh text, name_en text, domain text,
    scenario_code text, formula_zh text, formula_en text, unit text, direction text, target float8,
    target_origin text, weight float8, owner_department text, valid_from date, source_systems text);
create table scorecards.indicator_values (indicator_code text, dimension text, dimension_code text, period text,
    indicator_version text, period_kind text, period_start_on date, period_end_on date, numerator bigint,
    denominator bigint, value float8, target float8, score float8, status text, wilson_low float8,
    wilson_high float8, weight float8);
create table scorecards.scorecards (dimension text, dimension_code text, period text, period_kind text,
    index_value float8, status text, weight_available_share float8, available_count int, indicator_count int,
    rank int);
grant select on all tables in schema shared, scorecards to cityhub_reader;
