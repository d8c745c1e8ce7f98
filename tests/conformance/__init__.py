"""The conformance cases, each under its number (docs/wire/conformance.md)."""
