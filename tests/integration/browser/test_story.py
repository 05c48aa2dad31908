"""What an operator does at night with a phone: sees that an event failed and why, mends it, and sees it applied."""

from __future__ import annotations

import json
from collections.abc import Callable
from uuid import uuid4

import pytest
from playwright.sync_api import expect

from events import roles
from rhiz.graph.models import Relationship
from rhiz.graph.synthetic import stream
from tests.integration.browser.visitor import Visitor
from tests.integration.conftest import WorkerProcess, eventually
from tests.integration.web import WebProcess

pytestmark = pytest.mark.browser

BROKEN = str(uuid4())


def test_an_event_that_failed_is_found_mended_requeued_and_applied(
    web: WebProcess, start: Callable[..., WorkerProcess], visit: Callable[[int, str], Visitor]
) -> None:
    sent = list(stream.events(seed=7, count=200, dids=30))
    broken = next(event for event in reversed(sent) if event["event_type"] == "relationship.created")
    broken["event_id"] = BROKEN
    broken["payload"]["strength"] = 300
    with web.client() as indexer:
        assert indexer.post("/internal/events", json=sent).status_code == 202
    start()

    visitor = visit(390, "dark")
    page = visitor.page
    visitor.log_in(roles.OPERATOR)
    page.get_by_role("link", name="Pipeline: is everything applied?").click()
    eventually(lambda: _reloaded(visitor, "#headline", "Dead letters growing"), what="the page tells of a dead letter")
    expect(page.get_by_text("In the last hour 1 event died.")).to_be_visible()
    visitor.look("story-1-the-page-shows-it")

    page.get_by_role("link", name="Dead letters").first.click()
    expect(page.get_by_text("1 dead letter.")).to_be_visible()
    expect(page.locator(".reasons")).to_contain_text("strength")
    visitor.look("story-2-by-reason")
    page.get_by_role("link", name="an example").click()
    expect(page.get_by_text("an integer from 0 to 100").first).to_be_visible()
    visitor.look("story-3-why")

    page.get_by_role("link", name="Edit payload and requeue").click()
    payload = page.get_by_label("Payload")
    mended = json.loads(payload.input_value())
    assert mended["strength"] == 300
    payload.fill(json.dumps(mended | {"strength": 101}))
    page.get_by_role("button", name="Save and requeue").click()
    expect(page.get_by_role("alert")).to_contain_text("an integer from 0 to 100")
    visitor.look("story-4-not-yet-mended")
    payload.fill(json.dumps(mended | {"strength": 30}))
    page.get_by_role("button", name="Save and requeue").click()
    visitor.look("story-5-requeued")

    visitor.go(f"/admin/events/event/?q={BROKEN}")
    eventually(lambda: _reloaded(visitor, ".stacking .state", "done"), what="the event is done")
    visitor.look("story-6-done")
    page.get_by_role("link", name="Pipeline").first.click()
    eventually(lambda: _reloaded(visitor, "#headline", "Healthy"), what="the pipeline page is at peace")
    visitor.look("story-7-at-peace")
    assert Relationship.objects.get(uri=mended["uri"]).strength == 30


def _reloaded(visitor: Visitor, place: str, text: str) -> bool:
    visitor.page.reload()
    return visitor.page.locator(place).first.inner_text() == text
