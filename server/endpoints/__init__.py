"""What an instance answers on: WebSocket, push API, admin."""
