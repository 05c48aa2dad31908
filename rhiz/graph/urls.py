"""Addresses under /internal/graph/. Identifiers stand in them as they are, slashes too; only `%` must be `%25`."""

from __future__ import annotations

from django.urls import path

from rhiz.graph import views

app_name = "graph"

urlpatterns = [
    path("relationships/<path:did>", views.RelationshipsView.as_view(), name="relationships"),
    path("conviction/<path:uri>", views.ConvictionView.as_view(), name="conviction"),
]
