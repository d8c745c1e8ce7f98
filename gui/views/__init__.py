"""The views: each takes the context in its constructor, shows its models, and gives commands."""
