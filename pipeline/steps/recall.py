"""Recall: every chain the archive knows, of closed recordings and of open ones.

A closed recording's chain stands in its newest revision that has a receipt by a key of ours; what was linked since then, and
all of a recording that is still open, in checkpoints with our seal. Nothing is taken from the broker. A chain with faults is
told with them: nobody shall go on from it. Links that nobody answers for are a fault, unless they are asked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from pipeline.domain.annotation import Annotation
from pipeline.domain.archive import RecordingArchived
from pipeline.domain.canonical import plain
from pipeline.domain.chain import ChainFault, LinkAppended, verify
from pipeline.domain.checkpoint import Assembled, Checkpoint, assemble
from pipeline.domain.errors import Malformed
from pipeline.domain.identity import RecordingId, SourceId
from pipeline.domain.landing import Ends, SegmentLanded
from pipeline.domain.probe import SegmentProbed
from pipeline.domain.rebuild import Entry, Known, Said, groups
from pipeline.domain.source_statement import statement_at, statement_key
from pipeline.domain.stitch import original_in
from pipeline.steps.checkpoint import read_checkpoint
from pipeline.steps.seal import Seals, SignedBy
from pipeline.steps.shelf import Beside, Folder, ReadableStore, shelf_of
from pipeline.wire import codec


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """One recording as the archive knows it. ``receipts``: of its archived revisions, in order. ``archived_links``: how
    many of the chain's links the newest of them covers."""

    source_id: SourceId
    recording_id: RecordingId
    receipts: tuple[RecordingArchived, ...]
    archived_links: int
    chain: Assembled


def recalled(
    store: ReadableStore, records: str, keys: Mapping[str, bytes], signed: SignedBy, *, unsealed: bool = False
) -> Iterator[Recalled]:
    """Every recording in the bucket *records*, by source; *keys* as for :class:`Seals`. *unsealed*: links count that nobody
    answers for. Raises what the store raises while it does not answer."""
    shelf = shelf_of(store, records)
    reading = _Reading(store, records, Seals(store=store, records=records, keys=keys, signed=signed), unsealed)
    for source in sorted({*shelf.recordings, *shelf.checkpoints}):
        revisions, kept = shelf.recordings.get(source, {}), shelf.checkpoints.get(source, {})
        for name in sorted({*revisions, *kept}):
            about = SourceId(source), RecordingId(name)
            yield _recording(reading, *about, revisions.get(name, ()), kept.get(name, ()))


class _Reading(NamedTuple):
    store: ReadableStore
    records: str
    seals: Seals
    unsealed: bool


def _recording(
    reading: _Reading, source: SourceId, recording: RecordingId, revisions: Sequence[int], keys: Sequence[str]
) -> Recalled:
    store, records, seals, unsealed = reading
    beside = Beside()
    receipts: list[RecordingArchived] = []
    newest: Folder | None = None
    wrong: list[tuple[str, str]] = []
    for number in revisions:
        folder = Folder(store, records, f"recordings/{source}/{recording}/r{number}", lambda _size_bytes: None)
        receipt = folder.receipt()
        if receipt is not None and not seals.signed_by_ours(receipt):
            wrong.append(("a receipt that a key of ours signed", f"r{number}, by key {receipt.key_id}"))
            continue
        beside.add(number, folder.document("manifest.json", receipt))
        if receipt is not None:
            receipts.append(receipt)
            newest = folder
    archived = newest.links(source, recording, beside, receipts[-1]) if newest else ()
    found: list[Checkpoint] = []
    for key in keys:
        data = store.read(records, key)
        try:
            one = read_checkpoint(key, data)
        except Malformed as exc:
            wrong.append(("a checkpoint", str(exc)))
            continue
        # One that has served adds nothing: it may contradict, whoever wrote it.
        if unsealed or one.last_seq < len(archived) - 1 or seals.believed(key, data):
            found.append(one)
        else:
            wrong.append(("a checkpoint with a seal by a key of ours", f"{key} without"))
    chain = assemble(archived, found)
    last = len(chain.links) - 1
    faults = [ChainFault(check=3, seq=last, expected=expected, found=text) for expected, text in wrong]
    return Recalled(
        source_id=source,
        recording_id=recording,
        receipts=tuple(receipts),
        archived_links=len(archived),
        chain=Assembled(links=chain.links, faults=(*chain.faults, *faults)),
    )


def source_statements(store: ReadableStore, records: str) -> Iterator[Annotation]:
    """What was said about sources and no recording, by source. Raises :class:`Malformed` naming an object that is none, and
    what the store raises."""
    for listed in store.list(records, "statements/"):
        if statement_at(listed.key) is not None:
            said = codec.load_state(Annotation, _statement(listed.key, store.read(records, listed.key)))
            if statement_key(said) != listed.key:
                raise Malformed(
                    f"a statement lies where another belongs, its place is {statement_key(said)} ({listed.key})"
                )
            yield said


def _statement(key: str, data: bytes) -> object:
    try:
        return json.loads(data)["statement"]
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        raise Malformed(f"this is no statement: {exc} ({key})") from exc


# -- a recording's history -----------------------------------------------------------------------------------------------


def sound(one: Recalled) -> tuple[LinkAppended, ...]:
    """The links that can be gone on from: all of a chain that verifies, or those before its first fault behind the archived
    ones; none where the archived ones themselves have one."""
    links = one.chain.links
    if any(fault.check != 8 for fault in verify(links[: one.archived_links])) and one.archived_links:
        return ()
    behind = [fault.seq + 1 for fault in one.chain.faults if fault.seq + 1 >= one.archived_links]
    return links[: min(behind, default=len(links))]


def known(one: Recalled) -> Known | None:
    """The recording's history as its chain states it; ``None`` if nothing of it can be gone on from."""
    links = sound(one)
    entries = tuple(Entry(group, _said(group[-1], _ends(links))) for group in groups(links))
    if not entries:
        return None
    return Known(
        recording_id=one.recording_id,
        begins=json.loads(links[0].record)["position"],
        entries=entries,
        archived=sum(entry.links[-1].seq < one.archived_links - 1 for entry in entries),
        receipts=one.receipts,
    )


def _ends(links: Sequence[LinkAppended]) -> Ends:
    """How its sender means to end the recording: as a link says, else as it ended, else by idling, which all do at last."""
    stated: list[Ends] = [link.ends for link in links if link.ends]
    ended: list[Ends] = [link.ended.reason for link in links if link.ended]
    return (stated or ended or ["idle"])[-1]


def _said(link: LinkAppended, ends: Ends) -> Said:
    if link.kind == "close":
        assert link.ended is not None  # a chain without it has a fault
        return link.ended
    record = json.loads(link.record)
    if link.kind in ("segment", "late"):
        return _probed(link, record, ends)
    statement = {name: record[name] for name in ("annotation_id", "made_at", "made_by")}
    if link.disclosed is not None:
        statement["metadata"] = plain(link.disclosed.metadata)
    else:
        statement["explanation"] = record["explanation"]
    return codec.load_state(
        Annotation,
        {
            **statement,
            "kind": link.kind,
            "source_id": link.source_id,
            "recording_id": link.recording_id,
        },
    )


def _probed(link: LinkAppended, record: Mapping[str, Any], ends: Ends) -> SegmentProbed:
    assert link.facts is not None  # a chain without them has a fault
    claimed = record["claimed"]
    landed = {
        **{name: record[name] for name in ("connector", "announcement", "original_name", "received_at")},
        "source_id": link.source_id,
        "source_kind": link.source_kind,
        "unit": link.unit,
        "recording_id": link.recording_id,
        "object": asdict(original_in(record)),
        "ends": link.ends or ends,
        "claimed_start": claimed["start"],
        "claimed_end": claimed["end"],
        **{name: claimed[name] for name in ("sequence", "run", "clock_offset_ms")},
    }
    return SegmentProbed(
        landed=codec.load_state(SegmentLanded, landed),
        facts=link.facts,
        observed_sha256=record["content"]["sha256"],
        probe_version=record["probe_version"],
    )
