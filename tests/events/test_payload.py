"""A payload's canonical form, what is stored where it has none, and the digest that tells two contents apart."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.envelope import content_digest, parse
from events.exceptions import EnvelopeError
from events.payload import canonical
from tests.events.hostile import DID, UNDECODABLE, UNUSUAL, event

REV = "3jzfcijpj2z2a"


class TestPayload:
    @pytest.mark.parametrize("name", UNUSUAL)
    def test_is_stored_in_canonical_form(self, name: str) -> None:
        payload, expected = UNUSUAL[name]
        assert parse(event(payload)).payload.decode() == expected

    @pytest.mark.parametrize("name", UNDECODABLE)
    def test_one_that_python_cannot_decode_is_stored_as_it_was_sent(self, name: str) -> None:
        payload = UNDECODABLE[name]
        assert parse(event(payload)).payload == payload.encode()
        assert canonical(payload.encode()) == (payload.encode(), None)

    def test_over_64_kilobytes_is_413(self) -> None:
        with pytest.raises(EnvelopeError) as caught:
            parse(event('{"a":"' + "x" * 65_529 + '"}'))
        assert (caught.value.field, caught.value.status) == ("payload", 413)

    @given(
        st.dictionaries(
            st.text(),
            st.recursive(
                st.none()
                | st.booleans()
                | st.integers()
                | st.floats(allow_nan=False, allow_infinity=False)
                | st.text(),
                lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
                max_leaves=20,
            ),
            max_size=6,
        )
    )
    def test_every_json_object_keeps_its_content(self, content: dict[str, object]) -> None:
        made = parse(event(json.dumps(content)))
        assert json.loads(made.payload) == content
        assert parse(event(made.payload.decode())).payload == made.payload


class TestDigest:
    def test_spelling_and_priority_do_not_matter(self) -> None:
        one = parse(event('{"a":1,"b":"é"}', priority=0, event_id=str(UUID(int=1))))
        other = parse(event('{ "b":"\\u00e9", "a":1.0 }', priority=3, event_id=str(UUID(int=2))))
        assert one.digest == other.digest
        assert len(one.digest) == 32

    def test_everything_else_matters(self) -> None:
        bodies = [
            event(),
            event('{"a":1}'),
            event('{"a":"1"}'),
            event('{"a":1e400}'),
            event('{"a":1e401}'),
            event(event_type="relationship.updated"),
            event(did=DID + "x"),
            event(rev=REV),
            event(occurred_at="2026-11-01T12:00:00Z"),
        ]
        assert len({parse(body).digest for body in bodies}) == len(bodies)

    def test_one_moment_is_one_content(self) -> None:
        assert (
            parse(event(occurred_at="2026-11-01T12:00:00Z")).digest
            == parse(event(occurred_at="2026-11-01T13:00:00.000+01:00")).digest
        )

    def test_of_a_mapping_is_that_of_its_bytes(self) -> None:
        made = parse(event('{"b":[1.0,2],"a":"x"}', rev=REV, occurred_at="0001-01-01T00:00:00Z"))
        mapping = {"a": "x", "b": [1, 2]}
        moment = datetime(1, 1, 1, tzinfo=UTC)
        assert content_digest("relationship.created", DID, mapping, REV, moment) == made.digest
