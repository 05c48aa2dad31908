"""Somebody at a browser, who notices what no page of ours may do."""

from __future__ import annotations

from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import BrowserContext, Request, Response

from tests.integration.conftest import ROOT

HEIGHTS = {390: 844, 1440: 900}  # pixels of a phone and of a desk, by their widths
THEMES = ("light", "dark")
# What the Web Content Accessibility Guidelines ask for at levels A and AA, up to version 2.2.
LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
ARTEFACTS = ROOT / "artefacts" / "browser"
PASSWORD = "a long and good one"
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


class Visitor:
    """One page of a browser at `address`. `complaints` has what went wrong on the way, whatever it was."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.page = context.new_page()
        self.complaints: list[str] = []
        self._address = address
        self.page.on("console", lambda line: self._console(line.type, line.text))
        self.page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        self.page.on("request", self._asked)
        self.page.on("response", self._answered)

    def go(self, path: str) -> None:
        """Open a page of ours."""
        self.page.goto(self._address + path)

    def log_in(self, name: str) -> None:
        """Through the form, as everybody does."""
        self.go("/admin/")
        self.page.get_by_label("Username").fill(name)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Log in").click()

    def look(self, name: str) -> None:
        """Keep a picture of the page, and complain of what keeps people out of it."""
        self.picture(name)
        if sideways := self.page.evaluate(SIDEWAYS):
            self.complaints.append(f"{name}: {sideways} px wider than the window")
        heard = len(self.complaints)
        found = Axe().run(self.page, options={"runOnly": LEVELS, "resultTypes": ["violations"], "preload": False})
        del self.complaints[heard:]  # the page's policy against styles of strangers, axe among them
        for violation in found.response["violations"]:
            places = "; ".join(f"{node['target']} {node['failureSummary']}" for node in violation["nodes"][:3])
            self.complaints.append(f"{name}: {violation['id']}: {places}")

    def picture(self, name: str, *, whole: bool = True) -> None:
        """Keep a picture of the page, from top to bottom, or of what one sees of it at first."""
        ARTEFACTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=ARTEFACTS / f"{name}.png", full_page=whole)

    def _console(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(f"console {kind} at {self.page.url}: {text}")

    def _asked(self, request: Request) -> None:
        asked = urlsplit(request.url)
        if asked.scheme != "data" and asked.netloc != urlsplit(self._address).netloc:
            self.complaints.append(f"a request to another host: {request.url}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self.complaints.append(f"{response.status}: {response.url}")
