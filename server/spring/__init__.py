"""Configuration as Spring Boot reads it: YAML and properties files, profiles, placeholders."""
