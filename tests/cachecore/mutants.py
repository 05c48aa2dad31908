"""The cache without one of its safeguards: `python -m tests.cachecore.mutants [NAME ...]` shows what each is for.

Each mutant changes the actors' processes only. Its story is a sequence of steps that the machine plays too: told with
the safeguard it ends well, told without it there is a stale read.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.cachecore.actors import ROOT
from tests.proxy import Mode
from tests.servers import postgresql

if TYPE_CHECKING:
    from tests.cachecore.world import World


@dataclass(frozen=True)
class Mutant:
    """`apply` takes the safeguard out of this process; `story` is where it is missed."""

    missing: str
    apply: Callable[[], None]
    story: Callable[[World], None]


# --- The stamp comparison -----------------------------------------------------------------------------------------


def _no_comparison() -> None:
    from cachecore import tags

    tags.matches = lambda stored, current: True


def invalidated(world: World) -> None:
    world.read(0, ("a",))
    world.write(1, "a")
    world.read(0, ("a",))


# --- The journal's replay before trust ----------------------------------------------------------------------------


def _no_replay() -> None:
    from cachecore.keeper import Keeper

    Keeper._replay = lambda self, candidate: None  # type: ignore[method-assign]


def invalidated_while_away(world: World) -> None:
    world.read(0, ("a",))
    world.link(0, Mode.REFUSE)
    world.write(0, "a")
    world.link(0, Mode.PASS)
    world.trust(0)
    world.read(0, ("a",))


# --- The epoch ----------------------------------------------------------------------------------------------------


def _no_epoch() -> None:
    from cachecore import identity

    identity.epoch_of = lambda identity, rotation: "0" * 16


def an_old_dump(world: World) -> None:
    world.read(0, ("a",))
    world.save()
    world.write(0, "a")
    world.wait()  # until it counts as performed
    world.restart(old=True)
    world.read(0, ("b",))  # notices
    world.trust(0)
    world.read(0, ("a",))


# --- Stamps are read before the loader runs -----------------------------------------------------------------------


def _late_stamps() -> None:
    from cachecore import loading, loading_many, records

    early = records.keep

    def keep(store: Any, values: dict[str, Any], *times: Any) -> None:
        early(store, {k: (value, digests, store.stamped(digests)) for k, (value, digests, _) in values.items()}, *times)

    loading.keep = loading_many.keep = keep  # type: ignore[assignment]


def a_load_overtaken(world: World) -> None:
    world.read(0, ("a",), hold="after")
    world.write(1, "a")
    world.release(0)
    world.read(1, ("a",))


# --- Those who wait for a load compare what they came for ---------------------------------------------------------


def _anyone_joins() -> None:
    from cachecore import flights

    share = flights.share
    flights.share = lambda name, load: share(name[:2], load)


def a_load_from_before(world: World) -> None:
    world.read(0, ("a",), hold="after")
    world.write(1, "a")
    world.read(0, ("a",))
    world.release(0)


# --- The journal is read on by transaction ------------------------------------------------------------------------


def _cursor_by_id() -> None:
    from cachecore.journal import postgres
    from cachecore.journal.row import Row, Since

    def follow(connection: Any, spaces: Collection[str], since: Since | None) -> tuple[Since, list[Row]]:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT id, space, digests FROM cachecore_invalidation WHERE id > %s ORDER BY id",
                [since.cursor if since else 0],
            )
            rows = [Row.read(*columns) for columns in cursor.fetchall()]
        return Since(rows[-1].id if rows else since.cursor if since else 0), rows

    postgres.follow = follow


def a_late_commit(world: World) -> None:
    world.link(0, Mode.REFUSE)
    world.read(0, ("a",))
    world.write(1, "a", hold="open")
    world.write(1, "b")
    world.read(0, ("a",))
    world.release(0)
    world.read(0, ("a",))


# --- What a dead process left is performed by others --------------------------------------------------------------


def _no_orphans() -> None:
    from cachecore.keeper import ORPHANED, Keeper

    perform = Keeper._perform
    Keeper._perform = (  # type: ignore[method-assign]
        lambda self, mode, older_than: 0 if older_than == ORPHANED else perform(self, mode, older_than)
    )


def a_death_after_the_commit(world: World) -> None:
    world.read(0, ("a",))
    world.write(1, "a", hold="committed")
    world.kill(1)
    world.wait()
    world.read(0, ("a",))


MUTANTS = {
    "stamps": Mutant("the comparison of stamps", _no_comparison, invalidated),
    "replay": Mutant("the journal's replay before trust", _no_replay, invalidated_while_away),
    "epoch": Mutant("the epoch in every key", _no_epoch, an_old_dump),
    "early": Mutant("stamps that are read before the loader runs", _late_stamps, a_load_overtaken),
    "waiters": Mutant("that nobody joins a load from before an invalidation", _anyone_joins, a_load_from_before),
    "cursor": Mutant("the cursor by transaction", _cursor_by_id, a_late_commit),
    "orphans": Mutant("that others perform what a dead process left", _no_orphans, a_death_after_the_commit),
}


def stale(database_url: str, mutant: str, story: str) -> str:
    """Tell the story named after a mutant, to actors that are another mutant or none: what went wrong, or nothing."""
    from tests.cachecore.world import world

    with world(database_url, mutant) as stage:
        return stage.tell(MUTANTS[story].story)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.cachecore.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(MUTANTS)}; all if none")
    names = parser.parse_args().names or list(MUTANTS)
    if unknown := set(names) - set(MUTANTS):
        parser.error(f"no such mutant: {', '.join(sorted(unknown))}")
    os.environ |= {"ENV_FILE": "", "DEBUG": "1", "DJANGO_SETTINGS_MODULE": "tests.settings"}
    bad = 0
    with postgresql() as url:
        migrate = [sys.executable, "manage.py", "migrate", "--verbosity=0"]
        subprocess.run(migrate, cwd=ROOT, env={**os.environ, "DATABASE_URL": url, "REDIS_URL": ""}, check=True)
        for name in names:
            whole, without = stale(url, "", name), stale(url, name, name)
            as_it_should = not whole and without.startswith("STALE")
            bad += not as_it_should
            print(f"{'ok  ' if as_it_should else 'BAD '} {name:10} without {MUTANTS[name].missing}: {_line(without)}")
            if whole:
                print(f"     and with it: {whole}")
    return 1 if bad else 0


def _line(error: str) -> str:
    return error.partition("\n")[0] or "nothing is wrong"


if __name__ == "__main__":
    sys.exit(main())
