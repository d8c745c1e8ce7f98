"""Tests of server.access."""
