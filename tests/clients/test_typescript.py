"""clients/typescript is what it says, against a real web server."""

from __future__ import annotations

import pytest

from tests.clients.conftest import npm

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("installed")]


def test_it_compiles_with_every_check_and_its_types_are_those_of_the_document() -> None:
    npm("run", "check")


def test_the_package_builds() -> None:
    npm("run", "build")


def test_its_own_tests_pass(address: dict[str, str]) -> None:
    said = npm("test", **address)

    assert "\n# fail 0\n" in said and "\n# pass 0\n" not in said, said
