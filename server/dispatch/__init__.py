"""What becomes of a frame of a client: to the application, to a user, to the broker."""
