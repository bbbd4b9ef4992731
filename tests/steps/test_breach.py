"""A miss is locked in the archive once, whatever happens to the worker, the store or the story."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace

import pytest

from pipeline.adapters.objects_memory import Fault, MemoryObjects
from pipeline.domain.breach import breach_key
from pipeline.domain.docket import DeadlineChanged
from pipeline.domain.errors import BrokerUnavailable, StoreFull, StoreUnavailable, StoreUntrusted, UnbrokenError
from pipeline.domain.time import WallMs
from pipeline.steps.breach import BreachStep, serves
from tests.builders import T0, policy
from tests.builders_archive import DAY_MS, YEAR_MS, Trusting, signer
from tests.domain.test_breach import MISSED
from tests.steps.archived import Noon


@dataclass(frozen=True)
class Received:
    event: DeadlineChanged


@pytest.fixture
def store() -> MemoryObjects:
    made = MemoryObjects(Noon())
    made.make_bucket("records", lock_days=1)
    return made


def record(store: MemoryObjects, change: DeadlineChanged, trust: Trusting | None = None) -> None:
    made = BreachStep(
        store=store, trust=trust or Trusting(), clock=Noon(), signer=signer(), policy=policy(), records="records"
    )
    asyncio.run(made.step(None, Received(change)))


def test_a_miss_is_locked_for_as_long_as_a_recording_at_first(store: MemoryObjects) -> None:
    record(store, MISSED)

    stat = store.stat("records", breach_key(MISSED))
    assert (stat.lock_mode, stat.retain_until) == ("COMPLIANCE", Noon().now() + YEAR_MS)
    assert json.loads(store.read("records", stat.key))["cause"] == "store"


def test_a_miss_of_a_clock_that_fell_back_decades_is_locked_from_now(store: MemoryObjects) -> None:
    record(store, replace(MISSED, at=WallMs(DAY_MS)))

    assert store.stat("records", breach_key(MISSED)).retain_until == Noon().now() + YEAR_MS


def test_a_repeat_makes_no_second_version(store: MemoryObjects) -> None:
    record(store, MISSED)
    record(store, MISSED)

    assert len(store.versions("records", breach_key(MISSED))) == 1


def test_a_miss_told_again_in_other_words_leaves_the_first_record(store: MemoryObjects) -> None:
    record(store, MISSED)
    record(store, replace(MISSED, cause="pipeline", changed_at=WallMs(T0 + 99_000)))

    assert json.loads(store.read("records", breach_key(MISSED)))["cause"] == "store"


@pytest.mark.parametrize("state", ["expected", "tracked", "at_risk", "met", "withdrawn"])
def test_what_is_no_breach_leaves_nothing(store: MemoryObjects, state: str) -> None:
    record(store, replace(MISSED, state=state, cause=None))  # type: ignore[arg-type]  # one of the states

    assert list(store.list("records", "")) == []


def test_an_untrusted_store_gets_no_record(store: MemoryObjects) -> None:
    trust = Trusting()
    trust.why = "it deletes"

    with pytest.raises(StoreUntrusted):
        record(store, MISSED, trust)

    assert list(store.list("records", "")) == []


def test_a_store_serves_when_it_answers_and_is_trusted(store: MemoryObjects) -> None:
    trust = Trusting()

    answers = serves(store, trust, "records", [])
    store.faults.append(Fault("stat", StoreUnavailable("away")))
    away = serves(store, trust, "records", [])
    trust.why = "it deletes"

    assert (answers, away, serves(store, trust, "records", [])) == (True, False, False)


@pytest.mark.parametrize(("why", "answer"), [(StoreFull("no room"), False), (BrokerUnavailable("away"), True)])
def test_a_full_store_that_answers_questions_does_not_serve(
    store: MemoryObjects, why: UnbrokenError, answer: bool
) -> None:
    assert serves(store, Trusting(), "records", [why]) is answer
