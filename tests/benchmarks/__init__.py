"""Benchmarks; figures printed, wall time never asserted."""
