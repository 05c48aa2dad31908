"""The mutants fit the code as it is; `make mutants` sees that tests notice them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutants.catalogue import MUTANTS

ROOT = Path(__file__).resolve().parent.parent.parent

pytestmark = pytest.mark.once


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_changes_its_file_and_names_tests_that_exist(name: str) -> None:
    mutant = MUTANTS[name]
    source = (ROOT / mutant.file).read_text()
    changed = mutant.of(source)
    assert changed != source
    if mutant.file.endswith(".py"):
        compile(changed, mutant.file, "exec")
    for test in mutant.tests:
        path, *_, function = test.partition("[")[0].split("::")
        assert f"def {function}(" in (ROOT / path).read_text(), test
