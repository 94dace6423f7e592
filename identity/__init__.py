"""Which records speak of the same resident or enterprise, and the ids that never change afterwards.

Reads the records that dbt prepares (`identity.int_person_records`, `identity.int_enterprise_records`), appends to
`identity.links` and `identity.events`. It joins no facts and builds no subject: dbt does.
"""
