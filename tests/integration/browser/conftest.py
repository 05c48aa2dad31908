"""Chromium, as Debian ships it, in front of a real web server."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from events import roles
from tests.events.letters import user
from tests.integration.browser.visitor import HEIGHTS, PASSWORD, Visitor
from tests.integration.conftest import database_url, eventually
from tests.integration.web import WebProcess


@pytest.fixture
def web(transactional_db: None) -> Iterator[WebProcess]:
    """A web server on an empty log, whose user is an operator."""
    operator = user(roles.OPERATOR)
    operator.set_password(PASSWORD)
    operator.save()
    with WebProcess(database_url(), DEBUG="1") as server:
        eventually(server.answers)
        yield server


@pytest.fixture
def chromium(monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    """The browser; nothing of it is downloaded."""
    # Playwright keeps a loop in this thread, and Django would take each of the test's own queries for one of that loop.
    monkeypatch.setitem(os.environ, "DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Browser, web: WebProcess) -> Iterator[Callable[[int, str], Visitor]]:
    """A visitor whose window is so wide, in pixels, and who prefers a theme. Nothing he met may be wrong."""
    visitors: list[Visitor] = []

    def open_window(width: int, theme: str) -> Visitor:
        size = {"width": width, "height": HEIGHTS[width]}
        context = chromium.new_context(viewport=size, color_scheme=theme, locale="en-GB", timezone_id="UTC")  # type: ignore[arg-type]
        visitors.append(Visitor(context, web.address))
        return visitors[-1]

    yield open_window
    complaints = [complaint for visitor in visitors for complaint in visitor.complaints]
    assert not complaints, "\n".join(complaints)
