"""Addresses under /internal/."""

from __future__ import annotations

from django.db.transaction import non_atomic_requests
from django.urls import path

from events.intake import dead_letter_views as dead_letters
from events.intake import document_views as document
from events.intake import views

app_name = "events"

urlpatterns = [
    # Never inside a request's transaction: the answer comes after COMMIT.
    path("events", non_atomic_requests(views.EventsView.as_view()), name="events"),
    path("events/metrics", views.MetricsView.as_view(), name="metrics"),
    path("events/dead-letter", dead_letters.DeadLettersView.as_view(), name="dead-letters"),
    path("events/dead-letter/requeue", dead_letters.RequeueView.as_view(), name="requeue"),
    path("events/dead-letter/discard", dead_letters.DiscardView.as_view(), name="discard"),
    path("events/<uuid:event_id>", views.EventView.as_view(), name="event"),
    path("schema", document.SchemaView.as_view(), name="schema"),
    path("docs", document.DocsView.as_view(), name="docs"),
]
