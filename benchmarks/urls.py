"""One route, so that finding the view costs the same in every scenario."""

from __future__ import annotations

from django.urls import path
from django.utils.module_loading import import_string

from .scenarios import scenario

_own = scenario()
_view = import_string(_own.view) if _own else None
urlpatterns = [path("measured", _view.as_view() if hasattr(_view, "as_view") else _view)] if _view else []
