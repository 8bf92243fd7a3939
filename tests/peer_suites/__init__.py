"""The tests of django-oauth-toolkit and allauth, run with our endpoint and classes in place: `make peer-suites`."""
