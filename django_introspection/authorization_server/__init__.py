"""The side that answers: endpoints, client authentication, policy, issuing and revoking."""
