"""The pipeline page: /admin/events/pipeline/. It asks the database for bounded answers only, and counts no log."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import OperationalError, connection
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from events import stats
from events.admin.pipeline import tables
from events.admin.pipeline.banner import Condition, Notice, eta, loss, notices
from events.admin.pipeline.charts import Chart, Line, chart
from events.admin.read_only import ReadOnly
from events.admin.words import count, duration, rate
from events.history.series import WINDOWS, History, Window, read
from events.log.durability import not_durable
from events.models import Pipeline
from events.stats import PRIORITIES, Figures

REFRESH = 10  # seconds between two looks of the page's script


@admin.register(Pipeline)
class PipelineAdmin(ReadOnly):
    """A page in the place of a list: nobody adds, changes or deletes a sample."""

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The whole page; with `?fragment` the part of it that changes, for the page's own script."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        window = WINDOWS.get(request.GET.get("window", ""), WINDOWS["1h"])
        context = _told(window, timezone.now())
        if "fragment" in request.GET:
            return TemplateResponse(request, "admin/events/pipeline/fragment.html", context)
        whole = {**self.admin_site.each_context(request), "title": "Pipeline", "opts": self.opts}
        return TemplateResponse(
            request, "admin/events/pipeline/page.html", {**whole, **context, **(extra_context or {})}
        )


def _told(window: Window, moment: datetime) -> dict[str, Any]:
    now: Figures | None = None
    with suppress(OperationalError):  # the banner says so
        now = stats.recent.read()
    history = read(window, moment)
    newest = history.samples[-1] if history.samples else None
    condition = Condition(
        now,
        died=stats.died_last_hour(),
        seconds=newest.seconds if newest and (moment - newest.taken_at).total_seconds() < window.step else 0.0,
        not_durable=tuple(not_durable(connection)),
    )
    return {
        "moment": moment,
        "refresh": REFRESH,
        "windows": WINDOWS.values(),
        "window": window,
        "headline": (said := [_linked(notice) for notice in notices(condition)])[0],
        "others": said[1:],
        "loss": loss(condition),
        "figures": _figures(now) if now else [],
        "now": now,
        "charts": _charts(history, window, moment),
        "first_sample": newest is None,
        "priorities": tables.priorities(now) if now else [],
        "workers": tables.workers(now, moment) if now else [],
        "lanes": tables.lanes(now, moment) if now else [],
        "blockers": tables.blockers(moment) if now else [],
    }


def _linked(notice: Notice) -> tuple[Notice, str]:
    """A notice and the address of its link."""
    return notice, reverse(notice.link) if ":" in notice.link else notice.link


def _figures(now: Figures) -> list[tuple[str, str, str]]:
    """Name, value and explanation of the figures at the top."""
    quantiles = now.minute.quantiles()
    return [
        ("Pending", count(now.depth.pending, now.capacity), f"of {now.capacity:,}. {eta(now)}"),
        ("Applied a second", rate(now.minute.throughput), "over the last minute"),
        (
            "Latency, p50",
            duration(quantiles[0.5]),
            f"from receipt to done, over the last minute; p99 {duration(quantiles[0.99])}",
        ),
        ("Dead letters", count(now.depth.dead, now.capacity), "kept with their reasons"),
        ("Workers", count(len(now.alive)), f"busy {now.minute.utilization:.0%} of the last minute"),
    ]


def _charts(history: History, window: Window, moment: datetime) -> list[Chart]:
    depth = [
        Line(f"{name}", name, history.gauge(lambda sample, at=value: _of(sample.ready, at)))  # type: ignore[misc]
        for value, name in sorted(PRIORITIES.items(), reverse=True)
    ]
    depth.append(Line("waiting", "waiting", history.gauge(lambda sample: sample.waiting)))
    throughput = [
        Line("received", "in", history.rate(lambda sample: sample.received)),
        Line("applied", "out", history.rate(lambda sample: sample.processed)),
        Line("failed", "failed", history.rate(lambda sample: sample.failed)),
    ]
    latency = [
        Line("p50", "p50", history.latency(0.5)),
        Line("p99", "p99", history.latency(0.99)),
    ]
    dead = [Line("dead letters", "dead", history.gauge(lambda sample: sample.dead))]
    return [
        chart("depth", "Pending events by priority", depth, window, moment, form=count),
        chart("throughput", "Events a second", throughput, window, moment, form=rate),
        chart("latency", "From receipt to done", latency, window, moment, form=duration, logarithmic=True),
        chart("dead", "Dead letters", dead, window, moment, form=count),
    ]


def _of(counts: list[int], index: int) -> int:
    return counts[index] if index < len(counts) else 0
