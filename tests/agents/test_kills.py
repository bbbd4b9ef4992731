"""Workers killed, stopped, added and paused, and the broker killed, under load on a real broker. One oracle judges."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.agents import oracle
from tests.agents.oracle import Announcer
from tests.agents.own_broker import OwnBroker
from tests.agents.swarm import Swarm
from tests.agents.toy import Names

KEYS = tuple(f"k{number}" for number in range(24))


def fresh_dice() -> random.Random:
    """Random, and printed, so that a failing run can be had again with UNBROKEN_TEST_SEED."""
    seed = int(os.environ.get("UNBROKEN_TEST_SEED") or random.randrange(10**9))
    print(f"seed {seed}")
    return random.Random(seed)


@contextmanager
def load(broker: OwnBroker, names: Names, per_s: int) -> Iterator[Announcer]:
    """Announce in bursts from a thread of its own, about *per_s* segments a second, until the block ends."""
    announcer, over = Announcer(broker.bootstrap, names, 8), threading.Event()

    def announce() -> None:
        while not over.wait(0.2):
            for key in KEYS:
                announcer.announce(key, max(1, per_s // 5 // len(KEYS)))

    thread = threading.Thread(target=announce)
    thread.start()
    try:
        yield announcer
    finally:
        over.set()
        thread.join()
        announcer.flush()


def test_thirty_kills_of_workers_lose_double_and_reorder_nothing(broker: OwnBroker, names: Names, folder: Path) -> None:
    dice, kills, taken = fresh_dice(), 30, 0

    with Swarm(broker.bootstrap, names.prefix, folder) as swarm:
        swarm.start(0)
        swarm.start(1)
        with load(broker, names, per_s=600) as announcer:
            for number in range(kills):
                # Most kills hit a worker at work, some one that is only starting or in the middle of a rebalance.
                if number % 5:
                    swarm.wait_for("state.loaded", taken + 1)
                taken = swarm.log().count("state.loaded")
                time.sleep(dice.uniform(0.0, 1.2))
                victim = dice.randrange(2)
                swarm.kill(victim)
                swarm.start(victim)
        verdict = oracle.wait_until_whole(broker.bootstrap, names, announcer.announced, 60)

    print(verdict)
    assert verdict.whole, verdict
    assert verdict.links >= 5000
    assert taken >= kills / 2
    assert oracle.quarantined(broker.bootstrap, names) == []


def test_workers_that_come_and_go_politely_lose_double_and_reorder_nothing(
    broker: OwnBroker, names: Names, folder: Path
) -> None:
    with Swarm(broker.bootstrap, names.prefix, folder) as swarm:
        swarm.start(0)
        with load(broker, names, per_s=600) as announcer:
            swarm.wait_for("state.loaded", 1)
            stops = []
            for number in (1, 2):
                swarm.start(number)
                time.sleep(3)
            for number in (0, 1):
                stops.append(swarm.stop(number))
                time.sleep(1)
        verdict = oracle.wait_until_whole(broker.bootstrap, names, announcer.announced, 40)

    print(verdict, stops)
    assert verdict.whole, verdict
    assert [code for code, _ in stops] == [0, 0]
    assert all(seconds < 10 for _, seconds in stops), stops


def test_a_broker_killed_and_restarted_under_load_costs_time_only(
    broker: OwnBroker, names: Names, folder: Path
) -> None:
    with Swarm(broker.bootstrap, names.prefix, folder) as swarm:
        swarm.start(0)
        swarm.start(1)
        with load(broker, names, per_s=600) as announcer:
            swarm.wait_for("state.loaded", 2)
            for _ in range(2):
                time.sleep(4)
                broker.kill()
                time.sleep(2)
                broker.start()
        verdict = oracle.wait_until_whole(broker.bootstrap, names, announcer.announced, 60)
        ended = [swarm.ended(number) for number in (0, 1)]

    print(verdict)
    assert verdict.whole, verdict
    assert ended == [None, None], swarm.log()[-3000:]
    assert swarm.log().count("\n") < 2000


def test_a_worker_paused_past_its_session_does_no_harm_when_it_wakes(
    broker: OwnBroker, names: Names, folder: Path
) -> None:
    dice = fresh_dice()

    with Swarm(broker.bootstrap, names.prefix, folder) as swarm:
        swarm.start(0)
        swarm.start(1)
        with load(broker, names, per_s=600) as announcer:
            swarm.wait_for("state.loaded", 2)
            for _ in range(3):
                sleeper = dice.randrange(2)
                swarm.signal(sleeper, signal.SIGSTOP)
                time.sleep(dice.uniform(4.5, 6))
                swarm.signal(sleeper, signal.SIGCONT)
                time.sleep(1.5)
        verdict = oracle.wait_until_whole(broker.bootstrap, names, announcer.announced, 40)

    print(verdict)
    assert verdict.whole, verdict


def test_a_poison_input_is_quarantined_and_its_neighbours_are_linked(
    broker: OwnBroker, names: Names, folder: Path
) -> None:
    announcer = Announcer(broker.bootstrap, names, 8)
    poison = [b"", b"\xff\xfe", b"[]", b'{"no": "key"}', None, {"key": "other", "segment": 1}]
    for number in range(6):
        for key in KEYS:
            announcer.announce(key, 15)
        announcer.send(names.segments, KEYS[number], poison[number])
        announcer.send(names.segments, KEYS[number], {"key": KEYS[number], "segment": 9999, "fail": "poison"})
    announcer.send(names.notes, None, {"key": "k1", "note": 77})
    announcer.flush()

    with Swarm(broker.bootstrap, names.prefix, folder) as swarm:
        swarm.start(0)
        verdict = oracle.wait_until_whole(broker.bootstrap, names, announcer.announced, 30)
    found = oracle.quarantined(broker.bootstrap, names)

    assert verdict.whole, verdict
    assert len(found) == 13
    assert {item["reason"] for item in found} == {"malformed", "wrong_key"}
    assert {item["value_base64"] for item in found} >= {None, "", "//4="}


def test_a_step_that_fails_for_a_while_delays_its_partition_and_loses_nothing(
    broker: OwnBroker, names: Names, folder: Path
) -> None:
    announcer = Announcer(broker.bootstrap, names, 8)
    for key in KEYS:
        announcer.announce(key, 20)
        announcer.announce(key, 1, fail="store")
        announcer.announce(key, 1, fail="defect")
        announcer.announce(key, 20)
    announcer.flush()

    with Swarm(broker.bootstrap, names.prefix, folder) as swarm:
        swarm.start(0)
        verdict = oracle.wait_until_whole(broker.bootstrap, names, announcer.announced, 60)

    assert verdict.whole, verdict
    assert "input.blocked" in swarm.log()
    assert "TypeError: a defect, once" in swarm.log()
    assert oracle.quarantined(broker.bootstrap, names) == []


def test_a_deleted_state_topic_is_noticed_and_rebuilt_from_the_source(
    broker: OwnBroker, names: Names, folder: Path
) -> None:
    announcer = Announcer(broker.bootstrap, names, 8)
    for key in KEYS:
        announcer.announce(key, 40)
    announcer.flush()

    with Swarm(broker.bootstrap, names.prefix, folder) as swarm:
        swarm.start(0)
        before = oracle.wait_until_whole(broker.bootstrap, names, announcer.announced, 30)
        time.sleep(1)
        swarm.stop(0)
        oracle.delete_topics(broker.bootstrap, [names.link_state])
        time.sleep(1)
        oracle.create_states(broker.bootstrap, [names.link_state], 8)
        for key in KEYS:
            announcer.announce(key, 10)
        announcer.flush()
        swarm.start(0)
        after = oracle.wait_until_whole(broker.bootstrap, names, announcer.announced, 30)

    print(before, after)
    assert before.whole, before
    assert after.whole, after
    assert "state.behind" in swarm.log()
