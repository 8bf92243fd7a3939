"""The standards as frozen values and pure functions: no Django, no input or output."""
