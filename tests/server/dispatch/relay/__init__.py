"""Tests of server.relay."""
