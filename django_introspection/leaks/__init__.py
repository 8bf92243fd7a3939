"""Leaked credentials: each holder may end one, and secret scanners report those that they find. Off until included."""
