"""What lies in Redis is told only if we wrote it; nothing that a stranger wrote is ever interpreted."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from cachecore.serializer import SignedPickle, Unverified

serializer = SignedPickle({})
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
    max_leaves=10,
)


@given(values)
def test_a_value_comes_back_as_it_was(value: Any) -> None:
    assert serializer.loads(serializer.dumps(value)) == value


@given(st.binary(max_size=200))
def test_no_bytes_of_a_stranger_are_taken_for_a_value(written: bytes) -> None:
    with pytest.raises(Unverified):
        serializer.loads(written)


@given(st.binary(min_size=1, max_size=30), st.data())
def test_no_byte_of_a_value_may_change(value: bytes, data: st.DataObject) -> None:
    written = bytearray(serializer.dumps(value))
    at = data.draw(st.integers(0, len(written) - 1))
    written[at] ^= data.draw(st.integers(1, 255))

    with pytest.raises(Unverified):
        serializer.loads(bytes(written))


class Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_a_pickle_with_a_forged_signature_is_not_run(tmp_path: Path) -> None:
    pickled = pickle.dumps(Bomb(tmp_path / "exploded"))
    forged = b"\x81" + b"0" * 16 + pickled

    with pytest.raises(Unverified):
        serializer.loads(forged)
    assert not (tmp_path / "exploded").exists()
    pickle.loads(pickled)
    assert (tmp_path / "exploded").exists()  # it would have been


def test_a_rotated_secret_still_verifies_what_the_old_one_signed() -> None:
    with override_settings(SECRET_KEY="old"):
        written = serializer.dumps("kept")
    with override_settings(SECRET_KEY="new", SECRET_KEY_FALLBACKS=["old"]):
        assert serializer.loads(written) == "kept"
    with override_settings(SECRET_KEY="new", SECRET_KEY_FALLBACKS=[]), pytest.raises(Unverified):
        serializer.loads(written)


def test_a_value_of_a_class_that_is_gone_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "Passing", type("Passing", (), {"__module__": __name__}))
    written = serializer.dumps(globals()["Passing"]())
    monkeypatch.delitem(globals(), "Passing")

    with pytest.raises(Unverified, match="can't be unpickled"):
        serializer.loads(written)
