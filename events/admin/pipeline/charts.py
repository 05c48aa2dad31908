"""Charts as SVG, drawn here and not in the browser.

pygal draws; its styles and scripts are taken out again, so that a page may forbid inline ones, and the page's own
style sheet colours the lines by their classes, in the light and in the dark.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from math import log10
from typing import Any, NamedTuple
from xml.etree import ElementTree

import pygal
from django.utils.safestring import SafeString, mark_safe

from events.history.series import Points, Window

WIDTH, HEIGHT = 420, 220  # of the drawing; the page scales it
LABEL_SIZE = 12
ROWS = 12  # of the table behind a chart
# Where the axis of a logarithmic chart may have a label: seconds.
MARKS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0, 21_600.0, 86_400.0)
UNWANTED = ("defs", "style", "script", "title")
# Seconds between two labels of the time, and their form.
TICKS = {"1h": (900, "%H:%M"), "24h": (6 * 3_600, "%H:%M"), "7d": (86_400, "%a"), "30d": (7 * 86_400, "%d %b")}
LEAST = 1e-9  # that is drawn as more than nothing: of the smallest floats the library can make no scale


class Line(NamedTuple):
    """One line of a chart. `kind` is the end of its class in the style sheet."""

    name: str
    kind: str
    points: Points


class Chart(NamedTuple):
    """One chart: its drawing, and the same in words and figures."""

    slug: str
    title: str
    summary: str
    legend: list[tuple[str, str, str, str]]  # name, kind, newest value, highest
    svg: SafeString
    head: list[str]
    rows: list[tuple[datetime, list[str]]]


def chart(
    slug: str,
    title: str,
    lines: Sequence[Line],
    window: Window,
    now: datetime,
    *,
    form: Callable[[float | None], str],
    logarithmic: bool = False,
) -> Chart:
    """A chart of `lines` over the window that ends `now`; `form` makes words of a value."""
    legend = [(line.name, line.kind, form(_newest(line.points)), form(_highest(line.points))) for line in lines]
    told = "; ".join(f"{name} now {newest}, highest {highest}" for name, _, newest, highest in legend)
    summary = f"{title} over {window.label}: {told}."
    return Chart(
        slug,
        title,
        summary,
        legend,
        _draw(slug, title, summary, lines, window, now, form, logarithmic),
        [line.name for line in lines],
        _table(lines, form),
    )


def _newest(points: Points) -> float | None:
    return points[-1][1] if points else None


def _highest(points: Points) -> float | None:
    return max((value for _, value in points if value is not None), default=None)


def _table(lines: Sequence[Line], form: Callable[[float | None], str]) -> list[tuple[datetime, list[str]]]:
    """At most ROWS moments, the newest first; between two of them the chart knows more."""
    values = [dict(line.points) for line in lines]
    moments = sorted({moment for each in values for moment in each}, reverse=True)
    every = max(1, -(-len(moments) // ROWS))
    return [(moment, [form(each.get(moment)) for each in values]) for moment in moments[::every]]


def _draw(
    slug: str,
    title: str,
    summary: str,
    lines: Sequence[Line],
    window: Window,
    now: datetime,
    form: Callable[[float | None], str],
    logarithmic: bool,
) -> SafeString:
    end = now.timestamp()
    begin = end - window.length
    tick, label = TICKS[window.name]
    drawing = pygal.XY(
        width=WIDTH,
        height=HEIGHT,
        margin=6,
        spacing=6,
        css=[],
        js=[],
        no_prefix=True,
        disable_xml_declaration=True,
        allow_interruptions=True,
        show_dots=False,
        show_legend=False,
        include_x_axis=not logarithmic,
        max_scale=5,
        xrange=(begin, end),
        truncate_label=-1,
        style=pygal.style.Style(label_font_size=LABEL_SIZE, major_label_font_size=LABEL_SIZE),
        x_value_formatter=lambda second: datetime.fromtimestamp(second, now.tzinfo).strftime(label),
        value_formatter=(lambda power: form(10**power)) if logarithmic else form,
    )
    drawing.x_labels = list(range(int(-(-begin // tick)) * tick, int(end) + 1, tick))
    known = [value for line in lines for _, value in line.points if value is not None]
    if logarithmic and known:
        drawing.y_labels = [log10(mark) for mark in _marks(max(min(known), MARKS[0]), max(known))]
    elif max(known, default=0.0) < LEAST:
        drawing.range = (0, 1)
        drawing.y_labels = [0, 1]
    for line in lines:
        # Powers are taken here: the library's own logarithmic charts draw over gaps.
        drawing.add(line.name, [(at.timestamp(), _power(value) if logarithmic else value) for at, value in line.points])
    drawing.add_xml_filter(lambda root: _made_ours(root, slug, title, summary, lines))
    return mark_safe(drawing.render(is_unicode=True))  # noqa: S308 - names in it are ours, and escaped by the library


def _power(seconds: float | None) -> float | None:
    return None if seconds is None else log10(max(seconds, MARKS[0]))


def _marks(lowest: float, highest: float) -> list[float]:
    """The marks around what is known."""
    below = [mark for mark in MARKS if mark <= lowest][-1:]
    between = [mark for mark in MARKS if lowest < mark < highest]
    above = [mark for mark in MARKS if mark >= highest][:1]
    return below + between + above


def _made_ours(root: Any, slug: str, title: str, summary: str, lines: Sequence[Line]) -> Any:
    """The drawing without styles, scripts and comments, named for those who can't see it."""
    for parent in list(root.iter()):
        for child in list(parent):
            comment = not isinstance(child.tag, str)
            if comment or child.tag in UNWANTED or "style" in child.attrib or "overlay" in child.get("class", ""):
                parent.remove(child)
    del root.attrib["id"]
    root.set("class", "chart")
    root.set("role", "img")
    root.set("aria-labelledby", f"{slug}-title {slug}-summary")
    for number, (tag, text) in enumerate((("title", title), ("desc", summary))):
        child = ElementTree.Element(tag, {"id": f"{slug}-{'title' if tag == 'title' else 'summary'}"})
        child.text = text
        root.insert(number, child)
    if not any(value is not None for line in lines for _, value in line.points):
        nothing = ElementTree.SubElement(root, "text", {"x": str(WIDTH / 2), "y": str(HEIGHT / 2), "class": "no_data"})
        nothing.text = "nothing known of this time"
    for group in root.iter():
        for number, line in enumerate(lines):
            if group.get("class", "").startswith(f"series serie-{number} "):
                group.set("class", f"line-{line.kind}")
    return root
