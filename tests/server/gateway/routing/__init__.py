"""Tests of the gateway: routing."""
