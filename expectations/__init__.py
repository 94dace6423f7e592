"""The two gates. Admission: may a batch become raw. Release: may the built tables be shown.

The only room that imports great_expectations, and only inside the functions that run a gate: the import takes 2.6 s of
processor time (4 s from a cold disk), which no other command should pay. Gates read; they record what they saw in
`quality.check_results` as counts and shares, never as values of rows. They mend nothing.
"""
