"""Tests of server.dispatch."""
