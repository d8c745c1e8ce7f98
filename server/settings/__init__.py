"""What can be set, as typed structs."""
