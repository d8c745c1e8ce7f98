"""Tests of the gateway: balancing."""
