"""What runs when: Dagster definitions, schedules, the run in one process, and the `cityhub` command line.

The only room that imports dagster. It decides order and reports; what a step does lives in the room of that step.
"""
