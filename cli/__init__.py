"""The command line: a module for each command; here and in main.py alone core, server and gui meet."""
