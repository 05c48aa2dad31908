"""The command that appends a synthetic network or writes it to a file."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from events.models import Event, Pending
from rhiz.graph.synthetic import Mix, events

OPTIONS = ["--dids", "20", "--hostile", "0.5", "--duplicates", "0.1", "--mixed-priorities", "--occurred-at"]
NETWORK = list(events(1, 1_200, 20, Mix(hostile=0.5, duplicates=0.1, mixed_priorities=True, occurred_at=True)))


@pytest.mark.django_db
def test_events_go_to_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("simulate", "--events", "1200", *OPTIONS)
    ids = {event["event_id"] for event in NETWORK}
    assert capsys.readouterr().out == f"{len(ids)} enqueued, {1200 - len(ids)} duplicates, 0 rejected\n"
    assert {str(event_id) for event_id in Event.objects.values_list("event_id", flat=True)} == ids
    assert Pending.objects.count() == len(ids)

    call_command("simulate", "--events", "1200", *OPTIONS)
    assert capsys.readouterr().out == "0 enqueued, 1200 duplicates, 0 rejected\n"


def test_or_to_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "events.jsonl"
    call_command("simulate", "--events", "1200", *OPTIONS, "--output", str(path))
    assert capsys.readouterr().out == ""
    assert [json.loads(line) for line in path.read_text().splitlines()] == NETWORK


def test_or_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("simulate", "--events", "5", *OPTIONS, "--output", "-")
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == NETWORK[:5]


@pytest.mark.parametrize(
    "options",
    [
        ["--dids", "1"],
        ["--rate", "0"],
        ["--hostile", "2"],
        ["--events", "-1"],
        ["--output", "/no/such/file"],
        ["--via-http", "ftp://example.org"],
    ],
)
def test_what_makes_no_sense_is_refused(options: list[str]) -> None:
    with pytest.raises(CommandError):
        call_command("simulate", *options)


def test_a_rate_is_kept(tmp_path: Path) -> None:
    begin = time.monotonic()
    call_command("simulate", "--events", "101", "--rate", "200", "--output", str(tmp_path / "events.jsonl"))
    assert time.monotonic() - begin >= 0.5
