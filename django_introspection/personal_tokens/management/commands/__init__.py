"""The command of personal tokens."""
