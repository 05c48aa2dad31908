"""Decisions about many dead letters: a few are carried out at once, many by workers, a batch a transaction.

A decision is about the letters that were dead when it was asked. Its cursor only rises along their ids, so a letter
that is requeued and dies again meanwhile is not changed a second time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import AbstractBaseUser
from django.contrib.contenttypes.models import ContentType
from django.db import OperationalError, transaction
from django.db.models import F, Max
from django.db.models.functions import Now

from events.clock import database_now
from events.conf import conf
from events.dead_letters import Filter
from events.log.database import unlocked
from events.log.dead_letters import discard, requeue
from events.log.fetch import set_transaction_limits
from events.models import BulkAction, DeadLetter
from events.stats import pending_count

AT_ONCE = 200  # letters that a request changes itself; more are left to the workers
WINDOW = 500  # dead letters that a batch looks at
COUNTED = 250_000  # letters that are counted for the confirmation page
ROOM = 0.5  # of the log's capacity: a requeue waits while more is pending, so that new events are still admitted

State = BulkAction.State


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of a decision: `changed` letters at once, or the `action` that will change them."""

    changed: int = 0
    action: BulkAction | None = None


def decide(user: Any, verb: str, chosen: Filter, note: str = "") -> Decided:
    """Carry out a decision about all letters that match: now if they are few, else as a bulk action."""
    few = list(chosen.chosen().order_by().values_list("pk", flat=True)[: AT_ONCE + 1])
    if len(few) <= AT_ONCE:
        return Decided(changed=decide_about(user, verb, few, note, among=chosen))
    with transaction.atomic():
        now = database_now()
        action = BulkAction.objects.create(
            verb=verb,
            filter=msgspec.to_builtins(chosen),
            note=note,
            asked_by=user,
            asked_at=min(chosen.asked or now, now),
            upto=DeadLetter.objects.dead().aggregate(upto=Max("pk"))["upto"] or 0,
            expected=chosen.count(COUNTED),
        )
    return Decided(action=action)


def decide_about(user: Any, verb: str, ids: list[int], note: str = "", *, among: Filter | None = None) -> int:
    """Requeue or discard these letters now, those that are still dead and still `among` those meant; how many.

    Each that was changed, and no other, has it in its history: they are locked before anything is said of them.
    """
    with transaction.atomic():
        letters = (among or Filter()).chosen().filter(pk__in=ids).order_by("pk").select_related("event")
        held = list(letters.select_for_update(of=("self",)).only("event_type", "event__event_id"))
        changed = _change(verb, [letter.pk for letter in held], note)
        together = f", one of {changed} at once" if changed > 1 else ""
        told = f"{_done(verb)}{together}{': ' + note if note else ''}"
        if held:
            LogEntry.objects.log_actions(user.pk, held, CHANGE, told)
    return changed


def stop(action: BulkAction, user: AbstractBaseUser) -> bool:
    """End an action where it is; False if it has ended already. Waits for the batch in hand."""
    with transaction.atomic():
        held = BulkAction.objects.select_for_update().filter(pk=action.pk).first()
        if held is None or not held.running:
            return False
        _end(held, State.STOPPED, stopped_by=user)
        LogEntry.objects.log_actions(user.pk, [held], CHANGE, f"stopped after {held.changed:,} dead letters")
    return True


def run_batch() -> bool:
    """Carry the oldest running action that nobody else is at one batch further; whether there may be more to do."""
    actions = BulkAction.objects.filter(state=State.RUNNING)
    verbs = set(actions.values_list("verb", flat=True))
    # Asked outside of the transaction: what limits the count would limit the rest of it.
    if BulkAction.Verb.REQUEUE in verbs and _full():
        verbs.discard(BulkAction.Verb.REQUEUE)
    if not verbs:
        return False
    with transaction.atomic():
        # A process that hangs here loses the row when the server ends its transaction, as with lanes.
        set_transaction_limits(conf.batch_timeout)
        action = unlocked(actions.filter(verb__in=verbs).order_by("id")).first()
        if action is not None:
            _advance(action)
    return action is not None


def _advance(action: BulkAction) -> None:
    """One batch: the next letters by id, those that match changed, and the cursor moved over all of them."""
    dead = DeadLetter.objects.dead().filter(pk__gt=action.cursor, pk__lte=action.upto)
    window = list(dead.order_by("pk").values_list("pk", flat=True)[:WINDOW])
    if not window:
        _end(action, State.FINISHED)
        return
    # The filter is asked only about these: a batch costs the same however rare what matches is.
    chosen = msgspec.structs.replace(msgspec.convert(action.filter, Filter), asked=action.asked_at)
    ids = list(chosen.chosen().filter(pk__in=window).values_list("pk", flat=True))
    changed = _change(action.verb, ids, action.note)
    rows = BulkAction.objects.filter(pk=action.pk)
    rows.update(cursor=window[-1], changed=F("changed") + changed, touched_at=Now())


def _end(action: BulkAction, state: State, stopped_by: Any = None) -> None:
    rows = BulkAction.objects.filter(pk=action.pk)
    rows.update(state=state, ended_at=Now(), touched_at=Now(), stopped_by=stopped_by)
    if action.asked_by is not None:
        ending = " before it was stopped" if state == State.STOPPED else ""
        _log(action.asked_by, action, ending)


def _change(verb: str, ids: list[int], note: str) -> int:
    return requeue(ids) if verb == BulkAction.Verb.REQUEUE else discard(ids, note=note)


def _log(user: Any, action: BulkAction, ending: str) -> None:
    note = f": {action.note}" if action.note else ""
    LogEntry.objects.create(
        user_id=user.pk,
        content_type=ContentType.objects.get_for_model(BulkAction),
        object_id=str(action.pk),
        object_repr=f"{action.changed:,} dead letters",
        action_flag=CHANGE,
        change_message=f"{_done(action.verb)} {action.changed:,} dead letters{ending}, bulk action {action.pk}{note}",
    )


def _done(verb: str) -> str:
    return "requeued" if verb == BulkAction.Verb.REQUEUE else "discarded"


def _full() -> bool:
    """Whether a requeue has to wait; also where counting takes too long."""
    room = int(conf.queue_capacity * ROOM)
    try:
        return pending_count(room + 1) > room
    except OperationalError:
        return True
