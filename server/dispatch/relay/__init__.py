"""How clients' frames reach the broker: over the instance's one connection, or one for each client."""
