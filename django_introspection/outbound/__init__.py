"""How another machine is called: transports, deadlines, discovery, keys, and how a client authenticates."""
