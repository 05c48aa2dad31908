"""A body is read within its limit, whatever its headers say."""

from __future__ import annotations

import io

import pytest
from django.http import HttpRequest
from django.http.request import UnreadablePostError
from pytest_django import Settings

from events.intake.body import read_body
from events.intake.problems import ProblemError

LIMIT = 200_000  # bytes


class Stream(io.BytesIO):
    """A body that comes in small pieces, and may break; it remembers how much was taken of it."""

    def __init__(self, body: bytes, *, breaks: bool = False) -> None:
        super().__init__(body)
        self.breaks = breaks

    def read(self, size: int | None = -1) -> bytes:
        assert size is not None
        assert 0 < size <= 65_536
        piece = super().read(min(size, 1_000))
        if not piece and self.breaks:
            raise OSError("the client went away")
        return piece


@pytest.fixture(autouse=True)
def _limit(settings: Settings) -> None:
    settings.INTERNAL_BODY_LIMIT = LIMIT


class Request(HttpRequest):
    """A request as Django's handlers leave it before anything of the body is read."""

    def __init__(self, stream: Stream) -> None:
        super().__init__()
        self._stream = stream
        self._read_started = False


def request(stream: Stream, declared: object = None) -> Request:
    made = Request(stream)
    if declared is not None:
        made.META["CONTENT_LENGTH"] = str(declared)
    return made


def status_of(made: HttpRequest) -> int:
    with pytest.raises(ProblemError) as caught:
        read_body(made)
    return caught.value.problem.status


@pytest.mark.parametrize("length", [0, 1, 1_001, LIMIT])
@pytest.mark.parametrize("declared", [True, False])
def test_up_to_the_limit_all_of_it_is_read(length: int, declared: bool) -> None:
    assert read_body(request(Stream(b"x" * length), length if declared else None)) == b"x" * length


@pytest.mark.parametrize("declared", [None, 10, "ten", -1])
def test_one_byte_more_is_413_whatever_was_declared(declared: object) -> None:
    stream = Stream(b"x" * LIMIT * 2)
    assert status_of(request(stream, declared)) == 413
    assert stream.tell() == LIMIT + 1


def test_too_much_declared_is_413_before_anything_is_read() -> None:
    stream = Stream(b"x")
    assert status_of(request(stream, LIMIT + 1)) == 413
    assert stream.tell() == 0


def test_less_than_declared_is_400() -> None:
    assert status_of(request(Stream(b"x" * 10), 11)) == 400


def test_a_connection_that_breaks_is_400() -> None:
    made = request(Stream(b"x" * 10, breaks=True))
    assert status_of(made) == 400
    with pytest.raises(UnreadablePostError):
        made.read(1)
