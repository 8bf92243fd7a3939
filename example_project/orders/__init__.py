"""A small API: orders that are read and written."""
