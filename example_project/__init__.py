"""Two processes from one code base: an authorization server, and an API that trusts it."""
