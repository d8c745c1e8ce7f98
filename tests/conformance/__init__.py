"""The conformance cases of the specification of Spring relay, each under its number."""
