"""The second look at JSON: it agrees with Python's decoder on what is JSON, and goes as deep as it must."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events import wellformed
from events.wellformed import NotJsonError

PIECES = ["{", "}", "[", "]", ",", ":", '"a"', '"', "\\", "\\u0000", "\\ud800", "1", "-", "0", "1.5", "e5", "1e400"]
PIECES += ["true", "null", "nul", " ", "\n", "\x01", "é", "NaN"]


def is_json(text: str) -> bool:
    """What Python's decoder says, its extensions (NaN, Infinity) left out."""

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    try:
        json.loads(text, parse_constant=refuse)
    except ValueError:
        return False
    return True


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_agrees_with_python_on_what_is_json(text: str) -> None:
    try:
        wellformed.flaw_of(text)
    except NotJsonError:
        assert not is_json(text)
    else:
        assert is_json(text)


@given(st.dictionaries(st.text(), st.lists(st.integers() | st.text())))
def test_members_are_where_they_say(content: dict[str, object]) -> None:
    for text in (json.dumps(content), json.dumps(content, indent=3, ensure_ascii=False)):
        members = wellformed.members(text)
        assert members is not None
        assert {name: json.loads(text[value.start : value.end]) for name, value in members.items()} == content


@given(st.lists(st.dictionaries(st.text(), st.integers())))
def test_elements_are_where_they_say(content: list[object]) -> None:
    text = json.dumps(content, indent=2)
    elements = wellformed.elements(text, limit=1_000)
    assert elements is not None
    assert [json.loads(text[value.start : value.end]) for value in elements] == content


def test_a_name_that_comes_twice_means_its_last_value() -> None:
    text = '{"a": 1, "\\u0061": 2}'
    members = wellformed.members(text)
    assert members is not None
    assert text[members["a"].start : members["a"].end] == "2"


def test_no_more_elements_are_read_than_asked_for() -> None:
    elements = wellformed.elements("[1,2,3, what follows is not read", limit=3)
    assert elements is not None
    assert len(elements) == 3


@pytest.mark.parametrize("read", [wellformed.members, lambda text: wellformed.elements(text, 10)])
def test_another_value_is_none(read) -> None:  # type: ignore[no-untyped-def]
    assert read(" 1 ") is None
    with pytest.raises(NotJsonError):
        read("1 1")


@pytest.mark.parametrize(
    ("text", "reason"), [("[1", "too early"), ('{"a":', "too early"), ("[1 x", "character 3"), ("", "too early")]
)
def test_says_where_it_stopped(text: str, reason: str) -> None:
    with pytest.raises(NotJsonError, match=reason):
        wellformed.flaw_of(text)


def test_depth_has_no_end() -> None:
    assert "deeper" in wellformed.flaw_of("[" * 200_000 + "]" * 200_000)
    with pytest.raises(NotJsonError):
        wellformed.flaw_of("[" * 200_000 + "]" * 199_999)
