"""Rebuild: what the stages remember of a source, found again from its chains alone, when the broker was lost with its topics.

Everything continuity judged stands in a chain: a segment and a statement as one link each, an end as its gaps' links and a
close. So a source's single ordered history can be read from its chains, and each state is what that history leaves. Rules:

1. Every position is a segment's, a statement's or an end's; a genesis says its own, and between recordings the connectors'
   numbers and the times of receipt order the rest. Only what is forgotten first rests on that order.
2. Nothing is decided anew: a recording ended where a close stands, whatever policy and release say today.
3. A chain is gone on from where its last judged item ends. Links of an item that was cut in half are left out, and so is
   all behind a contradiction; it is told.
4. What people said about the source stands beside its chains, and is heard when it was said.
5. What neither states is not guessed: statements about recordings without a segment, which ends were announced. Connectors
   say their part again from their journals, people theirs.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple, TypeAlias

from pipeline.domain import continuity, deadline
from pipeline.domain.annotation import Annotation, SessionEnded
from pipeline.domain.announcements import Island
from pipeline.domain.archive import REMEMBERED, Archived, ArchiveState, RecordingArchived
from pipeline.domain.chain import MAX_CHAINS, ChainState, Head, LinkAppended
from pipeline.domain.continuity import RecordingEnded, SourceState
from pipeline.domain.deadline import Heard
from pipeline.domain.docket import Changes, SourceDeadlines
from pipeline.domain.identity import RecordingId, Sha256, SourceId
from pipeline.domain.policy import Policy
from pipeline.domain.probe import SegmentProbed
from pipeline.domain.stitch import RecordingStitched
from pipeline.domain.time import MAX_WALL_MS

Said: TypeAlias = SegmentProbed | Annotation | RecordingEnded
ITEM: Final = frozenset({"segment", "late", "explanation", "metadata", "close"})
"""Kinds of links that end what one judged item left in a chain; a genesis and gaps stand before theirs."""


class Entry(NamedTuple):
    """One judged item: its links, and what the last of them states."""

    links: tuple[LinkAppended, ...]
    said: Said


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One recording as the archive knows it. ``begins``: the position its genesis states; ``archived``: how many of
    ``entries`` the newest receipt covers."""

    recording_id: RecordingId
    begins: int
    entries: tuple[Entry, ...]
    archived: int
    receipts: tuple[RecordingArchived, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """What the stages must remember of a source. ``archived`` and ``open_links``: links to be on the link topic again, those
    stitch has described and those it has not. ``changes``: what was said of deadlines."""

    continuity: SourceState
    chain: ChainState
    archive: ArchiveState
    deadline: SourceDeadlines
    archived_links: tuple[LinkAppended, ...]
    open_links: tuple[LinkAppended, ...]
    changes: Changes


def groups(links: Iterable[LinkAppended]) -> Iterator[tuple[LinkAppended, ...]]:
    """The links of each whole judged item, in order."""
    held: list[LinkAppended] = []
    for link in links:
        held.append(link)
        if link.kind in ITEM:
            yield tuple(held)
            held = []


def rebuild(source: SourceId, chains: Sequence[Known], statements: Sequence[Annotation], policy: Policy) -> Rebuilt:
    """The states of *source*, whose recordings are *chains* and about which *statements* were made."""
    known = continuity.with_windows(SourceState(source_id=source), statements)
    made = _Heads()
    deadlines = _Deadlines(source, statements, policy)
    receipts = {(one.recording_id, each.revision): each for one in chains for each in one.receipts}
    for position, entry in ordered(chains):
        known = continuity.remembered(known, position, entry.said, policy)
        made.append(position, entry)
        deadlines.hear(entry, receipts)
    deadlines.hear_rest()
    kept = [one for one in sorted(chains, key=_begins) if one.recording_id in known.recordings]
    return Rebuilt(
        continuity=known,
        chain=made.state(),
        archive=_archived(receipts.values()),
        deadline=deadlines.state(known.connectors),
        archived_links=tuple(link for one in kept for entry in one.entries[: one.archived] for link in entry.links),
        open_links=tuple(link for one in kept for entry in one.entries[one.archived :] for link in entry.links),
        changes=deadlines.changes,
    )


def _begins(known: Known) -> int:
    return known.begins


# -- the one history -----------------------------------------------------------------------------------------------------


class _Place(NamedTuple):
    """Where an entry would stand among those of other recordings: by time, then by its connector's count."""

    at: int
    connector: str
    number: int


def ordered(chains: Sequence[Known]) -> Iterator[tuple[int, Entry]]:
    """Every entry with its position, in the source's one order."""
    times = _times(chains)
    begun: list[tuple[_Place, int]] = []
    waiting = deque(sorted(range(len(chains)), key=lambda number: chains[number].begins))
    entries = [deque(one.entries) for one in chains]
    position = 1
    while begun or waiting:
        if waiting and (not begun or chains[waiting[0]].begins <= position):
            number, place = waiting.popleft(), _Place(0, "", 0)
            position = max(position, chains[number].begins)
        else:
            place, number = heapq.heappop(begun)
        if not entries[number]:
            continue
        entry = entries[number].popleft()
        yield position, entry
        position += 1
        place = max(place, _place(entry, times, place))
        if entries[number]:
            heapq.heappush(begun, (max(place, _place(entries[number][0], times, place)), number))


def _place(entry: Entry, times: Mapping[tuple[str, int], int], before: _Place) -> _Place:
    if isinstance(entry.said, SegmentProbed):
        landed = entry.said.landed
        name = landed.connector, landed.announcement
        return _Place(times[name], *name)
    if isinstance(entry.said, Annotation):
        return _Place(entry.said.made_at, "", 0)
    return before  # an end follows from what stands before it


def _times(chains: Sequence[Known]) -> dict[tuple[str, int], int]:
    """When each announcement came: never before one of a lower number, because connectors count as they announce."""
    received = {
        (entry.said.landed.connector, entry.said.landed.announcement): entry.said.landed.received_at
        for one in chains
        for entry in one.entries
        if isinstance(entry.said, SegmentProbed)
    }
    found: dict[tuple[str, int], int] = {}
    latest: dict[str, int] = {}
    for connector, number in sorted(received):
        latest[connector] = max(latest.get(connector, 0), received[connector, number])
        found[connector, number] = latest[connector]
    return found


# -- what each stage keeps of it -----------------------------------------------------------------------------------------


class _Heads:
    """The chain stage's state: where each chain stands."""

    def __init__(self) -> None:
        self._heads: dict[str, Head] = {}
        self._position = 0
        self._previous: Sha256 | None = None

    def append(self, position: int, entry: Entry) -> None:
        last = entry.links[-1]
        head = self._heads.get(last.recording_id)
        if head is None:
            head = Head(source_kind=last.source_kind, unit=last.unit, seq=last.seq, hash=last.hash)
        if isinstance(entry.said, SegmentProbed):
            size = entry.said.landed.object.size_bytes
            head = replace(head, count=head.count + 1, bytes=head.bytes + size)
        elif isinstance(entry.said, RecordingEnded):
            head = replace(head, closed=True)
            self._previous = last.hash
        self._heads[last.recording_id] = replace(head, seq=last.seq, hash=last.hash, used=position)
        self._position = position

    def state(self) -> ChainState:
        kept = sorted(self._heads, key=lambda name: self._heads[name].used)[-MAX_CHAINS:]
        heads = {name: self._heads[name] for name in kept}
        return ChainState(position=self._position, previous=self._previous, heads=heads)


class _Deadlines:
    """The deadline stage's state. When an end was announced no link says: while what came later is told apart, the last
    receipt of its account stands for that. It is forgotten afterwards where a sender will say it again."""

    def __init__(self, source: SourceId, statements: Sequence[Annotation], policy: Policy) -> None:
        self._state = SourceDeadlines(source_id=source)
        self._statements = deque(sorted(statements, key=lambda said: (said.made_at, said.annotation_id)))
        self._declared: set[RecordingId] = set()
        self.changes: Changes = ()
        self._policy = policy

    def hear(self, entry: Entry, receipts: Mapping[tuple[RecordingId, int], RecordingArchived]) -> None:
        said = entry.said
        if isinstance(said, SegmentProbed):
            self._hear_until(said.landed.received_at)
        if isinstance(said, SegmentProbed):
            self._step(said.landed)
        elif isinstance(said, Annotation):
            self._step(said)
        else:
            if said.reason != "next_block":
                self._step(_announced_end(said))
            if said.reason == "declared":
                self._declared.add(said.recording_id)
            receipt = receipts.get((said.recording_id, said.revision))
            if receipt is not None:
                self._step(_stitched(receipt, said, entry.links[-1].seq))
                self._step(receipt)

    def hear_rest(self) -> None:
        self._hear_until(MAX_WALL_MS)

    def _hear_until(self, at: int) -> None:
        while self._statements and self._statements[0].made_at <= at:
            self._step(self._statements.popleft())

    def _step(self, event: Heard) -> None:
        self._state, changes = deadline.step(self._state, event, self._policy)
        self.changes = (*self.changes, *changes)

    def state(self, connectors: Mapping[str, tuple[Island, ...]]) -> SourceDeadlines:
        """*connectors*: which announcements came. What is behind the first hole will be announced again, and must count."""
        heard = {name: islands[0].last if islands[0].first == 1 else 0 for name, islands in connectors.items()}
        open_ = {
            name: replace(one, ended_at=None, expected=None) if name in self._declared else one
            for name, one in self._state.open.items()
        }
        return replace(self._state, heard=heard, open=open_)


def _announced_end(ended: RecordingEnded) -> Annotation:
    return Annotation(
        annotation_id=f"ended-{ended.recording_id}-{ended.revision}",
        kind="session_ended",
        source_id=ended.source_id,
        recording_id=ended.recording_id,
        unit=ended.unit,
        made_at=ended.last_received_at,
        made_by="archive",
        ended=SessionEnded(reason=ended.reason, expected_segments=ended.expected_segments),
    )


def _stitched(receipt: RecordingArchived, ended: RecordingEnded, close_seq: int) -> RecordingStitched:
    """What must have stood before *receipt*: its recording was described. Where the documents were staged is gone."""
    return RecordingStitched(
        source_id=receipt.source_id,
        source_kind=receipt.source_kind,
        unit=receipt.unit,
        recording_id=receipt.recording_id,
        revision=receipt.revision,
        close_hash=receipt.close_hash,
        close_seq=close_seq,
        documents=(),
        originals=tuple(item.object for item in receipt.originals),
        ended=ended,
    )


def _archived(receipts: Iterable[RecordingArchived]) -> ArchiveState:
    """The newest revision of each recording, in the order in which they were archived."""
    done: dict[RecordingId, Archived] = {}
    for receipt in sorted(receipts, key=lambda one: (one.archived_at, one.recording_id, one.revision)):
        done.pop(receipt.recording_id, None)
        done[receipt.recording_id] = Archived(revision=receipt.revision, close_hash=receipt.close_hash)
    return ArchiveState(done=dict(list(done.items())[-REMEMBERED:]))
