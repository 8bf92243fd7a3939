"""Mixed traffic for a long time against real servers, every answer compared with an oracle: `make soak`."""
