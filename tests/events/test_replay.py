"""Replaying files: what is sent, in which order, how often, and what the command says in the end."""

from __future__ import annotations

import gzip
import io
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import OperationalError
from django.db.models import TextField
from django.db.models.functions import Cast
from django.test import override_settings

from events.envelope import parse
from events.log.append import append_new
from events.models import Event, Pending
from events.replay import to_log
from events.replay.identity import identified
from events.replay.lines import BATCH_BYTES, LINE_LIMIT, Line, Source, batches
from events.replay.patience import PATIENCE, Patience, ReplayError
from events.replay.rate import Rate
from events.replay.tally import Tally
from events.replay.to_log import ToLog
from tests.events.hostile import STRANGE, event
from tests.events.lines import DID, bodies, body, numbered


class TestSource:
    def read(self, name: str) -> list[Line]:
        with Source(name) as source:
            return list(source.lines())

    def test_lines_have_their_numbers_and_blank_ones_are_left_out(self, file: Callable[..., str]) -> None:
        assert self.read(file(b"a\r", b"", b"  \t", b"b", b"")) == [Line(1, b"a"), Line(4, b"b")]

    @pytest.mark.parametrize("parts", [(), (b"",), (b"x",), (b"xy", b"z")])
    def test_short_files(self, file: Callable[..., str], parts: tuple[bytes, ...]) -> None:
        assert [line.body for line in self.read(file(*parts))] == [part for part in parts if part]

    def test_gzip_is_told_by_its_first_bytes(self, file: Callable[..., str], tmp_path: Path) -> None:
        Path(file(b"a", b"b", name="events.gz")).rename(tmp_path / "without-suffix")
        assert [line.body for line in self.read(str(tmp_path / "without-suffix"))] == [b"a", b"b"]

    def test_standard_input(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for content in (b"a\nb\n", gzip.compress(b"a\nb\n")):
            monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(content))))
            assert [line.body for line in self.read("-")] == [b"a", b"b"]

    def test_a_line_without_end_is_cut(self, file: Callable[..., str]) -> None:
        first, second = self.read(file(b"x" * (2 * LINE_LIMIT + 7), b"y"))
        assert (len(first.body), second) == (LINE_LIMIT, Line(2, b"y"))

    def test_position_reaches_the_size(self, file: Callable[..., str]) -> None:
        with Source(file(*bodies(50), name="events.jsonl.gz")) as source:
            assert source.size
            assert len(list(source.lines())) == 50
            assert source.position == source.size

    def test_batches_are_bounded_in_events_and_bytes(self) -> None:
        assert [len(batch) for batch in batches(iter(numbered([b"x"] * 25)), 10)] == [10, 10, 5]
        heavy = [b"x" * (BATCH_BYTES // 2 - 1)] * 5
        assert [len(batch) for batch in batches(iter(numbered(heavy)), 10)] == [2, 2, 1]

    def test_memory_does_not_grow_with_the_file(self, file: Callable[..., str]) -> None:
        name = file(*[body(payload={"text": "x" * 2_000})] * 20_000, name="long.jsonl.gz")
        tracemalloc.start()
        try:
            with Source(name) as source:
                total = sum(len(batch) for batch in batches(source.lines()))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert (total, peak < 12_000_000) == (20_000, True)


class TestIdentity:
    def test_an_id_is_kept(self) -> None:
        sent = body(event_id=str(uuid4()))
        assert identified(sent) is sent

    def test_an_id_that_the_server_derives_is_left_to_it(self) -> None:
        sent = body(payload={"uri": f"at://{DID}/net.rhiz.relationship.record/1"}, rev="3jzfcijpj2z2a")
        assert identified(sent) is sent

    def test_others_get_one_and_keep_their_payload_byte_for_byte(self) -> None:
        sent = b'{"event_id":null,"did":"%s","event_type":"x.y","payload":{"b":1.50,"a":"\\u00e9"}}' % DID.encode()
        received = identified(sent)
        assert UUID(json.loads(received)["event_id"]).version == 4
        assert b'"payload":{"b":1.50,"a":"\\u00e9"}' in received

    @pytest.mark.parametrize("sent", [b"", b"{", b"[]", b'{"did":1}', b"\xff", b'{"event_id":7}', b"[" * 20_000])
    def test_what_is_no_event_is_left_to_the_server(self, sent: bytes) -> None:
        assert identified(sent) is sent


class TestRateAndPatience:
    def test_rate_spreads_events_and_does_not_catch_up(self) -> None:
        now, slept = [0.0], []

        def sleep(seconds: float) -> None:
            slept.append(round(seconds, 6))
            now[0] += seconds

        rate = Rate(100.0, sleep, lambda: now[0])
        assert rate.batch(1_000) == 5
        for _ in range(3):
            rate.wait(5)
        now[0] += 60
        for _ in range(2):
            rate.wait(5)
        assert slept == [0.05, 0.05, 0.05]

    def test_without_a_rate_nothing_waits(self) -> None:
        rate = Rate(None, sleep=lambda _: pytest.fail("it waited"))
        rate.wait(1_000_000)
        assert rate.batch(1_000) == 1_000

    def test_patience_ends(self) -> None:
        now = [0.0]
        patience = Patience(lambda seconds: now.__setitem__(0, now[0] + seconds), lambda: now[0])
        with pytest.raises(ReplayError, match="no answer for 120 s: refused"):
            for _ in range(1_000):
                patience.wait(OSError("refused"))
        assert PATIENCE < now[0] < PATIENCE + 10
        patience.answered()
        patience.wait(OSError("refused"))


@pytest.mark.django_db(transaction=True)
class TestToLog:
    def test_counts_what_became_of_each(self, file: Callable[..., str], capsys: pytest.CaptureFixture[str]) -> None:
        event_id = str(uuid4())
        name = file(*bodies(3), body(event_id=event_id), body(event_id=event_id))
        call_command("replay", name)
        call_command("replay", name)
        assert capsys.readouterr().out.splitlines() == [
            "4 enqueued, 1 duplicates, 0 rejected",
            "0 enqueued, 5 duplicates, 0 rejected",
        ]
        assert Pending.objects.count() == Event.objects.count() == 4

    def test_ids_follow_the_file(self, file: Callable[..., str]) -> None:
        parts = bodies(2_500)
        call_command("replay", file(*parts, name="events.jsonl.gz"))
        stored = Event.objects.order_by("id").values_list("event_id", flat=True)
        assert [str(event_id) for event_id in stored] == [json.loads(part)["event_id"] for part in parts]

    def test_rejections_end_with_1_and_the_rest_goes_in(
        self, file: Callable[..., str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        event_id = str(uuid4())
        name = file(
            body(event_id=event_id),
            body(event_id=event_id, payload={"a": 1}),
            b"{",
            body(did="nobody"),
            b"",
            body(event_type="no.such"),
        )
        with pytest.raises(CommandError, match="4 events rejected") as caught:
            call_command("replay", name)
        assert caught.value.returncode == 1
        out, err = capsys.readouterr()
        assert out == "1 enqueued, 0 duplicates, 4 rejected\n"
        assert [line.split(":")[0] for line in err.splitlines()] == ["line 2", "line 3", "line 4", "line 6"]
        assert "taken by an event with another content" in err
        assert Event.objects.count() == 1

    @pytest.mark.parametrize("name", STRANGE)
    def test_a_strange_payload_is_accepted_and_pending(self, file: Callable[..., str], name: str) -> None:
        sent = event(STRANGE[name].replace("\n", " "))
        call_command("replay", file(sent))
        stored = Event.objects.annotate(text=Cast("payload", TextField())).get()
        assert stored.text == parse(sent).payload.decode()
        assert Pending.objects.count() == 1

    @override_settings(EVENT_QUEUE_CAPACITY=1)
    def test_capacity_does_not_matter(self, file: Callable[..., str]) -> None:
        call_command("replay", file(*bodies(20)))
        assert Pending.objects.count() == 20

    def test_a_connection_lost_in_commit_makes_no_second_event(self, monkeypatch: pytest.MonkeyPatch) -> None:
        lost: list[bool] = []

        def append_and_lose_the_answer(events: Any, **options: Any) -> Any:
            appended = append_new(events, **options)
            if not lost:
                lost.append(True)
                raise OperationalError("the connection is lost") from _psycopg_error()
            return appended

        monkeypatch.setattr(to_log, "append_new", append_and_lose_the_answer)
        tally = Tally()
        slept: list[float] = []
        ToLog(tally, Patience(slept.append)).send(numbered([body(), body()]))
        assert (str(tally), len(slept)) == ("0 enqueued, 2 duplicates, 0 rejected", 1)
        assert Event.objects.count() == 2


@pytest.mark.parametrize("name", ["missing.jsonl", "."])
def test_a_file_that_cannot_be_opened(name: str, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="can't be read"):
        call_command("replay", str(tmp_path / name))


@pytest.mark.django_db(transaction=True)
def test_a_damaged_file_is_told_after_what_could_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "cut.gz"
    path.write_bytes(gzip.compress(b"\n".join(bodies(5_000)))[:-2_000])
    with pytest.raises(CommandError, match="can't be read"):
        call_command("replay", str(path))
    enqueued = int(capsys.readouterr().out.split()[0])
    assert enqueued == Event.objects.count() > 1_000


@pytest.mark.parametrize("rate", ["0", "-1", "nan", "inf"])
def test_a_rate_is_above_0(rate: str) -> None:
    with pytest.raises(CommandError, match="--rate takes"):
        call_command("replay", "x", "--rate", rate)


def _psycopg_error() -> Exception:
    return psycopg.OperationalError("server closed the connection unexpectedly")
