"""What the two roles share, and each role by itself."""
