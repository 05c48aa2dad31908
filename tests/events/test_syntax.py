"""AT Protocol identifiers: what is one, what is not, and what they parse to."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events import syntax

DID = "did:plc:2rzv4orglylo5yb7lfyyxg25"


def holds(parser: Callable[[str], object], value: str) -> bool:
    """Whether `parser` takes `value`; any exception but ValueError fails the test."""
    try:
        parser(value)
    except ValueError:
        return False
    return True


class TestDid:
    @pytest.mark.parametrize(
        "value", [DID, "did:web:localhost%3A1234", "did:m:v", "did:method:::-", "did:m:" + "v" * 2042]
    )
    def test_valid(self, value: str) -> None:
        assert syntax.is_did(value)

    @pytest.mark.parametrize(
        "value",
        [
            "",
            "did",
            "did:m:",
            "did:m:v:",
            "did:m:v%",
            "DID:m:v",
            "did:M:v",
            "did:m1:v",
            "did:m:v/x",
            "did:m:v\n",
            " did:m:v",
            "did:m:é",
            "did:m:v\x00",
            "did:m:" + "v" * 2043,
            "did:m:" + ":" * 100000,
            "did:\u0661:v",
        ],
    )
    def test_invalid(self, value: str) -> None:
        assert not syntax.is_did(value)


class TestUri:
    def test_parts_of_a_record(self) -> None:
        assert syntax.parse_record_uri(f"at://{DID}/net.rhiz.relationship.record/36okhzkt72222") == (
            DID,
            "net.rhiz.relationship.record",
            "36okhzkt72222",
        )

    def test_parts_that_are_not_there_are_empty(self) -> None:
        assert syntax.parse_uri("at://user.bsky.social/com.atproto.feed.post") == (
            "user.bsky.social",
            "com.atproto.feed.post",
            "",
        )

    @pytest.mark.parametrize(
        "value",
        [
            f"at://{DID}",
            f"at://{DID}/net.rhiz.record",
            "at://user.bsky.social/net.rhiz.record/x",
            f"at://{DID}/net.rhiz.record/x/",
            f"at://{DID}/net.rhiz.record/x#frag",
            f"at://{DID}/net.rhiz.record/..",
            f"at://{DID}/net.rhiz.record/.",
            f"at://{DID}/net.rhiz.record/x\n",
            f"at://{DID}/net.rhiz.record/{'x' * 513}",
            f"at://{DID}/a.{'b' * 63}.{'c' * 63}.{'d' * 63}.{'e' * 63}.{'f' * 63}/x",
            f"at://{DID}/net.rhiz-/x",
            f"at://{DID}/1net.rhiz.record/x",
            f"at://did:plc:{'a' * 2048}/net.rhiz.record/x",
            "at://" + "a." * 5000,
        ],
    )
    def test_what_names_no_record_of_a_repository_is_refused(self, value: str) -> None:
        with pytest.raises(ValueError, match="at://<did>"):
            syntax.parse_record_uri(value)

    @pytest.mark.parametrize("rkey", ["...", "self", "a:b", "~", "_", "-", "a.", ".a"])
    def test_record_keys(self, rkey: str) -> None:
        assert syntax.parse_record_uri(f"at://{DID}/net.rhiz.record/{rkey}").rkey == rkey


class TestCid:
    @pytest.mark.parametrize(
        "value", ["bafyreiehk3jvqqoruwyd7d4kz24tcebpnyil3qhhltjpurpunqlqzu4zyq", "mBcDxtdWx0aWhhc2g+"]
    )
    def test_valid(self, value: str) -> None:
        assert syntax.is_cid(value)

    @pytest.mark.parametrize(
        "value", ["", "short", "QmbWqxBEKC3P8tqsKc98xmWNzrzDtRLMiMPL8wBuTGsMnR", "bafy-reie", "b" * 257]
    )
    def test_invalid(self, value: str) -> None:
        assert not syntax.is_cid(value)


class TestDatetime:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ("2026-11-01T12:00:00Z", datetime(2026, 11, 1, 12, tzinfo=UTC)),
            ("2026-11-01T12:00:00.5+01:45", datetime(2026, 11, 1, 10, 15, 0, 500_000, tzinfo=UTC)),
            ("1985-04-12T23:20:50.123456789012Z", datetime(1985, 4, 12, 23, 20, 50, 123_456, tzinfo=UTC)),
            ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
            ("2016-12-31T23:59:60Z", datetime(2017, 1, 1, tzinfo=UTC)),
            ("2016-12-31T18:59:60.9-05:00", datetime(2017, 1, 1, tzinfo=UTC)),
        ],
    )
    def test_is_aware_and_in_utc(self, value: str, expected: datetime) -> None:
        moment = syntax.parse_datetime(value)
        assert moment == expected
        assert moment.utcoffset() == timedelta(0)

    @pytest.mark.parametrize(
        "value",
        [
            "2026-11-01T12:00:00",  # no zone
            "2026-11-01T12:00:00-00:00",
            "2026-11-01T12:00:00z",
            "2026-11-01 12:00:00Z",
            "2026-11-01T24:00:00Z",
            "2026-11-01T12:00:60Z",  # not where leap seconds are
            "2026-11-01T12:00:61Z",
            "2026-02-30T12:00:00Z",
            "0000-01-01T00:00:00Z",  # a year that overflows
            "0001-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
            "9999-12-31T23:59:60Z",
            "2026-11-01T12:00:00Z\n",
            "2026-11-01T12:00:00." + "1" * 60 + "Z",
            "٢٠٢٦-11-01T12:00:00Z",  # digits, but not these
        ],
    )
    def test_invalid(self, value: str) -> None:
        with pytest.raises(ValueError, match="RFC 3339"):
            syntax.parse_datetime(value)

    @given(
        st.datetimes(
            datetime(1, 1, 3),  # noqa: DTZ001 - hypothesis adds the zone
            datetime(9999, 12, 29),  # noqa: DTZ001
            timezones=st.builds(timezone, st.integers(-1439, 1439).map(lambda m: timedelta(minutes=m))),
        )
    )
    def test_every_datetime_of_python_survives(self, moment: datetime) -> None:
        text = moment.isoformat()
        assert syntax.parse_datetime(text) == moment

    @given(st.text(max_size=80))
    def test_other_text_raises_nothing_but_value_error(self, text: str) -> None:
        for parser in (syntax.parse_datetime, syntax.parse_uri, syntax.parse_record_uri, syntax.tid_microseconds):
            holds(parser, text)


class TestTid:
    def test_microseconds(self) -> None:
        assert syntax.tid_microseconds("2222222222222") == 0
        assert syntax.tid_microseconds("3jzfcijpj2z2a") == 1_688_137_381_887_007
        assert syntax.tid_microseconds("bzzzzzzzzzzzz") < 2**53

    def test_order_is_the_texts_order(self) -> None:
        tids = ["2222222222222", "36okhzkt72222", "3jzfcijpj2z2a", "7777777777777", "jzzzzzzzzzzzz"]
        assert sorted(tids) == tids
        assert sorted(map(syntax.tid_microseconds, tids)) == list(map(syntax.tid_microseconds, tids))

    @pytest.mark.parametrize(
        "value", ["", "3jzfcijpj2z21", "3JZFCIJPJ2Z2A", "3jzfcijpj2z2aa", "kjzfcijpj2z2a", "3jzfcijpj2z2\n"]
    )
    def test_invalid(self, value: str) -> None:
        with pytest.raises(ValueError, match="TID"):
            syntax.tid_microseconds(value)


def test_microseconds_are_exact() -> None:
    assert syntax.microseconds(datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)) == 253_402_300_799_999_999
    assert syntax.microseconds(datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)) == -1


# The protocol's own vectors, where they lie beside the repository: extra to the ones above.
VECTORS = Path(os.environ.get("RHIZ_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data")) / "atproto-syntax"
CHECKS: dict[str, Callable[[str], bool]] = {
    "did_syntax": syntax.is_did,
    "cid_syntax": syntax.is_cid,
    "aturi_syntax": lambda value: holds(syntax.parse_uri, value),
    "tid_syntax": lambda value: holds(syntax.tid_microseconds, value),
    "datetime_syntax": lambda value: holds(syntax.parse_datetime, value),
    "datetime_parse": lambda value: holds(syntax.parse_datetime, value),
}
# Year 0 is valid syntax that no Python or PostgreSQL timestamp holds.
OVERFLOWS = {"0000-01-01T00:00:00.000Z"}


def vectors() -> list[tuple[str, str, bool]]:
    found = [("did_syntax", DID, True)]
    for name in CHECKS:
        for verdict in ("valid", "invalid"):
            path = VECTORS / f"{name}_{verdict}.txt"
            lines = path.read_text(encoding="utf-8").split("\n") if path.exists() else []
            found += [
                (name, line, verdict == "valid") for line in lines if line and not line.startswith("# ") and line != "#"
            ]
    return found


@pytest.mark.parametrize(("name", "value", "valid"), vectors())
def test_protocol_vectors(name: str, value: str, valid: bool) -> None:
    assert CHECKS[name](value) is (valid and value not in OVERFLOWS)
