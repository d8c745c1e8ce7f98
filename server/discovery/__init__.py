"""Service registry: register, renew, evict, list, watch; and its client."""
