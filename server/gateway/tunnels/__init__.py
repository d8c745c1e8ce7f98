"""WebSockets: the upgrade, and two connections joined."""
