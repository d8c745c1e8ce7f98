"""Runs a scenario against an environment: commands in, events out; in-process or as a child."""
