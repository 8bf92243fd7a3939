"""The feed of revocations: an app of the authorization server that offers the ends of tokens to resource servers."""
