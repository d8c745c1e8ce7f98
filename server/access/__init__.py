"""Who may connect, read and write: hosts, tokens, and the authentication of clients."""
