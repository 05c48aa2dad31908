"""From bytes to a validated event: what is refused, what is accepted, what identifies an event."""

from __future__ import annotations

import gzip
import json
import os
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events import syntax
from events.envelope import EVENTS_LIMIT, NewEvent, from_mapping, parse, parse_array, parse_lines
from events.exceptions import EnvelopeError
from tests.events.hostile import DID, NOT_EVENTS, STRANGE, URI, event

REV = "3jzfcijpj2z2a"


class TestEnvelope:
    def test_defaults(self) -> None:
        made = parse(event())
        assert (made.event_type, made.did, made.priority, made.payload) == ("relationship.created", DID, 1, b"{}")
        assert (made.version, made.rev, made.occurred_at, made.derived) == (None, None, None, False)

    def test_unknown_fields_are_ignored(self) -> None:
        assert parse(event(body=1, retry_count=3, deep={"a": [1]}, text="\ud800\0")).payload == b"{}"
        assert parse(event(body="\ud800")).payload == b"{}"

    def test_optional_fields_may_be_null(self) -> None:
        made = parse(event(event_id=None, rev=None, occurred_at=None))
        assert (made.rev, made.occurred_at) == (None, None)

    def test_event_id_is_kept(self) -> None:
        given_id = UUID("f8c9ae09-8093-5061-8cde-cce9b6133108")
        assert parse(event(event_id=str(given_id).upper())).event_id == given_id
        assert not parse(event(event_id=str(given_id))).derived

    @pytest.mark.parametrize("priority", [0, 1, 2, 3])
    def test_priorities(self, priority: int) -> None:
        assert parse(event(priority=priority)).priority == priority

    def test_version_is_of_rev_else_of_occurred_at(self) -> None:
        occurred_at = "2026-11-01T12:00:00.000001Z"
        assert parse(event(occurred_at=occurred_at)).version == 1_793_534_400_000_001
        assert parse(event(occurred_at=occurred_at, rev=REV)).version == syntax.tid_microseconds(REV)

    def test_occurred_at_is_aware_and_in_utc(self) -> None:
        moment = parse(event(occurred_at="2026-11-01T14:00:00+02:00")).occurred_at
        assert moment == datetime(2026, 11, 1, 12, tzinfo=UTC)
        assert moment is not None
        assert moment.utcoffset() == timedelta(0)

    @pytest.mark.parametrize("name", NOT_EVENTS)
    def test_what_is_no_event_is_refused_by_field(self, name: str) -> None:
        body, field = NOT_EVENTS[name]
        with pytest.raises(EnvelopeError) as caught:
            parse(body)
        error = caught.value
        assert (error.field, error.status) == (field, 400)
        assert error.problem
        assert error.allowed
        assert len(str(error)) < 1_000

    @given(st.binary(max_size=200))
    def test_other_bytes_raise_nothing_else(self, body: bytes) -> None:
        for reader in (parse, parse_array, parse_lines):
            try:
                reader(body)
            except EnvelopeError as error:
                json.dumps([error.field, error.problem, error.allowed]).encode()

    @given(st.data())
    def test_damaged_events_raise_nothing_else(self, data: st.DataObject) -> None:
        body = bytearray(event('{"a":[1,{"b":"\\u00e9"}],"c":-1.5e3}', rev=REV, event_id=str(UUID(int=1))))
        for _ in range(data.draw(st.integers(1, 4))):
            at = data.draw(st.integers(0, len(body) - 1))
            body[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
        try:
            made = parse(bytes(body))
        except EnvelopeError:
            return
        json.loads(made.payload)


class TestDerivedId:
    def record(self, **fields: str) -> NewEvent:
        payload = {"uri": URI, "cid": "bafyreiehk3jvqqoruwyd7d4kz24tcebpnyil3qhhltjpurpunqlqzu4zyq"}
        return parse(
            event(
                json.dumps(payload | {k: v for k, v in fields.items() if k in ("uri", "cid", "context")}),
                **{k: v for k, v in fields.items() if k not in ("uri", "cid", "context")},
            )
        )

    def test_a_repeated_post_makes_the_same_id(self) -> None:
        one, other = self.record(rev=REV), self.record(rev=REV, context="edited on the way")
        assert one.derived
        assert one.event_id == other.event_id

    def test_never_changes(self) -> None:
        assert str(self.record(rev=REV).event_id) == "893bed3f-3945-5344-b820-b662e4e460ac"

    def test_follows_type_did_uri_cid_and_moment(self) -> None:
        base: dict[str, str] = {"rev": REV}
        variants = [
            {},
            {"event_type": "relationship.deleted"},
            {"did": DID + "x"},
            {"uri": URI + "x"},
            {"cid": "bafyx"},
        ]
        moments: list[dict[str, str]] = [{"rev": "3jzfcijpj2z2b"}]
        ids = {self.record(**(base | variant)).event_id for variant in variants + moments}
        ids.add(self.record(occurred_at="2026-11-01T12:00:00Z").event_id)
        assert len(ids) == 7

    def test_rev_goes_before_occurred_at(self) -> None:
        assert self.record(rev=REV).event_id == self.record(rev=REV, occurred_at="2026-11-01T12:00:00Z").event_id

    @pytest.mark.parametrize(
        "payload", ["{}", '{"uri":""}', '{"uri":1}', '{"uri":"x\\ud800"}', '{"record":{"uri":"x"}}']
    )
    def test_without_a_uri_it_is_random(self, payload: str) -> None:
        one, other = parse(event(payload, rev=REV)), parse(event(payload, rev=REV))
        assert one.event_id != other.event_id
        assert not one.derived

    def test_without_a_moment_it_is_random(self) -> None:
        """A record deleted and published again has the same uri and cid, and is a second event."""
        one, other = self.record(), self.record()
        assert one.event_id != other.event_id
        assert not one.derived


class TestSeveral:
    def test_array(self) -> None:
        first, second, third = parse_array(b"[%s, %s,%s]" % (event(), b'{"did":1}', event('{"a":1}')))
        assert isinstance(first, NewEvent)
        assert isinstance(third, NewEvent)
        assert isinstance(second, EnvelopeError)
        assert second.field == "did"

    def test_lines(self) -> None:
        body = b"\r\n".join([event(), b"", b"{", b"  ", event('{"a":1}')]) + b"\n"
        first, second, third = parse_lines(body)
        assert isinstance(first, NewEvent)
        assert isinstance(third, NewEvent)
        assert isinstance(second, EnvelopeError)
        assert second.field == "body"

    def test_nothing(self) -> None:
        assert parse_array(b" [ ] ") == [] == parse_lines(b"\n")

    @pytest.mark.parametrize("name", STRANGE)
    def test_one_strange_payload_costs_its_neighbours_nothing(self, name: str) -> None:
        bodies = [event('{"n":1}'), event(STRANGE[name].replace("\n", " ")), event('{"n":2}')]
        for made in (parse_array(b"[" + b",".join(bodies) + b"]"), parse_lines(b"\n".join(bodies))):
            first, strange, last = (e.payload for e in made if isinstance(e, NewEvent))
            assert (first, strange, last) == (b'{"n":1}', parse(bodies[1]).payload, b'{"n":2}')

    @pytest.mark.parametrize(
        "body", [b"", b"{}", b"1", b"[", b"[1", b"[1,]", b"[]]", b"\xff", b"[\xff]x", b"[" * 10_000]
    )
    def test_what_is_no_array_is_refused_whole(self, body: bytes) -> None:
        with pytest.raises(EnvelopeError) as caught:
            parse_array(body)
        assert (caught.value.field, caught.value.status) == ("body", 400)

    @pytest.mark.parametrize("deep", [b"1", b"[" * 2_000 + b"]" * 2_000], ids=["plain", "deep"])
    def test_more_than_5000_is_413(self, deep: bytes) -> None:
        parts = [b"1"] * EVENTS_LIMIT
        assert len(parse_array(b"[" + b",".join(parts) + b"]")) == EVENTS_LIMIT == len(parse_lines(b"\n".join(parts)))
        for read, body in (
            (parse_array, b"[" + b",".join([deep, *parts]) + b"]"),
            (parse_lines, b"\n".join([deep, *parts])),
        ):
            with pytest.raises(EnvelopeError) as caught:
                read(body)
            assert caught.value.status == 413


class TestMapping:
    def test_the_same_event_as_its_bytes(self) -> None:
        mapping = {
            "event_type": "relationship.created",
            "did": DID,
            "payload": {"b": 1, "a": [1.0, None]},
            "event_id": UUID(int=7),
            "occurred_at": datetime(2026, 11, 1, 14, tzinfo=timezone(timedelta(hours=2))),
            "priority": 2,
            "unknown": True,
        }
        body = event('{"a":[1,null],"b":1}', event_id=str(UUID(int=7)), occurred_at="2026-11-01T12:00:00Z", priority=2)
        assert msgspec.structs.asdict(from_mapping(mapping)) == msgspec.structs.asdict(parse(body))

    @pytest.mark.parametrize(("text", "stored"), [("\0", b'{"a":"\\u0000"}'), ("\ud800", b'{"a":"\\ud800"}')])
    def test_strange_text_is_stored(self, text: str, stored: bytes) -> None:
        assert from_mapping({"event_type": "a", "did": DID, "payload": {"a": text}}).payload == stored

    @pytest.mark.parametrize(
        "payload",
        [
            {"a": float("nan")},
            {"a": float("inf")},
            {"a": {1}},
            {"a": b"x"},
            {("a",): 1},
            {"a": datetime(2026, 1, 1)},  # noqa: DTZ001 - naive is the point
            10**5000,
            [],
        ],
        ids=["NaN", "infinity", "set", "bytes", "tuple as key", "naive datetime", "5,001 digits", "list"],
    )
    def test_what_json_cannot_express_is_refused(self, payload: object) -> None:
        with pytest.raises(EnvelopeError):
            from_mapping({"event_type": "a", "did": DID, "payload": payload})

    def test_circular_and_bottomless_mappings_are_refused(self) -> None:
        circle: dict[str, object] = {}
        circle["circle"] = circle
        bottomless: dict[str, object] = {}
        for _ in range(100_000):
            bottomless = {"a": bottomless}
        for payload in (circle, bottomless):
            with pytest.raises(EnvelopeError):
                from_mapping({"event_type": "a", "did": DID, "payload": payload})

    def test_no_mapping_at_all(self) -> None:
        with pytest.raises(EnvelopeError):
            from_mapping(5)  # type: ignore[arg-type]


REAL = Path(os.environ.get("RHIZ_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data")) / "alpha-events.jsonl.gz"


def test_real_events_where_they_lie_beside_the_repository() -> None:
    """Extra to the tests above: every event of the real network is one, and keeps its payload."""
    lines = gzip.decompress(REAL.read_bytes()).splitlines()[:2_000] if REAL.exists() else []
    for line in lines:
        made = parse(line)
        sent = json.loads(line)
        assert str(made.event_id) == sent["event_id"]
        assert json.loads(made.payload) == sent["payload"]
