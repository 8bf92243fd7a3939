"""Moments and identifiers in the templates of the admin, as `admin.display` writes them."""

from django import template

from ..admin.display import identifier, identifiers, moment, short_identifier

register = template.Library()
register.filter("moment", moment)
register.filter("identifier", identifier)
register.filter("identifiers", identifiers)
register.filter("short_identifier", short_identifier)
