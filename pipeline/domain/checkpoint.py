"""Checkpoint: links of recordings that are not archived yet are kept in the archive as well, so that a lost broker costs
minutes.

Every link is held until a checkpoint with it is written: when the timer says so (policy ``checkpoint_s``), or when a
source's held links have grown to :data:`HELD_BYTES`. The rules:

1. The timer only says how far: up to the last link it saw held. What a checkpoint holds follows from the links and from
   that, so a repeat after a crash has the same key and the same bytes; in whatever order the two came, it holds links the
   chain really has.
2. The key names the first and last link and the last one's hash, which covers all before it: two chains that contradict
   each other lie side by side, and :func:`assemble` tells.
3. Checkpoints may overlap, when links were sent twice or a state was lost: the same links, once more.
4. A hole between links is not filled or judged here. Each side of it is written as it came; stitch stops at it.
5. What a genesis names is written before it: a close that is lost and made again is another one, and the genesis would name
   one that nobody can show.
6. A recording that is archived when its close is due needs no checkpoint: its chain stands in the archive.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from pipeline.domain.canonical import Json, canonical, plain
from pipeline.domain.chain import ChainFault, LinkAppended, verify
from pipeline.domain.identity import RecordingId, Sha256, SourceId, recording_id, source_id
from pipeline.domain.time import WallMs

CHECKPOINT_FORMAT: Final = "unbroken.checkpoint.v1"
HELD_BYTES: Final = 64 << 10
"""Of a source's links, held in its state, which is put anew with each of them: some 40 segments."""
_KEY: Final = re.compile(
    r"checkpoints/([A-Za-z0-9][\w.-]{0,95})/([A-Za-z0-9][\w.-]{0,95})/"
    r"[-0-9][0-9]{7,15}-[-0-9][0-9]{7,15}-[0-9a-f]{16}\.json",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointDue:
    """The timer's word at *said_at*: the links of a recording up to *through_seq* have waited long enough."""

    source_id: SourceId
    recording_id: RecordingId
    through_seq: int
    said_at: WallMs

    def __post_init__(self) -> None:
        source_id(self.source_id)
        recording_id(self.recording_id)
        if self.through_seq < -1:
            raise ValueError(f"links count from -1, found {self.through_seq}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Links ``first_seq`` to ``last_seq`` of one recording, just as the link topic carried them."""

    source_id: SourceId
    recording_id: RecordingId
    first_seq: int
    last_seq: int
    links: tuple[LinkAppended, ...]

    def __post_init__(self) -> None:
        numbers = [link.seq for link in self.links]
        if not numbers or numbers != list(range(self.first_seq, self.last_seq + 1)):
            raise ValueError(f"expected links {self.first_seq} to {self.last_seq}, found {numbers[:20]}")
        whose = {(link.source_id, link.recording_id) for link in self.links}
        if whose != {(self.source_id, self.recording_id)}:
            raise ValueError(f"expected links of {self.recording_id} only, found {sorted(whose)[:5]}")

    @property
    def closes(self) -> int | None:
        """The revision that its last link closes, if it is a close."""
        ended = self.links[-1].ended
        return None if ended is None else ended.revision


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Links of one recording that no checkpoint has yet, without a hole, and their size as canonical JSON."""

    links: tuple[LinkAppended, ...]
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointState:
    """What is held of one source."""

    held: Mapping[RecordingId, Held] = field(default_factory=dict)


Step = tuple[CheckpointState, tuple[Checkpoint, ...]]


def step(state: CheckpointState, event: LinkAppended | CheckpointDue) -> Step:
    """Hold a link, or let go of what is due; returns the next state and the checkpoints to be written before it counts."""
    if isinstance(event, CheckpointDue):
        return _write(state, event.recording_id, event.through_seq)
    held = state.held.get(event.recording_id)
    written: tuple[Checkpoint, ...] = ()
    if held is not None and event.seq <= held.links[-1].seq:
        return state, ()
    if held is not None and event.seq != held.links[-1].seq + 1:
        state, written = _write(state, event.recording_id)
        held = None
    size_bytes = len(canonical(plain(event)))
    grown = Held(
        links=(*held.links, event) if held else (event,), size_bytes=size_bytes + (held.size_bytes if held else 0)
    )
    state = replace(state, held={**state.held, event.recording_id: grown})
    while sum(one.size_bytes for one in state.held.values()) > HELD_BYTES:
        state, more = _write(state, max(state.held, key=lambda name: (state.held[name].size_bytes, name)))
        written += more
    return state, written


def _write(state: CheckpointState, name: RecordingId, through_seq: int | None = None) -> Step:
    """Let go of *name*'s links up to *through_seq* (``None``: all), and before them of what their genesis names."""
    held = state.held.get(name)
    if held is None or (through_seq is not None and held.links[0].seq > through_seq):
        return state, ()
    state, before = _write_named(state, held.links[0])
    count = len(held.links) if through_seq is None else through_seq - held.links[0].seq + 1
    written, kept = held.links[:count], held.links[count:]
    others = {other: value for other, value in state.held.items() if other != name}
    if kept:
        others[name] = Held(links=kept, size_bytes=sum(len(canonical(plain(link))) for link in kept))
    made = Checkpoint(
        source_id=written[0].source_id,
        recording_id=name,
        first_seq=written[0].seq,
        last_seq=written[-1].seq,
        links=written,
    )
    return replace(state, held=others), (*before, made)


def _write_named(state: CheckpointState, first: LinkAppended) -> Step:
    """Let go of another recording's links up to the close that *first*, if it is a genesis, names, as far as they are held."""
    for other, held in state.held.items() if first.kind == "genesis" else ():
        for link in held.links:
            if link.kind == "close" and f'"previous":"{link.hash}"' in first.record:
                return _write(state, other, link.seq)
    return state, ()


def due(states: Iterable[CheckpointState], now: WallMs) -> tuple[CheckpointDue, ...]:
    """What the timer says at *now*. Repeating it does no harm."""
    return tuple(
        CheckpointDue(
            source_id=held.links[-1].source_id, recording_id=name, through_seq=held.links[-1].seq, said_at=now
        )
        for state in states
        for name, held in sorted(state.held.items())
    )


# -- the document --------------------------------------------------------------------------------------------------------


def checkpoint_folder(source: SourceId) -> str:
    """Where all checkpoints of a source lie in the records bucket."""
    return f"checkpoints/{source}/"


def checkpoint_key(checkpoint: Checkpoint) -> str:
    """Key in the records bucket; the keys of a recording sort by their first link."""
    folder = f"{checkpoint_folder(checkpoint.source_id)}{checkpoint.recording_id}"
    last = checkpoint.links[-1]
    return f"{folder}/{checkpoint.first_seq:08d}-{checkpoint.last_seq:08d}-{last.hash[:16]}.json"


def checkpoint_of(key: str) -> tuple[SourceId, RecordingId] | None:
    """Whose checkpoint lies at *key*; ``None`` if it is none that :func:`checkpoint_key` makes."""
    match = _KEY.fullmatch(key)
    return None if match is None else (SourceId(match[1]), RecordingId(match[2]))


def checkpoint_document(checkpoint: Checkpoint) -> bytes:
    """The checkpoint as canonical JSON: its fields and ``format``; each link as its topic carries it."""
    fields: Json = plain(checkpoint)
    assert isinstance(fields, dict)
    return canonical({"format": CHECKPOINT_FORMAT, **fields})


# -- reading them again --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembled:
    """What the archive knows of a recording's chain: its links from the genesis as far as there are any without a hole,
    and everything that contradicts. Links with faults prove nothing; nobody shall go on from them."""

    links: tuple[LinkAppended, ...]
    faults: tuple[ChainFault, ...]


def assemble(archived: Sequence[LinkAppended], checkpoints: Iterable[Checkpoint]) -> Assembled:
    """One recording's chain out of its newest archived revision (none: empty) and its checkpoints, in any order.

    The links are checked as :func:`pipeline.domain.chain.verify` does, but for the close at the end: what is open has
    none. A number that two different links have, and a hole, are faults of its step 2.
    """
    known = {link.seq: link for link in archived}
    faults: list[ChainFault] = []
    for checkpoint in sorted(checkpoints, key=checkpoint_key):
        for link in checkpoint.links:
            one = known.setdefault(link.seq, link)
            if _said(one, link) != _said(link, one):
                faults.append(ChainFault(check=2, seq=link.seq, expected=_brief(one), found=_brief(link)))
    links: list[LinkAppended] = []
    while len(links) - 1 in known:
        links.append(known[len(links) - 1])
    beyond = [seq for seq in known if seq >= len(links) - 1]
    if beyond:
        expected, found = f"link {len(links) - 1}", f"link {min(beyond)}"
        faults.append(ChainFault(check=2, seq=len(links) - 1, expected=expected, found=found))
    if links:
        faults += [fault for fault in verify(links) if fault.check != 8]
    return Assembled(links=tuple(links), faults=tuple(faults))


def _said(link: LinkAppended, other: LinkAppended) -> tuple[object, ...]:
    """What two copies of a link must agree in. What a manifest holds comes beside an archived link only if that was read."""
    about = link.source_id, link.source_kind, link.unit, link.recording_id
    beside = link.ended if other.ended else None, link.disclosed if other.disclosed else None
    return about, link.kind, link.record, link.hash, link.facts, beside


def _brief(link: LinkAppended) -> str:
    return f"{link.kind} {Sha256(link.hash)} with {link.record}"
