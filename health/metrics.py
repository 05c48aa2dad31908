"""`/metrics`: the pipeline's figures, the cache's and the states of health, as Prometheus reads them.

The pipeline's are those of `GET /internal/events/metrics`: of all processes, from the database. The cache's and the
health states are what this process knows. Where the database does not answer, the latter are told all the same.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from django.conf import settings
from django.db import Error as DatabaseFailure
from django.http import HttpRequest, HttpResponse
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from rest_framework.exceptions import NotAuthenticated
from rest_framework.request import Request

from cachecore import status
from events import stats
from health import described, sampler
from health.families import build_families, cache_families, gauge, health_families, pipeline_families
from health.views import NO_STORE, ProbeView, holds_key

logger = logging.getLogger(__name__)


class Figures(Collector):
    """Asks at each scrape; the answers are kept for a second, whoever scrapes."""

    def collect(self) -> Iterator[Metric]:
        yield from build_families(settings.VERSION)
        yield from health_families(sampler.read())
        yield from cache_families(status.read())
        try:
            figures = stats.recent.read()
        except DatabaseFailure as error:
            logger.warning("metrics go without the pipeline's figures", extra={"error": str(error)})
            yield gauge("figures_available", "Whether the database told the pipeline's figures.", 0)
            return
        yield gauge("figures_available", "Whether the database told the pipeline's figures.", 1)
        yield from pipeline_families(figures)


registry = CollectorRegistry(auto_describe=False)
registry.register(Figures())


class MetricsView(ProbeView):
    """Open to the addresses of METRICS_ALLOW, and to who holds the internal key."""

    @described.metrics
    def get(self, request: Request) -> HttpResponse:
        if not (comes_from(request._request, settings.METRICS_ALLOW) or holds_key(_key(request))):
            raise NotAuthenticated("/metrics is open to METRICS_ALLOW and to the internal key")
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return HttpResponse(encode(registry), content_type=content_type, headers=NO_STORE)

    def perform_content_negotiation(self, request: Request, force: bool = False):  # type: ignore[no-untyped-def]
        # Prometheus accepts its own formats only: the view chooses among them, and DRF's errors are JSON.
        return super().perform_content_negotiation(request, force=True)


def comes_from(request: HttpRequest, networks: Iterable[str]) -> bool:
    """Whether the client itself stands in one of `networks`. What a proxy passes on comes from nobody knows where."""
    if any(name in request.headers for name in ("X-Forwarded-For", "Forwarded")):
        return False
    try:
        address: IPv4Address | IPv6Address = ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:  # a Unix socket has no address
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in ip_network(network) for network in networks)


def _key(request: Request) -> str:
    return str(request.headers.get("X-Internal-Key", ""))
