"""Routes, filters, balancing, HTTP proxying and WebSocket splicing."""
