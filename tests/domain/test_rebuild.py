"""What the stages remember of a source follows from its chains alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from pipeline.domain import chain, continuity, deadline
from pipeline.domain.annotation import Annotation
from pipeline.domain.archive import RecordingArchived
from pipeline.domain.chain import ChainState, LinkAppended
from pipeline.domain.continuity import SourceState
from pipeline.domain.docket import DeadlineChanged, SourceDeadlines
from pipeline.domain.identity import RecordingId
from pipeline.domain.probe import SegmentProbed
from pipeline.domain.rebuild import Entry, Known, groups, ordered, rebuild
from pipeline.domain.recording import Recording
from tests.builders import SOURCE, explanation, metadata, policy, probed, session_ended, sha, window
from tests.builders_archive import archived

FIRST, SECOND = RecordingId("hall-1-a"), RecordingId("hall-1-b")
Event = SegmentProbed | Annotation


class Day:
    """The states a day leaves, its chains, and each link group with what it came from."""

    def __init__(self, events: Iterable[Event]) -> None:
        self.source, self.chains = SourceState(source_id=SOURCE), ChainState()
        self.deadline = SourceDeadlines(source_id=SOURCE)
        self.entries: dict[RecordingId, list[Entry]] = {}
        self.positions: list[tuple[int, Entry]] = []
        self.begins: dict[RecordingId, int] = {}
        for event in events:
            self._take(event)

    def _take(self, event: Event) -> None:
        heard = event.landed if isinstance(event, SegmentProbed) else event
        self.deadline, _ = deadline.step(self.deadline, heard, policy())
        self.source, items = continuity.step(self.source, event, policy())
        for item in items:
            self.chains, links = chain.step(self.chains, item, bytes(32))
            said = item.segment.probed if item.segment else item.annotation or item.ended
            assert said is not None
            assert item.recording_id is not None
            entry = Entry(links, said)
            self.entries.setdefault(item.recording_id, []).append(entry)
            self.begins.setdefault(item.recording_id, item.position)
            self.positions.append((item.position, entry))

    def known(self, receipts: Sequence[RecordingArchived] = ()) -> list[Known]:
        archived_of = {one.recording_id for one in receipts}
        return [
            Known(
                recording_id=name,
                begins=self.begins[name],
                entries=tuple(entries),
                archived=len(entries) if name in archived_of else 0,
                receipts=tuple(one for one in receipts if one.recording_id == name),
            )
            for name, entries in self.entries.items()
        ]


def file(number: int, recording: RecordingId = FIRST) -> SegmentProbed:
    return probed(number, recording_id=recording)


def a_day() -> Day:
    return Day(
        [
            metadata(recording_id=FIRST),
            file(0),
            file(1),
            file(3),
            file(4, SECOND),
            explanation(20_000, 30_000, recording_id=FIRST),
            session_ended("end-1", 3, recording_id=FIRST),
            file(5, SECOND),
            file(6),
            session_ended("end-2", recording_id=FIRST),
        ]
    )


def without_announced_ends(state: SourceState) -> SourceState:
    """*state* as one who never heard which ends were announced would have it."""

    def forget(one: Recording) -> Recording:
        return one._replace(seen=tuple(name for name in one.seen if not name.startswith("end-")))

    return replace(state, recordings={name: forget(one) for name, one in state.recordings.items()})


def test_continuity_and_chain_are_what_they_were_but_for_the_names_of_announced_ends() -> None:
    day = a_day()

    found = rebuild(SOURCE, day.known(), (), policy())

    assert found.continuity == without_announced_ends(day.source)
    assert found.chain == day.chains


def test_the_next_file_is_judged_and_linked_as_if_nothing_had_been_lost() -> None:
    day = a_day()
    found = rebuild(SOURCE, day.known(), (), policy())

    state, items = continuity.step(found.continuity, file(7, SECOND), policy())
    heads, links = chain.step(found.chain, items[0], bytes(32))
    day._take(file(7, SECOND))

    assert links == day.entries[SECOND][-1].links
    assert heads == day.chains
    assert state.position == day.source.position


def test_what_was_said_of_the_source_is_known_again() -> None:
    said = window(20_000, 30_000)
    day = Day([file(0), said, file(1), file(3), session_ended(recording_id=FIRST)])

    found = rebuild(SOURCE, day.known(), [said], policy())

    assert found.continuity == without_announced_ends(day.source)
    assert continuity.step(found.continuity, said, policy()) == (found.continuity, ())
    assert found.deadline.camera == day.deadline.camera


def test_what_is_announced_again_is_a_repeat_and_what_was_lost_is_not() -> None:
    found = rebuild(SOURCE, a_day().known(), (), policy()).continuity

    assert continuity.step(found, file(3), policy()) == (found, ())
    assert continuity.step(found, session_ended("end-2", recording_id=FIRST), policy())[1] == ()
    assert len(continuity.step(found, file(2), policy())[1]) > 0


def test_another_policy_ends_nothing_otherwise() -> None:
    day = a_day()
    shorter = replace(policy(), block_s=60, next_block_grace_s=1, idle_end_s=1)

    found = rebuild(SOURCE, day.known(), (), shorter)

    assert found.continuity.recordings.keys() == day.source.recordings.keys()
    assert [one.revision for one in found.continuity.recordings.values()] == [2, 0]


def test_every_item_has_the_position_it_had() -> None:
    day = a_day()

    assert list(ordered(day.known())) == day.positions
    assert list(ordered(list(reversed(day.known())))) == day.positions


def test_a_recording_whose_beginning_is_gone_from_the_archive_leaves_its_positions_free() -> None:
    day = a_day()
    only = [one for one in day.known() if one.recording_id == SECOND]

    positions = [position for position, _ in ordered(only)]

    assert positions[0] == day.begins[SECOND]
    assert rebuild(SOURCE, only, (), policy()).chain.heads.keys() == {SECOND}


def test_links_go_back_in_the_order_in_which_stitch_must_find_them() -> None:
    day = a_day()
    receipts = [archived(recording_id=FIRST, revision=number) for number in (1, 2)]

    found = rebuild(SOURCE, day.known(receipts), (), policy())

    assert found.archived_links == tuple(link for entry in day.entries[FIRST] for link in entry.links)
    assert found.open_links == tuple(link for entry in day.entries[SECOND] for link in entry.links)


def test_the_archive_remembers_the_newest_revision_of_each_recording() -> None:
    receipts = [
        archived(recording_id=FIRST, revision=2, close_hash=sha("second")),
        archived(recording_id=FIRST, revision=1, close_hash=sha("first")),
    ]

    found = rebuild(SOURCE, a_day().known(receipts), (), policy()).archive

    assert [(name, one.revision, one.close_hash) for name, one in found.done.items()] == [(FIRST, 2, sha("second"))]


def test_deadlines_are_met_by_receipts_and_open_ones_go_on() -> None:
    day = a_day()
    receipts = [archived(4, recording_id=FIRST), archived(7, recording_id=FIRST, revision=2)]

    found = rebuild(SOURCE, day.known(receipts), (), policy())

    assert {name: one.state for name, one in found.deadline.finished.items()} == {FIRST: "met"}
    assert found.deadline.open == {SECOND: day.deadline.open[SECOND]}
    assert found.deadline.heard == {"folder": 2}
    assert day.deadline.heard == {"folder": 7}
    assert {change.recording_id for change in found.changes if isinstance(change, DeadlineChanged)} == {FIRST, SECOND}


def test_a_file_lost_before_one_that_is_known_is_heard_of_when_it_is_announced_again() -> None:
    day = Day([file(0), file(2)])
    lost = file(1, SECOND).landed

    found = rebuild(SOURCE, day.known(), (), policy()).deadline
    again, _ = deadline.step(found, lost, policy())

    assert found.heard == {lost.connector: 1}
    assert SECOND in again.open


def test_links_of_an_item_that_was_cut_in_half_are_no_group() -> None:
    links: list[LinkAppended] = [link for entry in a_day().entries[FIRST] for link in entry.links]
    ends = next(number for number, link in enumerate(links) if link.kind == "close")

    assert [len(group) for group in groups(links[:ends])][-1:] == [1]
    assert sum(len(group) for group in groups(links[:ends])) < ends
    assert list(groups(links[:1])) == []
