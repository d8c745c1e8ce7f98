"""Tests of the sans-IO protocols."""
