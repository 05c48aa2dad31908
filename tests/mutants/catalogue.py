"""All mutants, by their names."""

from __future__ import annotations

from tests.mutants.append import APPEND
from tests.mutants.batch import BATCHES
from tests.mutants.mutant import Mutant
from tests.mutants.operators import OPERATORS
from tests.mutants.quarantine import QUARANTINE
from tests.mutants.watermarks import WATERMARKS

MUTANTS: dict[str, Mutant] = {**APPEND, **BATCHES, **WATERMARKS, **QUARANTINE, **OPERATORS}
