"""clients/typescript is what it says, against a real web server."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.clients import ledger
from tests.clients.conftest import FOLDER, environment, npm
from tests.integration.conftest import eventually
from tests.integration.web import WebProcess

KILLS = 4
FIREHOSE_EVENTS = 4_000
FAULTS_EVENTS = 800  # of test/faults.test.ts, all seeds together

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("installed")]


@pytest.mark.once
def test_it_compiles_with_every_check_and_its_types_are_those_of_the_document() -> None:
    npm("run", "check")


@pytest.mark.once
def test_it_needs_nothing_but_node() -> None:
    npm("run", "build")

    assert "dependencies" not in json.loads((FOLDER / "package.json").read_text())
    assert (FOLDER / "dist" / "index.js").exists() and (FOLDER / "dist" / "index.d.ts").exists()


@pytest.mark.once
def test_its_own_tests_pass(address: dict[str, str]) -> None:
    said = npm("test", **address)

    assert "\n# fail 0\n" in said and "\n# pass 0\n" not in said, said
    assert ledger.is_whole(ledger.numbers("did:fault:"), FAULTS_EVENTS)


def test_nothing_is_lost_or_doubled_while_the_web_server_is_killed(web: WebProcess, address: dict[str, str]) -> None:
    npm("exec", "tsc", "--", "--project", "tsconfig.test.json")
    firehose = subprocess.Popen(
        ["node", "build/test/firehose.js", str(FIREHOSE_EVENTS), "1"],
        cwd=FOLDER,
        env=environment(**address),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert firehose.stdout is not None
        for _ in range(KILLS):
            assert firehose.stdout.readline() == "tenth\n"
            web.kill()
            web.start()
            eventually(web.answers, within=60)
        *_, summary = firehose.stdout.read().splitlines()
        assert firehose.wait(60) == 0
    finally:
        firehose.kill()
        firehose.wait()

    told: dict[str, Any] = json.loads(summary)
    assert told["rejected"] == told["undelivered"] == 0
    assert sum(told["outcomes"].values()) == FIREHOSE_EVENTS
    assert told["outcomes"].keys() <= {"enqueued", "duplicate"}
    assert ledger.is_whole(ledger.numbers("did:firehose:"), FIREHOSE_EVENTS)
