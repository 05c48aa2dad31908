"""Charts: what they draw, what they say to those who can't see them, and what a strict page allows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from events.admin.pipeline.charts import ROWS, Line, chart
from events.admin.words import count, duration, rate
from events.history.series import WINDOWS, Points

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SVG = "{http://www.w3.org/2000/svg}"


def points(*values: float | None) -> Points:
    return [(NOW - timedelta(minutes=len(values) - n), value) for n, value in enumerate(values)]


def drawn(*lines: Line, window: str = "1h", logarithmic: bool = False) -> ElementTree.Element:
    made = chart("a", "A chart", lines, WINDOWS[window], NOW, form=duration, logarithmic=logarithmic)
    return ElementTree.fromstring(made.svg)


def strokes(root: ElementTree.Element, kind: str) -> list[str]:
    return [
        path.get("d", "")
        for group in root.iter(f"{SVG}g")
        if group.get("class") == f"line-{kind}"
        for path in group.iter(f"{SVG}path")
    ]


value = st.none() | st.floats(0, 1e6)


@example([[5e-324]], "1h", False)
@given(st.lists(st.lists(value, max_size=30), min_size=1, max_size=5), st.sampled_from(sorted(WINDOWS)), st.booleans())
def test_nothing_in_it_is_refused_by_a_strict_policy(values: list[list[float | None]], window: str, log: bool) -> None:
    root = drawn(
        *(Line(f"<b>{n}", f"k{n}", points(*each)) for n, each in enumerate(values)), window=window, logarithmic=log
    )
    for element in root.iter():
        assert element.tag in {SVG + name for name in ("svg", "g", "path", "rect", "text", "title", "desc")}
        assert not {name for name in element.attrib if name == "style" or name.startswith("on") or "href" in name}


def test_it_is_named_and_described_for_those_who_cannot_see_it() -> None:
    root = drawn(Line("p99", "p99", points(0.1, 2.0)))
    title, description = root[0], root[1]
    assert (title.tag, title.text) == (f"{SVG}title", "A chart")
    assert description.text == "A chart over 1 hour: p99 now 2 s, highest 2 s."
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"


@pytest.mark.parametrize("logarithmic", [False, True])
def test_a_gap_is_a_gap_in_the_line(logarithmic: bool) -> None:
    line = Line("p50", "p50", points(1.0, 2.0, 1.0, None, 3.0, 1.0))
    assert len(strokes(drawn(line, logarithmic=logarithmic), "p50")) == 2
    whole = Line("p50", "p50", points(1.0, 2.0, 1.0, 3.0, 1.0))
    assert len(strokes(drawn(whole, logarithmic=logarithmic), "p50")) == 1


def test_nothing_known_is_said_and_not_drawn_as_zero() -> None:
    root = drawn(Line("dead", "dead", []))
    assert "nothing known of this time" in "".join(root.itertext())
    assert strokes(root, "dead") == []


def test_the_table_behind_it_is_short_and_begins_with_the_newest() -> None:
    made = chart("a", "A", [Line("x", "x", points(*range(100)))], WINDOWS["1h"], NOW, form=count)
    assert len(made.rows) <= ROWS
    assert made.rows[0] == (NOW - timedelta(minutes=1), ["99"])
    assert made.legend == [("x", "x", "99", "99")]


@given(st.floats(0, 1e9))
def test_words_of_a_time_are_short_and_of_the_right_size(seconds: float) -> None:
    number, unit = duration(seconds).split(" ")
    size = {"ms": 0.001, "s": 1, "min": 60, "h": 3_600, "d": 86_400}[unit]
    assert float(number.replace(",", "")) * size == pytest.approx(seconds, rel=0.06, abs=1e-5)
    assert len(duration(min(seconds, 1e6))) <= 8


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (duration(None), "-"),
        (duration(0.003), "3 ms"),
        (duration(90), "90 s"),
        (duration(150), "2.5 min"),
        (rate(0.0), "0"),
        (rate(0.256), "0.26"),
        (rate(1234.4), "1,234"),
        (count(100_001, 100_000), "100,000+"),
        (count(100_000, 100_000), "100,000"),
        (count(None), "-"),
    ],
)
def test_words(told: str, words: str) -> None:
    assert told == words
