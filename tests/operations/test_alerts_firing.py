"""Each rule run by promtool on series made of real scrapes: it fires in the situation it is for, and only there."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.test import Client
from pytest_django.fixtures import Settings

from tests.operations.situations import SITUATIONS, Scrape, scrapes
from tests.operations.test_alerts import OPERATIONS

pytestmark = [pytest.mark.promtool, pytest.mark.django_db]

CHANGE = 20  # minutes after which a gauge has its later value
END = 60  # minutes
GROWTH = 10  # minutes between the two scrapes, over which a counter grew
FIRED = f'count by (alertname) (max_over_time(ALERTS{{alertstate="firing"}}[{END}m]))'


def series(before: Scrape, after: Scrape, up: int = 1) -> list[dict[str, str]]:
    """An hour: counters grow all the time as between the scrapes, gauges change once."""
    first, last = ({(s.name, tuple(sorted(s.labels.items()))): s.value for s in each} for each in (before, after))
    made = [{"series": 'up{job="rhiz",instance="host:8000"}', "values": f"{up}x{END}"}]
    for name, labels in dict.fromkeys([*first, *last]):
        old, new = first.get((name, labels)), last.get((name, labels))
        if name.endswith(("_total", "_bucket", "_count", "_sum")) and old is not None and new is not None:
            values = f"{old}+{max(0.0, new - old) / GROWTH}x{END}"
        else:
            values = f"{_held(old, CHANGE)} {_held(new, END - CHANGE)}"
        told = ",".join(f'{key}="{value}"' for key, value in (*labels, ("instance", "host:8000"), ("job", "rhiz")))
        made.append({"series": f"{name}{{{told}}}", "values": values})
    return made


def _held(value: float | None, minutes: int) -> str:
    return f"_x{minutes}" if value is None else f"{value}x{minutes}"


def fired(made: list[dict[str, str]], expected: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """What promtool says of the claim that exactly `expected` fired."""
    samples = [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in expected]
    test: dict[str, Any] = {
        "interval": "1m",
        "input_series": made,
        "promql_expr_test": [{"expr": FIRED, "eval_time": f"{END}m", "exp_samples": samples}],
    }
    file = folder / "test.yaml"
    file.write_text(yaml.safe_dump({"rule_files": [str(OPERATIONS / "alerts.yaml")], "tests": [test]}))
    return subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True)


@pytest.fixture(autouse=True)
def _small_log(settings: Settings) -> None:
    settings.EVENT_QUEUE_CAPACITY = 100


@pytest.mark.parametrize("alert", SITUATIONS)
def test_it_fires_in_its_situation_and_no_other_does(alert: str, client: Client, tmp_path: Path) -> None:
    verdict = fired(series(*scrapes(client, SITUATIONS[alert])), [alert], tmp_path)
    assert verdict.returncode == 0, verdict.stdout + verdict.stderr


def test_an_instance_that_does_not_answer_is_told(client: Client, tmp_path: Path) -> None:
    verdict = fired(series(*scrapes(client), up=0), ["RhizDown"], tmp_path)
    assert verdict.returncode == 0, verdict.stdout + verdict.stderr


def test_nothing_fires_where_all_is_well(client: Client, tmp_path: Path) -> None:
    made = series(*scrapes(client))
    assert fired(made, [], tmp_path).returncode == 0
    assert fired(made, ["RhizDown"], tmp_path).returncode != 0, "promtool agrees to anything"


def test_promtool_finds_no_fault_in_the_rules() -> None:
    subprocess.run(["promtool", "check", "rules", str(OPERATIONS / "alerts.yaml")], check=True, capture_output=True)


def test_promtool_finds_no_fault_in_the_exposition(client: Client) -> None:
    scrapes(client)
    text = client.get("/metrics", headers={"accept": "text/plain"}).content
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True)
    assert checked.returncode in (0, 3), checked.stderr.decode()  # 3: opinions about names
