"""Which route takes a request, and what becomes of it on the way (pure)."""
