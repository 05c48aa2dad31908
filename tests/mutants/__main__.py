"""`python -m tests.mutants [NAME ...]`: take each rule out of a copy of the code, and see its tests fail.

Needs DATABASE_URL and REDIS_URL, which `tests.servers` sets. Unchanged, the tests must pass. A test that fails in
another way than by an assertion or the error that its mutant names has not noticed.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from importlib.util import cache_from_source
from pathlib import Path

from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutant import Mutant

ROOT = Path(__file__).resolve().parent.parent.parent
COPIED = ("cachecore", "events", "health", "rhiz", "tests", "manage.py", "pytest.ini")
ASSERTION = re.compile(r"assert |AssertionError|Failed: (?!Timeout)")
LONGEST = 60  # seconds for one test

Outcomes = dict[str, str]  # by test: what it failed with, empty where it passed


class Copy:
    """A copy of the tree, in which tests run."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, directory / name)
            else:
                shutil.copy2(source, directory / name)

    def run_mutated(self, mutant: Mutant) -> Outcomes:
        """Run the tests of a mutant on its code."""
        path = self.directory / mutant.file
        source = path.read_text()
        try:
            self._write(path, mutant.of(source))
            return self.run(mutant.tests, sqlite=mutant.sqlite)
        finally:
            self._write(path, source)

    def run(self, tests: Iterable[str], *, sqlite: bool) -> Outcomes:
        """Run tests. Those that can't be collected or set up are not among the outcomes."""
        report = self.directory / "report.xml"
        report.unlink(missing_ok=True)
        environment = dict(os.environ)
        if sqlite:
            for name in ("DATABASE_URL", "REDIS_URL"):
                environment.pop(name, None)
        environment["PYTEST_DB_SUFFIX"] = f"{os.environ.get('PYTEST_DB_SUFFIX', '')}_mutant"
        options = ("-q", "-p", "no:cacheprovider", "--create-db", f"--timeout={LONGEST}", f"--junitxml={report}")
        command = [sys.executable, "-m", "pytest", *options, *tests]
        subprocess.run(command, cwd=self.directory, env=environment, capture_output=True, check=False)
        return dict(_outcome(case) for case in ET.parse(report).iter("testcase") if case.find("error") is None)

    def _write(self, path: Path, source: str) -> None:
        path.write_text(source)
        # It may have the same size and, in seconds, the same time as the file that was compiled.
        Path(cache_from_source(str(path))).unlink(missing_ok=True)


def _outcome(case: ET.Element) -> tuple[str, str]:
    """A test's node id, and what it failed with."""
    *modules, last = case.attrib["classname"].split(".")
    inside = [last] if last[0].isupper() else []
    path = "/".join(modules if inside else [*modules, last])
    failure = case.find("failure")
    message = "" if failure is None else failure.attrib.get("message", "") or "failed"
    return "::".join([f"{path}.py", *inside, case.attrib["name"]]), message


def survivors(mutant: Mutant, outcomes: Outcomes) -> list[str]:
    """What is wrong with the outcomes of a mutant's tests: nothing if each noticed."""
    wrong = []
    for test in mutant.tests:
        of_test = {name: message for name, message in outcomes.items() if name == test or name.startswith(f"{test}[")}
        if not of_test:
            wrong.append(f"{test}: did not run")
        for name, message in of_test.items():
            noticed = ASSERTION.match(message) or (mutant.error and mutant.error in message)
            if not noticed:
                wrong.append(f"{name}: {message.partition(chr(10))[0][:150] or 'passed'}")
    return wrong


def unchanged(copy: Copy, names: Iterable[str]) -> list[str]:
    """Which tests of these mutants fail, or don't run, on the code as it is."""
    wrong = []
    for sqlite in (False, True):
        tests = sorted({test for name in names if MUTANTS[name].sqlite == sqlite for test in MUTANTS[name].tests})
        outcomes = copy.run(tests, sqlite=sqlite) if tests else {}
        wrong += [f"{name}: {message}" for name, message in outcomes.items() if message]
        ran = {name.partition("[")[0] for name in outcomes}
        wrong += [f"{test}: did not run" for test in tests if test.partition("[")[0] not in ran]
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(MUTANTS)}; all if none")
    names = parser.parse_args().names or list(MUTANTS)
    if unknown := set(names) - set(MUTANTS):
        parser.error(f"no such mutant: {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory(prefix="rhiz-mutants-") as directory:
        copy = Copy(Path(directory))
        for name in names:
            MUTANTS[name].of((copy.directory / MUTANTS[name].file).read_text())
        if wrong := unchanged(copy, names):
            print("BAD  the code as it is:", *wrong, sep="\n     ")
            return 1
        bad = 0
        for name in names:
            wrong = survivors(MUTANTS[name], copy.run_mutated(MUTANTS[name]))
            bad += bool(wrong)
            line = f"{'BAD ' if wrong else 'ok  '} {name}: {MUTANTS[name].rule}"
            print(line, *wrong, sep="\n     ", flush=True)
    print(f"{len(names) - bad} of {len(names)} mutants were noticed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
