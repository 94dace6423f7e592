"""The `cityhub` command line: one module per group of commands. Commands import what is slow when they need it."""
