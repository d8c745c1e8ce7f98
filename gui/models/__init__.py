"""Models: what the bridge delivered, held for the views; they know neither widgets nor pipes."""
