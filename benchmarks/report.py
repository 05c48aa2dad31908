"""The figures in words, and as a file in benchmarks/results/."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.target import Figures
from benchmarks.targets import TARGETS

RESULTS = Path(__file__).resolve().parent / "results"


def verdicts(figures: Figures) -> list[dict[str, Any]]:
    """Each target whose part was measured."""
    return [verdict for target in TARGETS if (verdict := target.verdict(figures))]


def text(figures: Figures) -> str:
    """Tables of what was measured, and the targets, those that were missed last."""
    lines = [line for part, table in TABLES.items() if part in figures for line in ["", *table(figures[part])]]
    judged = sorted(verdicts(figures), key=lambda verdict: not verdict["met"])
    missed = sum(not verdict["met"] for verdict in judged)
    lines += ["", f"Targets: {len(judged) - missed} met, {missed} missed"]
    lines += [
        f"  {'met   ' if v['met'] else 'MISSED'}  {v['target']:66}{v['value']:>12,}  ({v['bound']})" for v in judged
    ]
    return "\n".join(lines)


def _table(heading: str, columns: Iterable[str], rows: Iterable[tuple[str, Iterable[float]]], form: str) -> list[str]:
    lines = [f"{heading:44}{''.join(f'{column:>14}' for column in columns)}"]
    return lines + [f"  {name:42}{''.join(f'{value:>14{form}}' for value in values)}" for name, values in rows]


def _append(found: Figures) -> list[str]:
    rows = ((name, [one["median"]]) for name, one in found.items())
    return _table("Append, batches of 1,000, 1 process", ["events/s"], rows, ",.0f")


def _drain(found: Figures) -> list[str]:
    rows = ((name, [one[n]["median"] for n in ("1", "2")]) for name, one in found["rates"].items())
    return _table("Drain (events/s)", ["1 process", "2 processes"], rows, ",.0f")


def _concurrency(found: Figures) -> list[str]:
    rows = (
        (f"{kind}, {concurrency}", [one[n]["median"] for n in ("1", "2")])
        for kind, by_concurrency in found.items()
        for concurrency, one in by_concurrency.items()
    )
    return _table("Drain by batches at once (events/s)", ["1 process", "2 processes"], rows, ",.0f")


def _latency(found: Figures) -> list[str]:
    which = ("p50", "p95", "p99")
    rows = (
        (f"{rate}/s, {name}", [one[p] for p in which]) for rate, both in found.items() for name, one in both.items()
    )
    return _table("Append to applied (ms)", which, rows, ",.1f")


def _wal(found: Figures) -> list[str]:
    lines: list[str] = []
    for heading, unit in (("Bytes of an event", " B"), ("CPU of an event", " us")):
        keys = [key for one in found.values() for key in one if unit in key]
        rows = ((key, [one[key] for one in found.values()]) for key in dict.fromkeys(keys))
        lines += _table(heading, (name.removesuffix("relationships")[:13] for name in found), rows, ",.0f")
    return lines


def _intake(found: Figures) -> list[str]:
    lines: list[str] = []
    for part, by_name in found.items():
        rows = ((name, [one[p] for p in ("rate", "p50", "p99") if p in one]) for name, one in by_name.items())
        lines += _table(f"Intake, {part}", ["events/s", "p50 ms", "p99 ms"], rows, ",.1f")
    return lines


def _endtoend(found: Figures) -> list[str]:
    which = ("p50", "p99", "rate")
    rows = ((name, [one[p] for p in which]) for name, one in found.items())
    return _table("Sending to applied, single POSTs", ["p50 ms", "p99 ms", "events/s"], rows, ",.1f")


def _history(found: Figures) -> list[str]:
    rows = ((f"{name} log", [found[part][name]["median"] for part in ("drain", "claim ms")]) for name in found["drain"])
    heading = f"With {found['done events']:,} done events"
    return _table(heading, ["no-op, 1/s", "a claim, ms"], rows, ",.2f")


def _sqlite(found: Figures) -> list[str]:
    keys = ("rate", "file B", "file B, vacuumed")
    rows = ((name, [one[key] for key in keys]) for name, one in found["drain"].items())
    appends = found["appends beside a busy worker"]
    return [
        *_table("SQLite, relationships", ["events/s", "file B/event", "vacuumed"], rows, ",.0f"),
        f"  appends beside a busy worker: p50 {appends['p50']:.1f} ms, p99 {appends['p99']:.1f} ms",
    ]


def _memory(found: Figures) -> list[str]:
    rows = (
        (f"{name}, {int(events):,} events", [one["peak MB"]])
        for name, by_events in found.items()
        for events, one in by_events.items()
    )
    return _table("Peak memory", ["MB"], rows, ",.1f")


def _endurance(found: Figures) -> list[str]:
    lines = _table(
        f"No-op drain for {found['seconds']:g} s, 1 process",
        ["first 10 s", "second half", "lowest minute"],
        [("events/s", [found[key] for key in ("first 10 s", "second half", "lowest minute")])],
        ",.0f",
    )
    return lines + [f"  by minute: {', '.join(f'{rate:,}' for rate in run['minutes'])}" for run in found["runs"]]


def _cache(found: Figures) -> list[str]:
    lines: list[str] = []
    for heading, part, unit in (
        ("Calls of the cache", "calls", "us"),
        ("With the breaker open", "breaker open", "us"),
        ("Invalidation of one person's keys among", "invalidation", "ms"),
    ):
        lines += [f"{heading} ({unit})"]
        for name, by_whom in found[part].items():
            shown = ", ".join(f"{who} {value:,.2f}" for who, value in by_whom.items())
            lines.append(f"  {name if not name.isdigit() else f'{int(name):,} keys':24}{shown}")
    hung = found["hung"]
    times = f"{hung['ms']} ms; in local memory {hung['ms in local memory']} ms"
    return [*lines, f"{hung['calls']:,} calls on a Redis that hangs: {times}"]


TABLES = {
    "append": _append,
    "drain": _drain,
    "concurrency": _concurrency,
    "latency": _latency,
    "wal": _wal,
    "intake": _intake,
    "endtoend": _endtoend,
    "history": _history,
    "sqlite": _sqlite,
    "memory": _memory,
    "endurance": _endurance,
    "cache": _cache,
}


def write(figures: Figures, machine: dict[str, object], seconds: float, *, quick: bool) -> Path:
    """Write everything to a file named after the time; its path."""
    now = datetime.now(UTC)
    content = {
        "date": now.isoformat(timespec="seconds"),
        "quick": quick,
        "seconds": round(seconds),
        "machine": machine,
        "figures": figures,
        "targets": verdicts(figures),
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{now:%Y-%m-%d-%H%M%S}{'-quick' if quick else ''}.json"
    path.write_text(json.dumps(content, indent=2) + "\n")
    return path
