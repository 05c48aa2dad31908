"""Each page of the admin at a phone's width and a desk's, light and dark: a picture, and nothing to complain of."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User

from events import roles
from events.models import Batch, BulkAction, DeadLetter, Event, Worker
from rhiz.graph.models import Relationship
from rhiz.graph.synthetic import stream
from tests.integration.browser import night
from tests.integration.browser.visitor import HEIGHTS, THEMES, Visitor
from tests.integration.conftest import WorkerProcess
from tests.integration.web import WebProcess

pytestmark = [pytest.mark.browser, pytest.mark.once]


def pages() -> dict[str, str]:
    """Where each page is, by what its picture is called."""
    letter, done = DeadLetter.objects.latest("pk"), Event.objects.get(pk=Batch.objects.latest("last_id").last_id)
    of_events = "/admin/events"
    return {
        "index": "/admin/",
        "pipeline": f"{of_events}/pipeline/",
        "pipeline-24h": f"{of_events}/pipeline/?window=24h",
        "pipeline-30d": f"{of_events}/pipeline/?window=30d",
        "dead-letters": f"{of_events}/deadletter/",
        "dead-letters-of-a-type": f"{of_events}/deadletter/?event_type=relationship.created",
        "letter": f"{of_events}/deadletter/{letter.pk}/change/",
        "letter-edit": f"{of_events}/deadletter/{letter.pk}/edit/",
        "letter-history": f"{of_events}/deadletter/{letter.pk}/history/",
        "bulk-actions": f"{of_events}/bulkaction/",
        "bulk-action": f"{of_events}/bulkaction/{BulkAction.objects.get().pk}/change/",
        "events": f"{of_events}/event/",
        "events-refused": f"{of_events}/event/?q=nonsense",
        "event": f"{of_events}/event/{done.pk}/change/",
        "life": f"{of_events}/event/life/?did={done.did}",
        "workers": f"{of_events}/worker/",
        "worker": f"{of_events}/worker/{Worker.objects.first().pk}/change/",  # type: ignore[union-attr]
        "relationships": "/admin/graph/relationship/",
        "relationship": f"/admin/graph/relationship/{Relationship.objects.latest('pk').pk}/change/",
        "cache": "/admin/cachecore/invalidation/",
        "password": "/admin/password_change/",
    }


@pytest.fixture
def log(web: WebProcess, start: Callable[..., WorkerProcess]) -> None:
    with web.client() as indexer:
        sent = json.dumps(list(stream.events(seed=3, count=400, dids=40, mix=night.MIX)))
        posted = indexer.post("/internal/events", content=sent, headers={"Content-Type": "application/json"})
        assert posted.status_code == 202, posted.text
    assert start("--drain").wait() == 0
    night.fall(User.objects.get(username=roles.OPERATOR))


FIRST_SIGHT = ("pipeline-24h", "letter")  # whose first sight the README shows
# The rules about colours depend on the theme, those about places on the width: two of the four have both of each.
JUDGED = {(390, "dark"), (1440, "light")}


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", HEIGHTS)
def test_every_page_can_be_read_and_used_by_everybody(
    visit: Callable[[int, str], Visitor], width: int, theme: str
) -> None:
    visitor = visit(width, theme)
    look = visitor.look if (width, theme) in JUDGED else visitor.picture

    def seen(name: str, path: str = "") -> None:
        if path:
            visitor.go(path)
        look(f"{name}-{width}-{theme}")
        if name in FIRST_SIGHT:
            visitor.picture(f"first-sight-of-{name}-{width}-{theme}", whole=False)

    seen("login", "/admin/")
    visitor.log_in(roles.OPERATOR)
    for name, path in pages().items():
        seen(name, path)
    for verb in ("Requeue", "Discard"):
        visitor.go("/admin/events/deadletter/")
        visitor.page.get_by_role("button", name=f"{verb} all").first.click()
        seen(f"confirm-{verb.lower()}")
    visitor.go("/internal/docs")
    visitor.page.locator(".opblock").first.wait_for()
    seen("api")
    visitor.go("/admin/")
    visitor.page.get_by_role("button", name="Log out").click()
    seen("logged-out")
