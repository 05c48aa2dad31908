"""One rule, and how to take it out of the code."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """A rule that no longer holds when `old`, which occurs once in `file`, becomes `new`.

    All of `tests` (pytest's node ids) must fail then: by an assertion, or with `error`, a part of another exception's
    message. `also` are further replacements, (old, new). With `sqlite` the tests run on SQLite.
    """

    rule: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    also: tuple[tuple[str, str], ...] = ()
    error: str = ""
    sqlite: bool = False

    def of(self, source: str) -> str:
        """The mutated source. Raises ValueError where a text does not occur exactly once."""
        for old, new in ((self.old, self.new), *self.also):
            if source.count(old) != 1:
                raise ValueError(f"{self.file} has {source.count(old)} times, and not once: {old!r}")
            source = source.replace(old, new)
        return source
