"""What the OpenAPI document says is true: real answers of every endpoint are held against it."""

from __future__ import annotations

import json
import re
from functools import cache as once
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml
from django.contrib.auth.models import User
from django.db import OperationalError
from django.test import Client
from django.utils import timezone
from jsonschema import Draft202012Validator, FormatChecker
from model_bakery import baker
from pytest_django import Settings
from rest_framework.test import APIClient

from events import stats
from events.intake import core
from events.intake.admission import Admission
from events.intake.document_views import POLICY
from events.models import Event, Worker
from tests.events import states
from tests.events.hostile import DID, URI, event

pytestmark = pytest.mark.django_db

DOCUMENT = Path(__file__).resolve().parent.parent.parent / "docs" / "openapi.yaml"
JSON = "application/json"


@once
def document() -> dict[str, Any]:
    told: dict[str, Any] = yaml.safe_load(DOCUMENT.read_text())
    return told


def operation(method: str, path: str) -> tuple[str, dict[str, Any]]:
    """The operation that serves a path: the one with the longest name before any parameter."""
    fitting = [
        known
        for known in document()["paths"]
        if re.fullmatch(re.sub(r"\{\w+\}", ".+", known), path) and method in document()["paths"][known]
    ]
    known = min(fitting, key=lambda name: name.count("{"))
    return known, document()["paths"][known][method]


def assert_told(response: Any, method: str, path: str) -> Any:
    """That the document has this status, media type, headers and content for this operation."""
    known, described = operation(method, path.partition("?")[0])
    status, media_type = str(response.status_code), response["Content-Type"].partition(";")[0]
    assert status in described["responses"], f"{method} {known} answered {status}"
    told = described["responses"][status]
    assert media_type in told["content"], f"{method} {known} answered {status} as {media_type}"
    for name, header in told.get("headers", {}).items():
        assert not header.get("required") or response.has_header(name), f"{method} {known} {status} lacks {name}"
    if "json" not in media_type:
        return None
    content = json.loads(response.content)
    schema = {**told["content"][media_type]["schema"], "components": document()["components"]}
    Draft202012Validator(schema, format_checker=FormatChecker()).validate(content)
    return content


@pytest.fixture(autouse=True)
def _own_admission(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "admission", Admission(background=False))


def post(api: APIClient, body: bytes, media_type: str = JSON, path: str = "/internal/events") -> Any:
    response = api.generic("POST", path, body.decode(), content_type=media_type)
    return response.status_code, assert_told(response, "post", path)


def get(client: Client, path: str) -> Any:
    response = client.get(path)
    return response.status_code, assert_told(response, "get", path)


def test_posts_of_events(api: APIClient, settings: Settings) -> None:
    one = event(event_id=str(uuid4()))
    other = event('{"a":1}', event_id=json.loads(one)["event_id"])
    assert [post(api, body)[0] for body in (one, one, other)] == [202, 200, 409]
    batch = b"[" + one + b"," + event() + b"]"
    assert post(api, batch)[0] == 202
    assert post(api, one + b"\n" + event(), "application/x-ndjson")[0] == 202
    assert post(api, b"[" + event() + b",{}," + other + b",7]")[0] == 207
    assert post(api, b"{")[0] == 400
    assert post(api, event(), "text/plain")[0] == 415
    assert post(api, event('{"a":"' + "x" * 70_000 + '"}'))[0] == 413
    settings.INTERNAL_RATE_LIMIT = "1/hour"
    assert [post(api, event())[0] for _ in range(2)] == [202, 429]


def test_a_full_log(api: APIClient, settings: Settings) -> None:
    settings.EVENT_QUEUE_CAPACITY = 1  # ordinary events fit below 80 %: one
    assert post(api, b"[" + event() + b"," + event() + b"]")[0] == 207
    assert post(api, event())[0] == 503


def test_an_event_and_the_figures(api: APIClient) -> None:
    now = timezone.now()
    alive: dict[str, Any] = {"started_at": now, "heartbeat_at": now, "stopped_at": None, "died_at": None}
    baker.make(Worker, batches=[{"events": 3, "lanes": [1, 2], "seconds": 0.5}], **alive)
    lost = states.pending()
    states.pending_row(lost).delete()
    each = [states.pending(rev="3jzfcijpj2z2a"), states.pending(available_at=now, attempts=1), states.done(), lost]
    each += [states.dead(error="no").event, states.dead(discarded_at=now, note="spam").event]
    told = [get(api, f"/internal/events/{one.event_id}") for one in each]
    assert [status for status, _ in told] == [200] * len(each)
    assert {content["state"] for _, content in told} == set(map(str, Event.State.labels))
    assert get(api, f"/internal/events/{uuid4()}")[0] == 404
    status, figures = get(api, "/internal/events/metrics")
    assert (status, len(figures["each_worker"])) == (200, 1)


def test_dead_letters(api: APIClient) -> None:
    post(api, b"[" + event('{"a":1e400}') + b"]")
    states.bury(Event.objects.get(), "no")
    for n in range(3):
        states.dead(event_type="test.record", did=DID, payload={"n": n})
    path = "/internal/events/dead-letter"
    status, page = get(api, f"{path}?limit=2")
    assert (status, len(page["results"]), page["next"] is None) == (200, 2, False)
    assert get(api, page["next"])[0] == 200
    assert get(api, f"{path}?limit=many")[0] == 400
    chosen = json.dumps({"ids": [page["results"][0]["event_id"]], "note": "mended"}).encode()
    assert post(api, chosen, path=f"{path}/requeue") == (200, {"requeued": 1, "more": False})
    assert post(api, b'{"filter":{"event_type":"test.record"}}', path=f"{path}/discard")[0] == 200
    too_many = json.dumps({"ids": [str(uuid4()) for _ in range(1_001)]}).encode()
    for name in ("requeue", "discard"):
        assert post(api, b"{}", path=f"{path}/{name}")[0] == 400
        assert post(api, too_many, path=f"{path}/{name}")[0] == 413


def test_the_graph(api: APIClient) -> None:
    for path in (f"relationships/{DID}", f"conviction/{URI}"):
        assert get(api, f"/internal/graph/{path}?as_of=2026-11-01T00:00:00Z")[0] == 200
        assert get(api, f"/internal/graph/{path}?as_of=now")[0] == 400


@pytest.mark.parametrize("path", ["/health", "/livez", "/health/ready", "/readyz", "/health/detailed", "/metrics"])
def test_probes_and_scrapes(client: Client, api: APIClient, path: str, settings: Settings) -> None:
    settings.DEBUG = False
    assert get(api, path)[0] in (200, 503)
    settings.METRICS_ALLOW = []
    assert get(client, path)[0] in (200, 403, 503)


@pytest.mark.parametrize("path", [path for path in document()["paths"] if path.startswith("/internal/")])
def test_every_address_is_told_without_key_with_a_wrong_one_and_without_a_database(
    client: Client, api: APIClient, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    [method] = document()["paths"][path]
    address = path.format(event_id=uuid4(), did=DID, uri=URI)
    for sender, headers, status in ((client, {}, 401), (client, {"X-Internal-Key": "wrong"}, 403)):
        response: Any = sender.generic(method.upper(), address, "{}", content_type=JSON, headers=headers)
        assert response.status_code == status
        assert_told(response, method, address)

    def away(*_: object, **__: object) -> None:
        raise OperationalError("connection refused")

    def without_database(*_: object) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(stats.recent, "_ask", away)
    monkeypatch.setattr("django.db.backends.utils.CursorWrapper.execute", without_database)
    monkeypatch.setattr("events.log.append.append_new", away)
    monkeypatch.setattr(core, "append_new", away)
    body = event().decode() if address == "/internal/events" else '{"filter":{}}'
    response = api.generic(method.upper(), address, body, content_type=JSON)
    assert response.status_code == 503 or "graph" in address
    assert_told(response, method, address)


class TestPages:
    def test_the_document_is_served_as_yaml_and_json(self, api: APIClient) -> None:
        served = api.get("/internal/schema")
        assert yaml.safe_load(served.content)["openapi"] == document()["openapi"]
        json_form = api.get("/internal/schema", headers={"Accept": "application/vnd.oai.openapi+json"})
        assert json.loads(json_form.content)["paths"].keys() == document()["paths"].keys()

    @pytest.mark.parametrize(
        "path",
        ["/internal/schema", "/internal/docs", "/internal/nowhere", "/internal/events/x", "/internal/events/%0A"],
    )
    def test_they_need_the_key_or_a_staff_session(self, client: Client, path: str) -> None:
        assert client.get(path).status_code == 401
        client.force_login(User.objects.create_user("operator", is_staff=True))
        response = client.get(path)
        assert response.status_code == (200 if path in ("/internal/schema", "/internal/docs") else 404)

    def test_an_address_that_is_none_is_a_problem(self, api: APIClient) -> None:
        for method in ("GET", "POST", "DELETE"):
            response = api.generic(method, "/internal/nowhere")
            assert (response.status_code, response["Content-Type"]) == (404, "application/problem+json")

    def test_the_docs_need_nothing_from_elsewhere_and_nothing_inline(self, api: APIClient) -> None:
        response = api.get("/internal/docs")
        page = response.content.decode()
        assert response["Content-Security-Policy"] == POLICY
        assert "unsafe" not in POLICY
        assert "//" not in page.replace("<!DOCTYPE html>", "")
        assert not re.search(r"<style|style=|<script>|\son\w+=", page)
        sources = re.findall(r'(?:src|href)="([^"]+)"', page)
        assert len(sources) == 5
        for source in sources:
            assert api.get(source).status_code == 200, source
