"""Carriers of bytes: WebSocket on websockets' sans-IO protocol, and an in-memory pair."""
