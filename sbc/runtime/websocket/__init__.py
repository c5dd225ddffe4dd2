"""Sessions over WebSocket.

    front                      where one comes in: a new session, or one that its client comes back to
    session  legs  opening     one of them, its legs to nodes, what is said with each
    turns  throttle  sluice  what its messages say of its turns; a client that is too fast; what waits for the store
    passing                    one whose session another worker has
"""
