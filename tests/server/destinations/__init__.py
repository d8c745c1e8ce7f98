"""Tests of server.destinations."""
