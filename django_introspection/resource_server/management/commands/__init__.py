"""The commands that a pure resource server has."""
