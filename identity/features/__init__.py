"""Records as they are compared: one normal form per attribute, by column, for millions of rows.

A feature is null where a record says nothing that could be compared. Nothing here decides who is who, knows a
model or touches the database; conversions that cost (script, pinyin) are made once per distinct character or text.
"""
