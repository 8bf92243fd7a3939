"""The URLs of each role."""
