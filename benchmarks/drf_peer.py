"""What one would write first: a DRF view that validates with a serializer and inserts a row for each request.

It runs with this project's settings, middleware and connection pool, and its key.
"""

from __future__ import annotations

from django.db import models
from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from events.intake.keys import InternalKeyAuthentication, IsInternal


class Inbox(models.Model):
    """An event as it came."""

    event_id = models.UUIDField(unique=True)
    event_type = models.TextField()
    did = models.TextField()
    priority = models.SmallIntegerField()
    payload = models.JSONField()
    received_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "benchmarks"
        db_table = "bench_inbox"
        managed = False

    def __str__(self) -> str:
        return str(self.event_id)


class InboxSerializer(serializers.ModelSerializer[Inbox]):
    priority = serializers.IntegerField(min_value=0, max_value=3, default=1)

    class Meta:
        model = Inbox
        fields = ("event_id", "event_type", "did", "priority", "payload")


class InboxView(APIView):
    """Validates, inserts, answers."""

    authentication_classes = (InternalKeyAuthentication,)
    permission_classes = (IsInternal,)

    def post(self, request: Request) -> Response:
        given = InboxSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        kept = given.save()
        return Response({"status": "enqueued", "event_id": kept.event_id}, status=202)


urlpatterns = [path("internal/events", InboxView.as_view())]
