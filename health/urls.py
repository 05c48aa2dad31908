"""Every probe's path, with or without a slash at its end."""

from __future__ import annotations

from django.urls import URLPattern, re_path

from health import metrics, paths, views


def _routes(view: type[views.ProbeView], addresses: tuple[str, ...]) -> list[URLPattern]:
    return [re_path(rf"^{address.lstrip('/')}/?$", view.as_view()) for address in addresses]


urlpatterns = [
    *_routes(views.LiveView, paths.LIVE),
    *_routes(views.ReadyView, paths.READY),
    *_routes(views.DetailedView, paths.DETAILED),
    *_routes(metrics.MetricsView, paths.METRICS),
]
