"""No read is told a value whose invalidation had returned before the read began, whatever happened in between."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.cachecore.machine import Machine
from tests.cachecore.mutants import MUTANTS
from tests.cachecore.world import World, world
from tests.integration.conftest import database_url
from tests.proxy import Mode

pytestmark = [pytest.mark.postgresql, pytest.mark.redis, pytest.mark.django_db(transaction=True)]


@pytest.fixture(scope="module")
def stage(django_db_setup: None) -> Iterator[World]:
    with world(database_url()) as made:
        yield made


@pytest.mark.parametrize("name", MUTANTS)
def test_what_each_safeguard_is_for(stage: World, name: str) -> None:
    assert stage.tell(MUTANTS[name].story) == ""


@pytest.mark.proof
@pytest.mark.parametrize("name", MUTANTS)
def test_without_a_safeguard_a_stale_read_is_found(transactional_db: None, name: str) -> None:
    with world(database_url(), name) as stage:
        assert stage.tell(MUTANTS[name].story).startswith("STALE")


def play(stage: World, stories: int, steps: int) -> None:
    """Let hypothesis play `stories` of up to `steps` steps each."""
    chosen = settings(
        max_examples=stories,
        stateful_step_count=steps,
        deadline=None,  # a story waits for processes
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],  # a failure tells its story; the same steps again take other turns
        database=None,
    )
    run_state_machine_as_test(type("Story", (Machine,), {"world": stage}), settings=chosen)


def test_no_stale_read(stage: World) -> None:
    play(stage, stories=12, steps=20)


@pytest.mark.proof
def test_no_stale_read_in_many_long_stories(stage: World) -> None:
    play(stage, stories=120, steps=40)


@pytest.mark.parametrize("how", ["document", "many", "plain"])
def test_a_process_that_was_stopped_does_not_tell_what_it_trusted(stage: World, how: str) -> None:
    def story(world: World) -> None:
        for way in ("document", "many"):
            world.read(0, ("a",), way)
        for other in (1, 2):  # nobody else reaches Redis
            world.link(other, Mode.REFUSE)
            world.read(other, ("b",))
        world.stop(0)
        world.write(1, "a")
        world.wait()
        world.go_on(0)
        world.read(0, ("a",), how)

    assert stage.tell(story) == ""
