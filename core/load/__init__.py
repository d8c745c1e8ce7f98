"""Simulated users and pushers, arrival plans as pure functions of time, scenario files, worker processes."""
