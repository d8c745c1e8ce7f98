"""Tests of what an instance answers on."""
