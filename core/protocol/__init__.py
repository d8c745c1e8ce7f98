"""Sans-IO protocols: bytes in, events out; commands in, bytes out. No input, output, time or randomness."""
