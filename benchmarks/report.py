"""The figures in words, and as a file in benchmarks/results/."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.targets import TARGETS, Figures

RESULTS = Path(__file__).resolve().parent / "results"


def verdicts(figures: Figures) -> list[dict[str, Any]]:
    """Each target whose part was measured."""
    return [verdict for target in TARGETS if (verdict := target.verdict(figures))]


def text(figures: Figures) -> str:
    """Tables of what was measured, and the targets."""
    lines: list[str] = []
    if "append" in figures:
        lines += ["", "Append, batches of 1,000, 1 process (events/s)"]
        lines += [f"  {name:28}{found['median']:>12,.0f}" for name, found in figures["append"].items()]
    if "drain" in figures:
        lines += ["", f"{'Drain (events/s)':30}{'1 process':>12}{'2 processes':>14}"]
        lines += [
            f"  {name:28}{found['1']['median']:>12,.0f}{found['2']['median']:>14,.0f}"
            for name, found in figures["drain"]["rates"].items()
        ]
    if "latency" in figures:
        lines += ["", f"{'Append to applied (ms)':30}{'p50':>12}{'p95':>14}{'p99':>10}"]
        lines += [
            f"  {f'{rate}/s, {name}':28}{found['p50']:>12.1f}{found['p95']:>14.1f}{found['p99']:>10.1f}"
            for rate, both in figures["latency"].items()
            for name, found in both.items()
        ]
    if "intake" in figures:
        lines += _intake(figures["intake"])
    if "history" in figures:
        found = figures["history"]
        heading = f"With {found['done events']:,} done events"
        lines += ["", f"{heading:30}{'a claim, ms':>12}{'no-op drain, events/s':>24}"]
        lines += [
            f"  {name + ' log':28}{found['claim ms'][name]['median']:>12.2f}{found['drain'][name]['median']:>24,.0f}"
            for name in ("empty", "full")
        ]
    if "sqlite" in figures:
        lines += ["", "SQLite, relationships (events/s)"]
        lines += [f"  {name:28}{f['median']:>12,.0f}" for name, f in figures["sqlite"]["drain"].items()]
        beside = figures["sqlite"]["appends beside a busy worker"]
        lines += [f"  appends beside a busy worker: p50 {beside['p50']:.1f} ms, p99 {beside['p99']:.1f} ms"]
    if "memory" in figures:
        lines += ["", "Peak memory (MB)"]
        lines += [
            f"  {f'{name}, {int(events):,} events':28}{found['peak MB']:>12,.1f}"
            for name, by_events in figures["memory"].items()
            for events, found in by_events.items()
        ]
    if "cache" in figures:
        lines += _cache(figures["cache"])
    lines += ["", "Targets"]
    lines += [
        f"  {'met   ' if v['met'] else 'MISSED'}  {v['target']:58}{v['value']:>12,}  ({v['bound']})"
        for v in verdicts(figures)
    ]
    return "\n".join(lines)


def _intake(found: Figures) -> list[str]:
    lines: list[str] = []
    for part, by_name in found.items():
        lines += ["", f"{f'Intake, {part}':30}{'events/s':>12}{'p50 ms':>12}{'p99 ms':>12}"]
        for name, one in by_name.items():
            took = "".join(f"{one[p]:>12.1f}" for p in ("p50", "p99") if p in one)
            lines.append(f"  {name:28}{one['rate']:>12,.0f}{took}")
    return lines


def _cache(found: Figures) -> list[str]:
    lines: list[str] = []
    for heading, part, unit in (
        ("Calls of the cache", "calls", "us"),
        ("With the breaker open", "breaker open", "us"),
        ("Invalidation of one person's keys among", "invalidation", "ms"),
    ):
        lines += ["", f"{heading} ({unit})"]
        for name, by_whom in found[part].items():
            shown = ", ".join(f"{who} {value:,.2f}" for who, value in by_whom.items())
            lines.append(f"  {name if not name.isdigit() else f'{int(name):,} keys':24}{shown}")
    hung = found["hung"]
    lines += ["", f"{hung['calls']:,} calls on a Redis that hangs: {hung['ms']} ms"]
    lines[-1] += f"; in local memory {hung['ms in local memory']} ms"
    return lines


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
