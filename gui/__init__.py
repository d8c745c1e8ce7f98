"""The desktop window: shows what an engine reports and sends it commands; holds no truth of its own."""
