"""Problem details: RFC 9457's members, and for an envelope the field, what was wrong and what is allowed."""

from __future__ import annotations

import json
from uuid import UUID

import pytest

from events.exceptions import EnvelopeError
from events.intake import problems
from events.intake.problems import Problem

EVERY = [
    problems.not_an_event(EnvelopeError("did", "'x'", "a DID")),
    problems.not_an_event(EnvelopeError("payload", "65,537 bytes", "65,536", status=413)),
    problems.body_too_large(5),
    problems.body_cut_short(3, 5),
    problems.unsupported_media_type("Content-Type", "text/plain", "application/json"),
    problems.conflict(UUID(int=1)),
    problems.at_capacity(7),
    problems.database_away(),
    problems.too_busy(),
    problems.body_too_slow(10),
    Problem(404, "", "there is nothing"),
]


@pytest.mark.parametrize("problem", EVERY, ids=lambda problem: f"{problem.status}-{problem.kind}")
def test_has_the_standard_members(problem: Problem) -> None:
    answer = problem.answer()
    content = json.loads(answer.body)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.status == content["status"] == problem.status
    assert content["type"] == (f"urn:rhiz:problem:{problem.kind}" if problem.kind else "about:blank")
    assert content["title"]
    assert content["detail"]


def test_an_envelope_problem_says_which_field_what_and_what_is_allowed() -> None:
    content = problems.not_an_event(EnvelopeError("did", "'x'", "a DID")).content
    assert (content["field"], content["problem"], content["allowed"]) == ("did", "'x'", "a DID")
    assert content["detail"] == "did: 'x'; allowed: a DID"


def test_whoever_should_come_back_is_told_when() -> None:
    assert problems.at_capacity(7).answer().headers["Retry-After"] == "7"
    assert int(problems.database_away().answer().headers["Retry-After"]) > 0
