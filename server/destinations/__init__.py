"""Names of destinations: their aliases, and which an instance may be told to use."""
