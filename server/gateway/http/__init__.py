"""Plain requests: connections to instances, bodies and answers, streamed both ways."""
