"""The desktop window. Draws models and sends commands; holds no truth."""
