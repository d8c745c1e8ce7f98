"""A gateway's configuration as files say it: Spring's YAML, our TOML."""
