"""What became of the events so far."""

from __future__ import annotations

from dataclasses import dataclass, field

REASONS_KEPT = 10


@dataclass(slots=True)
class Tally:
    """Counts, and the first reasons for rejections."""

    enqueued: int = 0
    duplicates: int = 0
    rejected: int = 0
    reasons: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        return self.enqueued + self.duplicates + self.rejected

    def reject(self, line: int, reason: str) -> None:
        """Count the event of line number `line` as rejected."""
        self.rejected += 1
        if len(self.reasons) < REASONS_KEPT:
            self.reasons.append(f"line {line}: {reason}")

    def __str__(self) -> str:
        return f"{self.enqueued} enqueued, {self.duplicates} duplicates, {self.rejected} rejected"
