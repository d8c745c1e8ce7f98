"""Small real doubles and process helpers for tests."""
