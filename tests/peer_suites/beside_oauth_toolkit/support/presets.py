"""The settings that django-oauth-toolkit's tests name; its source distribution has the tests without them."""

INTROSPECTION_SETTINGS = {
    "SCOPES": {"read": "Read", "write": "Write", "introspection": "Introspect", "dolphin": "Swim"}
}
REST_FRAMEWORK_SCOPES = {
    "SCOPES": {"read": "Read", "write": "Write", "scope1": "One", "scope2": "Two", "resource1": "Resource"},
}
