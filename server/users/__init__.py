"""Who is connected where, and how a message reaches a user, whichever instance the user is on."""
