"""How the pipeline is, in words: the worst first, each with what it means and what mends it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from django.template.defaultfilters import pluralize

from events.admin.words import count, duration
from events.conf import conf
from events.stats import FULL_SHARE, Figures
from events.visible import last_line

Level = Literal["bad", "warning", "note", "good"]

BEHIND = 60.0  # seconds that the oldest ready event waits, from which on the pipeline is behind
SLOW = 1.0  # seconds that the database may take to tell its figures

DEAD_LETTERS = "admin:events_deadletter_changelist"
WORKERS = "#workers"
BLOCKERS = "#blockers"
DEPTH = "#depth"


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that an operator should know. `link` is the name of a page, or a place on this one."""

    level: Level
    title: str
    meaning: str
    mend: str = ""
    link: str = ""
    label: str = ""  # of the link


@dataclass(frozen=True, slots=True)
class Condition:
    """What the notices are made of. `figures` is None where the database did not tell them in time."""

    figures: Figures | None
    died: int = 0  # events, in the last hour
    seconds: float = 0.0  # that the database last took to tell a worker its figures
    not_durable: tuple[str, ...] = ()  # the database's settings that make it so


def notices(condition: Condition) -> list[Notice]:
    """All that is to be said, the worst first; there is always a first one."""
    now = condition.figures
    said = [*_of_the_database(condition), *(_of_the_pipeline(now, condition) if now else ())]
    said.sort(key=lambda notice: ("bad", "warning", "note").index(notice.level))
    if not said or said[0].level == "note":
        said.insert(0, Notice("good", "Healthy", _healthy(now)))
    return said


def loss(condition: Condition) -> Notice:
    """Whether events are being lost."""
    if condition.not_durable:
        settings = ", ".join(condition.not_durable)
        return Notice(
            "bad",
            "Events can be lost",
            f"The database confirms a commit before it is on disk ({settings}): a crash of its host loses events.",
            "Set it back to the database's default.",
        )
    if condition.figures and condition.figures.faults:
        return Notice("bad", "Events can be lost", "The audit did not find each event in the place where it belongs.")
    held = "Every event that was answered 202 is in the log, and ends done, or dead with its reason."
    if condition.figures is None:
        held = "What was answered 202 was in the log before; what the database can't take is answered 503."
    elif condition.figures.backpressure:
        held += " What is refused now was not accepted: its sender keeps it and sends it again."
    return Notice("good", "No event is being lost.", held)


def _of_the_database(condition: Condition) -> Iterator[Notice]:
    if condition.figures is None:
        yield Notice(
            "bad",
            "Database slow",
            "It did not tell how deep the log is within half a second. Workers and senders wait for it too.",
            "Look at the disk and the load of its host, and at pg_stat_activity for what runs long.",
        )
    elif condition.seconds > SLOW:
        yield Notice(
            "warning",
            "Database slow",
            f"It took {duration(condition.seconds)} to tell a worker the figures of the log.",
            "Look at the disk and the load of its host, and at pg_stat_activity for what runs long.",
        )


def _of_the_pipeline(now: Figures, condition: Condition) -> Iterator[Notice]:
    pending = count(now.depth.pending, now.capacity)
    if now.faults:
        yield Notice(
            "bad",
            "Faults in the log",
            f"The audit found {_events(now.faults)} that would never be applied, or would be applied twice.",
            "Run manage.py verify_log: it names them.",
        )
    if not now.alive:
        yield Notice(
            "bad",
            "No worker",
            f"No worker has been heard of for 15 seconds. Events are taken in and wait: {pending} are pending.",
            "Start manage.py runworker, or look why it ends.",
            WORKERS,
            "The last workers",
        )
    elif now.stalled:
        yield Notice(
            "bad",
            "Stalled",
            f"{len(now.stalled)} of {len(now.alive)} workers ended no step in {duration(conf.batch_timeout)}, "
            "though events are ready.",
            "End what holds a lock in the database; if nothing does, restart that worker: its batch is taken again.",
            WORKERS,
            "What it is doing",
        )
    elif (oldest := max(now.depth.oldest.values(), default=0.0)) > BEHIND:
        yield Notice(
            "warning",
            "Behind",
            f"The oldest ready event has waited for {duration(oldest)}. {eta(now)}",
            "If the depth grows, start more workers.",
            DEPTH,
            "Depth by priority",
        )
    if now.backpressure:
        yield Notice(
            "bad",
            "Backpressure",
            f"{pending} events are pending, of {now.capacity:,}. New ones are answered 503 with Retry-After; "
            "critical ones are taken until it is full.",
            f"It ends by itself when fewer than {FULL_SHARE * now.capacity:,.0f} are pending. {eta(now)}",
            WORKERS,
            "Who works",
        )
    if condition.died:
        yield Notice(
            "warning",
            "Dead letters growing",
            f"In the last hour {_events(condition.died)} died. None is lost: each is kept, with its reason.",
            "Mend the cause, then requeue them.",
            DEAD_LETTERS,
            "Reasons, and requeue",
        )
    elif now.depth.dead:
        yield Notice(
            "note",
            "Dead letters",
            f"{_events(now.depth.dead, now.capacity)} dead; none died within the last hour.",
            "Requeue or discard them.",
            DEAD_LETTERS,
            "Reasons, and requeue",
        )
    if now.died_recently:
        yield Notice(
            "warning",
            "A worker died",
            f"{now.died_recently} ended without deregistering in the last five minutes. Its events were taken again; "
            "until then workers run one step at a time, and slower.",
            "Look at its host: was it killed, or out of memory?",
            WORKERS,
            "Which one",
        )
    if failing := now.failing_lanes:
        longest = max(failing, key=lambda lane: lane["seconds"])
        yield Notice(
            "warning",
            "Lanes failing",
            f"{_lanes(failing)} keep failing, for {duration(longest['seconds'])}: {last_line(longest['error'])}. "
            "Their events stay pending; the other lanes are applied.",
            "Resolve the error: the lanes go on by themselves.",
            WORKERS,
            "Which workers",
        )
    if now.depth.waiting or now.depth.suspects:
        yield Notice(
            "note",
            "Waiting",
            f"For a next try, or behind one of their DID that does: "
            f"{_events(now.depth.waiting + now.depth.suspects, now.capacity)}.",
            "It goes on by itself.",
            BLOCKERS,
            "Who holds them up",
        )


def _lanes(failing: list[dict[str, Any]]) -> str:
    numbers = sorted({int(lane["lane"]) for lane in failing})
    return f"The batches of lane{pluralize(len(numbers))} {', '.join(map(str, numbers))}"


def _events(number: int, limit: int | None = None) -> str:
    return f"{count(number, limit)} event{pluralize(number)}"


def _healthy(now: Figures | None) -> str:
    if now is None or not now.depth.pending:
        return "Everything that came is applied."
    return f"Events are applied as they come. {eta(now)}"


def eta(now: Figures) -> str:
    """A sentence on when all that is pending will be applied, at the rate of the last minute."""
    if not now.depth.pending:
        return "Nothing waits."
    if not now.minute.throughput:
        return "None was applied in the last minute."
    return (
        f"At the present rate all that is pending is applied in {duration(now.depth.pending / now.minute.throughput)}."
    )
