"""What strangers wrote is shown as it is: nothing hidden, nothing turned, and no page grows with its nesting."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from events.admin.links import life_of
from events.complaints import FIELDS
from events.models import Attempt
from events.visible import payload_text, pretty, visible
from tests.events import states
from tests.events.letters import LIST, dead, text

ODD = "\u202e\u2066\u200b\u0085\x7f\x1b[31m\u2028"
TURNING = "\u202e\u2066\u200b\u0085\x7f\x1b\u2028"
SIZE = 2_000_000  # characters of a page: some thirty times the largest payload
deep: Any = [1] * 30_000
for _ in range(98):
    deep = [deep]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(json_values)
def test_what_is_shown_of_a_value_is_that_value(value: Any) -> None:
    shown = pretty(value)
    assert json.loads(shown) == value
    assert all(char.isprintable() or char == "\n" for char in shown)


def test_large_numbers_are_not_written_out() -> None:
    """64 KB of them make at most BROADEST times as much."""
    numbers = [1e308] * 10_000
    assert json.loads(pretty(numbers)) == numbers and len(pretty(numbers)) < 200_000


def test_a_text_that_cannot_be_decoded_is_shown_as_that_json() -> None:
    assert payload_text('{"a":\r\n"\\ud800\u202e"}') == '{"a": \n"\\ud800\\u202e"}'
    assert payload_text({"a": 1}) == pretty({"a": 1})


@given(st.text())
def test_nothing_hidden_stays_hidden(written: str) -> None:
    assert all(char.isprintable() or char in "\n\t" for char in visible(written))


def test_deep_nesting_is_not_indented_to_megabytes() -> None:
    assert len(json.dumps(deep, indent=2)) > 5_000_000
    assert json.loads(pretty(deep)) == deep and len(pretty(deep)) < 400_000


class Depth(HTMLParser):
    """Counts what a page lets one step through with the keyboard, and the tags that nobody but a stranger wrote."""

    def __init__(self) -> None:
        super().__init__()
        self.stops = 0
        self.strange = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.stops += "tabindex" in dict(attrs)
        self.strange += tag == "blink"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "payload",
    [
        {"one line": "x" * 65_000},
        {"deep": deep},
        {f"{n}": 1 for n in range(7_000)},
        {f"<blink>{ODD}": f"<blink>{ODD}"},
        {"tags": "<blink>" * 8_000},
        {"numbers": [1e308] * 10_000},
        f'{{"surrogate":"\\ud800<blink>{ODD}","tags":"{"<blink>" * 8_000}"}}'.replace("\x1b", ""),
        f'{{"<blink>{ODD}',
        f'{{"numbers":[{"1e400," * 10_000}1],"nul":"\\u0000"}}',
        f'{{"deep":{"[" * 32_000}{"]" * 32_000}}}',
    ],
    ids=[
        "one line",
        "deep",
        "many fields",
        "odd",
        "tags",
        "numbers",
        "surrogate",
        "no JSON",
        "beyond a double",
        "deeper",
    ],
)
def test_no_page_is_turned_or_blown_up_by_what_a_stranger_wrote(
    admin_client: Client, payload: dict[str, Any] | str
) -> None:
    error = f"<blink>{ODD} at the end"
    [letter] = dead(1, payload=payload, digest=states.DIGEST, error=error)
    alive = states.pending(
        event_type="t", did="did:plc:a", payload=payload, digest=states.DIGEST, attempts=1, available_at=timezone.now()
    )
    for event in (letter.event, alive):
        Attempt.objects.create(event=event, number=1, kind="E", message=error, trace=error * 50, worker="host:1")
    pages = [
        LIST,
        f"{LIST}{letter.pk}/change/",
        f"{LIST}{letter.pk}/edit/",
        f"{LIST}{letter.pk}/history/",
        "/admin/events/event/",
        f"/admin/events/event/{alive.pk}/change/",
        life_of("did:plc:a"),
        "/admin/events/pipeline/",
    ]
    for path in pages:
        page = text(admin_client, path)
        shown = Depth()
        shown.feed(page)
        assert shown.strange == 0 and not set(page) & set(TURNING), (path, set(page) & set(TURNING))
        assert shown.stops <= FIELDS + 10 and len(page) < SIZE, path
