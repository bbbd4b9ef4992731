"""Links are held until a checkpoint has them, and what the archive knows of a chain is put together from all of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from pipeline.domain import chain, checkpoint
from pipeline.domain.annotation import Annotation
from pipeline.domain.chain import ChainState, LinkAppended
from pipeline.domain.checkpoint import (
    HELD_BYTES,
    Checkpoint,
    CheckpointDue,
    CheckpointState,
    assemble,
    checkpoint_key,
    checkpoint_of,
    due,
)
from pipeline.domain.continuity import SourceState
from pipeline.domain.continuity import step as judge
from pipeline.domain.identity import RecordingId
from pipeline.domain.probe import SegmentProbed
from pipeline.domain.time import WallMs
from tests.builders import RECORDING, SALT_KEY, SOURCE, T0, metadata, photo, policy, probed, session_ended, sha

OTHER = RecordingId("hall-1-another")
MINUTES: tuple[SegmentProbed | Annotation, ...] = (
    probed(0),
    probed(1),
    metadata(),
    session_ended(expected=2),
    photo(9, announcement=3),
)


def links(*events: SegmentProbed | Annotation) -> tuple[LinkAppended, ...]:
    source, chains, made = SourceState(source_id=SOURCE), ChainState(), list[LinkAppended]()
    for event in events or MINUTES:
        source, judged = judge(source, event, policy())
        for item in judged:
            chains, appended = chain.step(chains, item, SALT_KEY)
            made += appended
    return tuple(made)


LINKS = links()
"""Genesis, two segments, the case's fields, a close, a late photo."""


def held(*events: LinkAppended | CheckpointDue) -> tuple[CheckpointState, list[Checkpoint]]:
    state, written = CheckpointState(), list[Checkpoint]()
    for event in events:
        state, more = checkpoint.step(state, event)
        written += more
    return state, written


def say(through: int, name: RecordingId = RECORDING) -> CheckpointDue:
    return CheckpointDue(source_id=SOURCE, recording_id=name, through_seq=through, said_at=T0)


def test_the_close_a_genesis_names_is_written_before_the_genesis() -> None:
    third = RecordingId("hall-1-third")
    made = links(
        probed(0),
        session_ended(expected=1),
        photo(3, announcement=2),
        probed(1, recording_id=OTHER, announcement=3),
        session_ended("end-2", expected=1, recording_id=OTHER),
        probed(2, recording_id=third, announcement=4),
    )

    state, written = held(*made, say(0, third))

    closes = [link.seq for link in made if link.kind == "close"]
    assert [(one.recording_id, one.last_seq) for one in written] == [
        (RECORDING, closes[0]),
        (OTHER, closes[1]),
        (third, 0),
    ]
    assert [(name, [link.kind for link in one.links]) for name, one in state.held.items()] == [(RECORDING, ["late"])]


def test_a_genesis_that_names_what_is_written_already_waits_for_nothing() -> None:
    made = links(probed(0), session_ended(expected=1), probed(1, recording_id=OTHER, announcement=2))

    state, written = held(*made, say(1), say(-1, OTHER))

    assert [(one.recording_id, one.first_seq, one.last_seq) for one in written] == [(RECORDING, -1, 1), (OTHER, -1, -1)]
    assert list(state.held) == [OTHER]


def spans(written: Sequence[Checkpoint]) -> list[tuple[int, int]]:
    return [(one.first_seq, one.last_seq) for one in written]


def kept(first: int, last: int) -> Checkpoint:
    """A checkpoint of LINKS."""
    return Checkpoint(
        source_id=SOURCE,
        recording_id=RECORDING,
        first_seq=first,
        last_seq=last,
        links=LINKS[first + 1 : last + 2],
    )


def test_what_is_due_is_written_and_the_rest_is_held_on() -> None:
    state, written = held(*LINKS[:4], say(1))

    assert spans(written) == [(-1, 1)]
    assert state.held[RECORDING].links == LINKS[3:4]


def test_the_timer_names_the_last_link_of_each_recording_that_waits() -> None:
    state, _ = held(*LINKS[:3])

    assert due([state, CheckpointState()], T0) == (say(1),)


@pytest.mark.parametrize("through", [-1, 0, 2])
def test_a_repeated_or_early_word_of_the_timer_writes_nothing(through: int) -> None:
    state, _ = held(*LINKS[:4], say(2))

    assert checkpoint.step(state, say(through)) == (state, ())


def test_the_same_links_and_words_give_the_same_checkpoints_whichever_came_first() -> None:
    _, early = held(*LINKS[:3], say(1), *LINKS[3:])
    _, late = held(*LINKS, say(1))

    assert early == late == [kept(-1, 1)]


def test_a_link_that_comes_again_while_it_is_held_changes_nothing() -> None:
    state, _ = held(*LINKS[:4])

    assert checkpoint.step(state, LINKS[2]) == (state, ())


def test_links_sent_again_after_their_checkpoint_are_only_written_once_more() -> None:
    _, written = held(*LINKS[:4], say(2), *LINKS[2:5], say(3))

    assert spans(written) == [(-1, 2), (1, 3)]
    assert assemble((), written).faults == ()


def test_what_lies_before_a_hole_is_written_and_what_lies_behind_it_is_held() -> None:
    state, written = held(*LINKS[:3], LINKS[4])

    assert spans(written) == [(-1, 1)]
    assert state.held[RECORDING].links == LINKS[4:5]


def test_a_source_holds_no_more_than_its_bound_and_writes_its_largest_recording_first() -> None:
    big = replace(LINKS[1], record="x" * (HELD_BYTES // 2))
    other = replace(LINKS[0], recording_id=OTHER)

    state, written = held(LINKS[0], big, other, replace(big, recording_id=OTHER, record="y" * (HELD_BYTES // 2 - 1000)))

    assert [(one.recording_id, *spans([one])) for one in written] == [(RECORDING, (-1, 0))]
    assert set(state.held) == {OTHER}


def test_a_link_larger_than_the_bound_is_written_at_once() -> None:
    state, written = held(replace(LINKS[0], record="x" * HELD_BYTES))

    assert (spans(written), dict(state.held)) == ([(-1, -1)], {})


def test_keys_sort_by_first_link_and_name_whose_checkpoint_it_is() -> None:
    keys = [checkpoint_key(kept(first, 3)) for first in (-1, 0, 2)]

    assert keys == sorted(keys)
    assert {checkpoint_of(key) for key in keys} == {(SOURCE, RECORDING)}
    assert checkpoint_of(f"recordings/{SOURCE}/{RECORDING}/r1/chain.jsonl") is None


def test_two_chains_of_one_recording_have_two_keys() -> None:
    other = replace(kept(-1, 0), links=(LINKS[0], replace(LINKS[1], hash=sha("another"))))

    assert checkpoint_key(other) != checkpoint_key(kept(-1, 0))


def test_an_open_chain_is_put_together_from_overlapping_checkpoints_in_any_order() -> None:
    found = assemble((), [kept(1, 2), kept(-1, 0), kept(0, 1)])

    assert (found.links, found.faults) == (LINKS[:4], ())


def test_checkpoints_go_on_from_the_archived_revision() -> None:
    found = assemble(LINKS[:5], [kept(0, 1), kept(4, 4)])

    assert (found.links, found.faults) == (LINKS, ())


def test_a_hole_between_checkpoints_ends_the_chain_and_is_told() -> None:
    found = assemble((), [kept(-1, 0), kept(2, 3)])

    assert found.links == LINKS[:2]
    assert [(fault.check, fault.seq, fault.expected, fault.found) for fault in found.faults] == [
        (2, 1, "link 1", "link 2")
    ]


def test_without_a_genesis_there_is_no_chain() -> None:
    found = assemble((), [kept(0, 1)])

    assert (found.links, [fault.seq for fault in found.faults]) == ((), [-1])


def test_another_link_of_the_same_number_is_told_and_the_archived_one_stays() -> None:
    other = replace(kept(1, 1), links=(replace(LINKS[2], hash=sha("another")),))

    found = assemble(LINKS[:5], [other])

    assert found.links == LINKS[:5]
    assert [(fault.check, fault.seq) for fault in found.faults] == [(2, 1)]


def test_changed_facts_are_told_though_no_archived_chain_is_there_to_compare() -> None:
    facts = LINKS[1].facts
    assert facts is not None
    changed = replace(LINKS[1], facts=replace(facts, container="mp4"))

    found = assemble((), [replace(kept(-1, 1), links=(LINKS[0], changed, LINKS[2]))])

    assert [(fault.check, fault.seq) for fault in found.faults] == [(6, 0)]


@pytest.mark.parametrize(
    ("first", "last", "taken", "complaint"),
    [
        (-1, 1, LINKS[:2], "expected links -1 to 1"),
        (0, 0, (), "expected links 0 to 0"),
        (0, 0, (replace(LINKS[1], recording_id=OTHER),), "expected links of"),
    ],
)
def test_a_checkpoint_is_consecutive_links_of_one_recording(
    first: int, last: int, taken: tuple[LinkAppended, ...], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        Checkpoint(source_id=SOURCE, recording_id=RECORDING, first_seq=first, last_seq=last, links=taken)


@pytest.mark.parametrize(("through", "ok"), [(0, True), (-1, True), (-2, False)])
def test_the_timer_counts_from_the_genesis(through: int, ok: bool) -> None:
    if ok:
        assert say(through).said_at == WallMs(T0)
    else:
        with pytest.raises(ValueError, match="-2"):
            say(through)
