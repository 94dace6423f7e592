-- What the search compares with: the unmasked columns, which no reader may list.
create table release.residents as select *, null::bigint as _to_release from shared.residents;
update release.residents set name = '李淑芬', citizen_no = '310115194205071234' where name = '李**';
create table release.enterprises as select *, null::bigint as _to_release from shared.enterprises;
