"""The side that protects. Installable by itself: `django_introspection.resource_server` has no tables."""
