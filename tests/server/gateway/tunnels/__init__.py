"""Tests of the gateway: tunnels."""
