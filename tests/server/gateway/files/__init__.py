"""Tests of the gateway: files."""
