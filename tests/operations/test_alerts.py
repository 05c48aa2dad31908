"""Alert rules and dashboard against real scrapes: every name, label and value in them is one that is scraped."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from django.test import Client

from tests.operations.situations import SITUATIONS, Scrape, scrapes
from tests.project.settings_process import ROOT

OPERATIONS: Path = ROOT / "docs" / "operations"
RULES: dict[str, dict[str, Any]] = {
    rule["alert"]: rule
    for group in yaml.safe_load((OPERATIONS / "alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
}
DASHBOARD = json.loads((OPERATIONS / "dashboard.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
# Grafana puts values in the place of these before it asks.
VARIABLES = {"$__rate_interval": "1m", "$__range": "1h"}


@pytest.fixture
def scraped(db: None, client: Client) -> Scrape:
    """All that is ever scraped: of a good moment, and of one in which the cache serves from memory."""
    before, after = scrapes(client, SITUATIONS["RhizCacheFallback"])
    return before + after


def selectors(expression: str) -> Iterator[Any]:
    """The vector selectors of an expression. Fails if it can't be parsed."""
    found: list[Any] = []

    def visit(node: Any) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)

    promql_parser.walk(promql_parser.parse(expression), visit)
    assert found, f"{expression} asks for nothing"
    yield from found


def assert_scraped(expression: str, samples: Scrape) -> None:
    """Every selector matches something of the scrape, and every value that it names is there."""
    labels: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for sample in samples:
        for name, value in sample.labels.items():
            labels[sample.name][name].add(value)
        labels[sample.name]["job"].add("rhiz")
        labels[sample.name]["instance"].add("host:8000")
    labels["up"]["job"].add("rhiz")
    for selector in selectors(expression):
        assert selector.name in labels, f"{selector.name} is not scraped"
        for matcher in selector.matchers.matchers:
            for value in matcher.value.split("|"):
                assert value in labels[selector.name][matcher.name], f'{selector.name}{{{matcher.name}="{value}"}}'


@pytest.mark.parametrize("alert", RULES)
def test_what_a_rule_asks_for_is_scraped(alert: str, scraped: Scrape) -> None:
    assert_scraped(RULES[alert]["expr"], scraped)


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_what_a_panel_asks_for_is_scraped(panel: dict[str, Any], scraped: Scrape) -> None:
    for target in panel["targets"]:
        expression = target["expr"]
        for name, value in VARIABLES.items():
            expression = expression.replace(name, value)
        assert_scraped(expression, scraped)


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken and place["x"] + place["w"] <= 24
        taken |= cells


def test_every_alert_has_its_page_and_every_page_its_alert() -> None:
    pages = re.findall(r"^## (Rhiz\w+)$", (OPERATIONS / "alerts.md").read_text(), re.MULTILINE)
    assert pages == list(RULES)
    text = (OPERATIONS / "alerts.md").read_text()
    for page in text.split("\n## ")[1:]:
        assert all(word in page for word in ("*Means*", "*Look at*", "*Do*")), page


def test_every_alert_has_a_situation_that_it_is_for() -> None:
    assert {"RhizDown", *SITUATIONS} == set(RULES)


def test_every_metric_is_explained_and_nothing_else_is(scraped: Scrape) -> None:
    explained = set(re.findall(r"^\| `(rhiz_\w+)`", (OPERATIONS / "metrics.md").read_text(), re.MULTILINE))
    families = {re.sub(r"_(bucket|sum|count|created)$", "", s.name) for s in scraped if "latency_seconds" in s.name}
    names = {s.name for s in scraped if "event_latency_seconds" not in s.name} | families
    assert names == explained
