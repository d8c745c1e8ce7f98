"""Tests of the gateway: http."""
