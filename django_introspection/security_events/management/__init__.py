"""The command of security events."""
