"""Where each part of the project is found."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("health.urls")),
    path("internal/", include("events.urls")),
    path("internal/graph/", include("rhiz.graph.urls")),
    path("admin/", admin.site.urls),
]
