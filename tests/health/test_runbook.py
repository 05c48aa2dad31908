"""docs/operations has a line for every state that a probe can tell."""

from __future__ import annotations

import re

import pytest

from events.worker.condition import Condition
from health.registry import checks
from tests.health.test_readiness import REASONS
from tests.integration.conftest import ROOT

RUNBOOK = (ROOT / "docs" / "operations" / "README.md").read_text()
WEB, _, WORKER = RUNBOOK.partition("### Runbook: a worker")
ROWS = re.findall(r"^\| (`.+?) \|", WEB.partition("### Runbook: a web server")[2], re.M)
WORKERS_ROWS = re.findall(r"^\| `(.+?)` \|", WORKER.partition("## Keys")[0], re.M)


@pytest.mark.parametrize("status", ["ready", "starting", "not_ready", "draining", "degraded"])
def test_every_status_of_a_web_server_has_a_line(status: str) -> None:
    assert any(row.startswith(f"`{status}`") for row in ROWS)


@pytest.mark.parametrize("reason", [*REASONS.values(), "Redis can't be reached", "Redis answers", "backpressure"])
def test_every_reason_has_a_line(reason: str) -> None:
    assert any(reason.partition(":")[0] in row for row in ROWS)


def test_every_check_of_ours_has_a_line() -> None:
    assert {"database", "cache", "event_pipeline"} <= set(checks)
    for name in ("database", "cache", "event_pipeline"):
        assert any(f"{name} fails" in row for row in ROWS), name


def test_a_workers_states_are_those_of_the_runbook() -> None:
    assert [
        state.value
        for state in (
            Condition.WORKING,
            Condition.STARTING,
            Condition.AWAY,
            Condition.STALLED,
            Condition.DRAINING,
        )
    ] == WORKERS_ROWS
