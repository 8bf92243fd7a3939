"""Pages on which people see which apps have access in their name, and revoke it. Off until their URLs are included."""
