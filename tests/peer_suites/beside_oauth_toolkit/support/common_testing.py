from django.test import TestCase as OAuth2ProviderTestCase

__all__ = ["OAuth2ProviderTestCase"]
