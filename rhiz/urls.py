"""Where each part of the project is found."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from events.intake.views import NothingView

admin.site.site_header = admin.site.site_title = "rhiz"
admin.site.index_title = "Everything there is to see"
admin.site.site_url = None  # there is no site beside the admin

urlpatterns = [
    path("", include("health.urls")),
    path("internal/", include("events.urls")),
    path("internal/graph/", include("rhiz.graph.urls")),
    re_path(r"^internal/", NothingView.as_view()),  # whatever follows, line ends too
    path("admin/events/", RedirectView.as_view(pattern_name="admin:events_pipeline_changelist")),
    path("admin/", admin.site.urls),
]
