"""Reasons: equal troubles are one group, different ones are not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.reasons import REASON_LENGTH, reason_of


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("told to fail: 7", "told to fail: 1234567"),
        ("no row for did:plc:alice", "no row for did:web:bob.example:x"),
        ("at://did:plc:a/net.rhiz.relationship/3k is gone", "at://did:plc:b/net.rhiz.attestation/3l is gone"),
        ("key 'it\\'s' is missing", 'key "b" is missing'),
        ("event 0b5c1c3e-10e4-4e68-99aa-4f81f7bf0086", "event 30f85575-3e10-4e68-99aa-4f81f7bf0087"),
        ("at 2026-11-01T12:00:00Z", "at 2025-01-01T00:00:00.123Z"),
        ("strength: 300; allowed: an integer from 0 to 100", "strength: 'x; y'; allowed: an integer from 0 to 100"),
        ("first line 1\nand more", "first line 2\nand else"),
    ],
)
def test_what_differs_from_event_to_event_makes_no_reason_of_its_own(one: str, other: str) -> None:
    assert reason_of("ValueError", one) == reason_of("ValueError", other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("ValueError", "no"), ("KeyError", "no")),
        (("", "strength: 300; allowed: x"), ("", "context: 300; allowed: x")),
        (("", "strength: missing; allowed: x"), ("", "strength: 300; allowed: x")),
        (("", "strength: 1; allowed: 0 to 100"), ("", "strength: 1; allowed: 0 to 10")),
    ],
)
def test_different_troubles_are_different_reasons(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert reason_of(*one) != reason_of(*other)


@given(st.text(), st.text(max_size=400))
def test_any_error_has_a_bounded_reason_without_line_ends(kind: str, message: str) -> None:
    reason = reason_of(kind.replace("\n", ""), message)
    assert len(reason) <= REASON_LENGTH


@given(st.text(), st.text(max_size=400))
def test_a_reason_comes_back_from_a_form_as_it_was(kind: str, message: str) -> None:
    for each in (message, f"field: {message}; allowed: {message}"):
        reason = reason_of(kind, each)
        assert reason.isprintable() or not reason
        assert reason == reason.strip() == " ".join(reason.splitlines())


def test_a_reason_that_is_cut_at_a_space_does_not_end_with_it() -> None:
    assert reason_of("", "word " * 80) == ("word " * 40).strip()


def test_a_strangers_value_that_spells_our_words_makes_no_reason_of_its_own() -> None:
    evil = "type: 'x; allowed: \u202e<b>mine\n line 5'; allowed: 1-100 characters"
    assert reason_of("", evil) == reason_of("", "type: 7; allowed: 1-100 characters")


@given(st.integers(), st.integers())
def test_numbers_never_part_a_reason(one: int, other: int) -> None:
    assert reason_of("E", f"row {one} of {other} is odd") == "E: row # of # is odd"
