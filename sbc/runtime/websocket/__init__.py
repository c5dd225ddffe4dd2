"""Sessions over WebSocket: `front` takes hellos in, `session` joins a link of the client to one of its owner."""
