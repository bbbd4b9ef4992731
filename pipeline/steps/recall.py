"""Recall: every chain the archive knows, of closed recordings and of open ones.

A closed recording's chain stands in its newest revision that has a receipt; what was linked since then, and all of a
recording that is still open, in checkpoints. Nothing is taken from the broker. A chain with faults is told with them:
nobody shall go on from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.domain.archive import RecordingArchived
from pipeline.domain.chain import ChainFault
from pipeline.domain.checkpoint import Assembled, Checkpoint, assemble
from pipeline.domain.errors import Malformed
from pipeline.domain.identity import RecordingId, SourceId
from pipeline.steps.checkpoint import read_checkpoint
from pipeline.steps.shelf import Beside, Folder, ReadableStore, shelf_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """One recording as the archive knows it. ``receipts``: of its archived revisions, in order. ``archived_links``: how
    many of the chain's links the newest of them covers."""

    source_id: SourceId
    recording_id: RecordingId
    receipts: tuple[RecordingArchived, ...]
    archived_links: int
    chain: Assembled


def recalled(store: ReadableStore, records: str) -> Iterator[Recalled]:
    """Every recording in the bucket *records*, by source. Raises what the store raises while it does not answer."""
    shelf = shelf_of(store, records)
    for source in sorted({*shelf.recordings, *shelf.checkpoints}):
        revisions, keys = shelf.recordings.get(source, {}), shelf.checkpoints.get(source, {})
        for name in sorted({*revisions, *keys}):
            yield _recording(
                store, records, SourceId(source), RecordingId(name), revisions.get(name, ()), keys.get(name, ())
            )


def _recording(
    store: ReadableStore,
    records: str,
    source: SourceId,
    recording: RecordingId,
    revisions: Sequence[int],
    keys: Sequence[str],
) -> Recalled:
    beside = Beside()
    receipts: list[RecordingArchived] = []
    newest: Folder | None = None
    for number in revisions:
        folder = Folder(store, records, f"recordings/{source}/{recording}/r{number}", lambda _size_bytes: None)
        receipt = folder.receipt()
        beside.add(number, folder.document("manifest.json", receipt))
        if receipt is not None:
            receipts.append(receipt)
            newest = folder
    archived = newest.links(source, recording, beside, receipts[-1]) if newest else ()
    found: list[Checkpoint] = []
    faults: list[ChainFault] = []
    for key in keys:
        try:
            found.append(read_checkpoint(key, store.read(records, key)))
        except Malformed as exc:
            faults.append(ChainFault(check=3, seq=-1, expected="a checkpoint", found=str(exc)))
    chain = assemble(archived, found)
    return Recalled(
        source_id=source,
        recording_id=recording,
        receipts=tuple(receipts),
        archived_links=len(archived),
        chain=Assembled(links=chain.links, faults=(*chain.faults, *faults)),
    )
