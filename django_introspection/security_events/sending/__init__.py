"""An optional app beside `security_events`: every token that this server ends becomes an event for receivers."""
