"""The command line: one module per command; the only place besides main.py that joins core, server and gui."""
