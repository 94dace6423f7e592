"""What readers get: releases, masked views, the audited search, and the receipt of a figure.

It takes built tables as they are. Whether they may be shown is decided by the gates (expectations), how they come about
by dbt; nothing here computes an indicator or judges a row.
"""
