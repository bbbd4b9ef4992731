"""State found again from the topics is the state that was lost, whatever was lost of it."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest

from pipeline.agents.restore import Standing, stand
from pipeline.agents.state_log import Loaded, decode_record, encode_record
from pipeline.domain.replay import differences
from pipeline.wire import topics
from tests.agents.ledger import SETTINGS, STAGES, Ledger
from tests.builders import SOURCE, explanation, landed, metadata, probed, session_ended, window


def a_day() -> Ledger:
    """Statements before, between and after the segments; an end that overtakes two; an explanation that reopens."""
    ledger = Ledger()
    ledger.say(metadata(), window(0, 1000))
    ledger.carry()
    for number in (0, 1, 3, 4):
        ledger.say(landed(number), probed(number))
        ledger.carry()
    ledger.say(session_ended(expected=6))
    ledger.carry()
    ledger.say(*(event for number in (5, 6) for event in (landed(number), probed(number))))
    ledger.carry()
    ledger.say(explanation(20_000, 30_000), session_ended("end-2"))
    ledger.put(topics.PROBED.name, b"{")
    ledger.say(metadata("why-1"))  # an id that was used: set aside
    ledger.carry()
    return ledger


def standings(ledger: Ledger, logs: dict[str, Loaded], begins: int = 0) -> dict[str, Standing]:
    return {
        name: found
        for name, stage in STAGES.items()
        for found in stand(stage, SETTINGS, ledger.partition(begins), logs[name])
    }


def empty() -> dict[str, Loaded]:
    return {name: Loaded() for name in STAGES}


def words(found: dict[str, Standing]) -> set[str]:
    return {one.word for one in found.values()}


def states(ledger: Ledger) -> dict[str, object]:
    return {name: log.records[SOURCE].state for name, log in ledger.logs.items() if log.records}


def rebuilt(found: dict[str, Standing]) -> dict[str, object]:
    return {name: one.record.state for name, one in found.items() if one.record}


def test_a_running_state_equals_what_its_topics_say() -> None:
    ledger = a_day()

    found = standings(ledger, ledger.logs)

    assert words(found) == {"equal"}
    assert set(found) == {"continuity", "chain", "checkpoint", "stitch", "deadline"}
    assert all(one.record is None for one in found.values())


def test_a_lost_state_is_found_again_as_it_was_whichever_way_the_topics_were_read() -> None:
    ledger = a_day()
    # The broker's times are of no help: every statement seems to be older than every segment.
    annotations = SETTINGS.topic(topics.ANNOTATION.name)
    ledger.rows[annotations] = [row._replace(at_ms=-1) for row in ledger.rows[annotations]]

    found = standings(ledger, empty())

    assert words(found) == {"lost"}
    assert differences(states(ledger), rebuilt(found)) == ()


def test_an_older_state_is_behind_and_found_again_as_it_must_be() -> None:
    early = Ledger()
    early.say(landed(0), probed(0))
    early.carry()
    older = copy.deepcopy(early.logs)
    early.say(landed(1), probed(1), session_ended())
    early.carry()

    found = standings(early, older)

    assert words(found) == {"behind"}
    assert differences(states(early), rebuilt(found)) == ()
    assert {name: one.record.applied for name, one in found.items() if one.record} == {
        name: log.records[SOURCE].applied for name, log in early.logs.items() if log.records
    }
    assert "finished up to offset 2, in the state up to 0" in found["chain"].why


def test_a_state_somebody_changed_differs_and_both_sides_are_told() -> None:
    ledger = a_day()
    logs = copy.deepcopy(ledger.logs)
    held = logs["chain"].records[SOURCE]
    logs["chain"].records[SOURCE] = replace(held, state={**held.state, "position": 99})

    found = standings(ledger, logs)["chain"]

    assert (found.word, found.differences) == ("differs", (("position", "99", str(held.state["position"])),))
    assert found.record is not None
    assert found.record.state == held.state
    assert found.record.version == held.version + 1


def test_outputs_that_contradict_the_replay_are_told_although_the_state_agrees() -> None:
    ledger = a_day()
    links = ledger.rows[SETTINGS.topic(topics.LINK.name)]
    links[2], links[3] = links[3], links[2]

    found = standings(ledger, ledger.logs)["chain"]

    assert found.word == "differs"
    assert found.why.startswith("output 2: sent")


@pytest.mark.parametrize("held", [{"format": "1.2"}, {"format": "2.1"}])
def test_a_state_of_another_release_is_unreadable_and_can_be_rebuilt(held: dict[str, str]) -> None:
    ledger = a_day()
    logs = copy.deepcopy(ledger.logs)
    before = logs["chain"].records[SOURCE]
    text = encode_record(before).replace(b'"format":"1.1"', f'"format":"{held["format"]}"'.encode())
    logs["chain"].records[SOURCE] = replace(decode_record(text), applied=before.applied)

    found = standings(ledger, logs)["chain"]

    assert found.word == "unreadable"
    assert "unbroken rebuild --write" in found.why
    assert found.record is not None
    assert found.record.state == before.state


def test_a_history_that_is_no_longer_on_the_broker_is_not_covered_and_nothing_is_written() -> None:
    ledger = a_day()

    found = standings(ledger, empty(), begins=1)

    assert words(found) == {"not covered"}
    assert all(one.record is None for one in found.values())
    assert "begins at offset 1" in found["chain"].why


def test_outputs_that_were_not_sent_before_the_loss_are_sent_by_the_next_worker() -> None:
    ledger = a_day()
    links = ledger.rows[SETTINGS.topic(topics.LINK.name)]
    unsent = links.pop()
    ledger.committed[SETTINGS.topic(topics.LINK.name)] -= 1

    found = standings(ledger, empty())["chain"]

    assert found.record is not None
    assert [output.value for output in found.record.outbox] == [unsent.value]


def test_nothing_finished_leaves_nothing_to_remember() -> None:
    ledger = Ledger()
    ledger.say(landed(0), probed(0))

    found = standings(ledger, empty())

    assert words(found) == {"equal"}
