"""What the roles share, and each role by itself."""
