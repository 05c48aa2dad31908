"""The command that runs others with servers of their own."""

from __future__ import annotations

from tests.project.settings_process import run

GIVEN = {"DATABASE_URL": "postgresql://given", "REDIS_URL": "redis://given"}


def test_servers_that_are_given_are_used_and_the_exit_code_is_the_commands() -> None:
    command = ("-m", "tests.servers", "--", "sh", "-c", "echo $DATABASE_URL $REDIS_URL; exit 3")
    done = run(*command, variables=GIVEN)

    assert done.returncode == 3
    assert done.stdout.split() == [GIVEN["DATABASE_URL"], GIVEN["REDIS_URL"]]
