"""Numbers as people read them."""

from __future__ import annotations

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def duration(seconds: float | None) -> str:
    """A length of time with two digits that mean something: "3 ms", "1.4 s", "12 min", "3.5 h"; "-" for None."""
    if seconds is None:
        return "-"
    for size, unit in _UNITS:
        if seconds >= size * (2 if unit == "min" else 1):
            return f"{_two_digits(seconds / size)} {unit}"
    if seconds >= 1:
        return f"{_two_digits(seconds)} s"
    if seconds < 0.00001:
        return "0 s"
    return f"{_two_digits(seconds * 1_000)} ms"


def rate(per_second: float | None) -> str:
    """Events a second: "0", "0.25", "7.1", "1,234"; "-" for None."""
    return "-" if per_second is None else _two_digits(per_second)


def count(number: float | None, limit: int | None = None) -> str:
    """A whole number: "12,345"; "100,000+" where counting ended at one more than `limit`; "-" for None."""
    if number is None:
        return "-"
    return f"{limit:,}+" if limit is not None and number > limit else f"{number:,.0f}"


def _two_digits(number: float) -> str:
    if number >= 10 or number == 0:
        return f"{number:,.0f}"
    return f"{number:.1f}".removesuffix(".0") if number >= 1 else f"{number:.2g}"
