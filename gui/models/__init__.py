"""Qt models fed by the bridge."""
