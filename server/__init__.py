"""The multi-instance relay: gateway, discovery, instances, brokers, and their supervisor."""
