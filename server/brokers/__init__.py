"""What carries messages between instances, chosen by URL."""
