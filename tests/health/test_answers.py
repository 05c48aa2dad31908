"""What the tiers say, from given answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from health.answers import Answer, Status, detailed, ready

OK = Answer(Status.OK)


def _answers(**changed: Answer) -> dict[str, Answer]:
    answers = {"database": OK, "cache": OK, "event_pipeline": OK, **changed}
    answers["database"] = replace(answers["database"], hard=True)
    return answers


@pytest.mark.parametrize(
    ("answers", "draining", "code", "status"),
    [
        (_answers(), False, 200, "ready"),
        (_answers(), True, 503, "draining"),
        (_answers(database=Answer(Status.FAIL, "gone")), False, 503, "not_ready"),
        (_answers(database=Answer(Status.STARTING)), False, 503, "starting"),
        (_answers(cache=Answer(Status.FAIL, "gone")), False, 200, "degraded"),
        (_answers(cache=Answer(Status.STARTING)), False, 200, "degraded"),
        (_answers(event_pipeline=Answer(Status.DEGRADED, "no worker is alive")), False, 200, "degraded"),
    ],
)
def test_only_the_database_and_draining_keep_traffic_away(
    answers: dict[str, Answer], draining: bool, code: int, status: str
) -> None:
    told, body = ready(answers, draining=draining)

    assert (told, body["status"]) == (code, status)


def test_readiness_gives_its_reasons() -> None:
    _, body = ready(_answers(cache=Answer(Status.DEGRADED, "Redis can't be reached")), draining=False)

    assert body["reasons"] == ["Redis can't be reached"]
    assert body["dependencies"]["cache"] == {"status": "degraded"}


def test_detail_has_numbers_only_for_those_who_may_see_them() -> None:
    answers = _answers(database=Answer(Status.OK, figures={"vendor": "x"}, latency=0.0015, age=2.0))
    open_ = detailed(answers, draining=False, figures=True)
    closed = detailed(answers, draining=False, figures=False)

    assert open_["dependencies"]["database"] == {
        "status": "ok",
        "reason": "",
        "latency_ms": 1.5,
        "age_seconds": 2.0,
        "vendor": "x",
    }
    assert {"version", "environment", "uptime_seconds", "event_loop"} <= set(open_)
    assert closed["dependencies"]["database"] == {"status": "ok"}
    assert set(closed) == {"status", "dependencies"}
