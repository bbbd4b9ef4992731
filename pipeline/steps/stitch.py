"""Stitch, the step: at a close, read the chain again from the broker, check it, and stage its documents.

The state of the stage is only where each chain begins; the links themselves are read back from their own topic, so a
recording of any length costs no state. A chain that does not verify is not described: the error names every fault.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from pipeline.domain.chain import LinkAppended, verify
from pipeline.domain.errors import ChainBroken
from pipeline.domain.identity import Sha256
from pipeline.domain.policy import Policy
from pipeline.domain.stitch import (
    Document,
    DocumentName,
    RecordingStitched,
    StitchState,
    account_of,
    chain_of,
    documents,
    follow,
    originals_of,
    segments_of,
)
from pipeline.ports import LinkHistory, ObjectStore

MARGIN: Final = 2
"""We remember this many times the closed chains that continuity can reopen, which are counted in another order."""
WINDOW: Final = 5_000
"""Offsets read at once. A recording reopened after days has much of its partition in between; what is of other recordings
is let go of window by window."""
NAMED_FAULTS: Final = 5
"""One break shows in every later link; the first ones tell where to look."""


def remembered(policy: Policy) -> int:
    """How many closed chains of a source stay known, so that a reopened one goes on."""
    return MARGIN * policy.remembered_closed_recordings


class ReceivedLink(Protocol):
    """A link and where it stood in the link topic."""

    @property
    def event(self) -> LinkAppended: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...


@dataclass(frozen=True, kw_only=True)
class StitchStep:
    """*decode* reads a value of the link topic; *derived* is the bucket of staged documents; *software* names us in manifests."""

    store: ObjectStore
    history: LinkHistory
    decode: Callable[[bytes], LinkAppended]
    derived: str
    software: str
    policy: Policy

    async def step(
        self, state: StitchState, received: ReceivedLink
    ) -> tuple[StitchState, tuple[RecordingStitched, ...]]:
        """Follow one link; at a new close, return the recording's description with its documents staged.

        Raises :class:`HistoryMissing`, :class:`ChainBroken`, and what the broker and the store raise.
        """
        close = received.event
        state, first_offset = follow(state, close, received.offset, remembered(self.policy))
        if first_offset is None:
            return state, ()
        history: list[LinkAppended] = []
        for start in range(first_offset, received.offset + 1, WINDOW):
            last = min(start + WINDOW - 1, received.offset)
            values = await self.history.values(received.partition, start, last)
            history += await asyncio.to_thread(self._ours, values, close)
        stitched = await asyncio.to_thread(self._describe, history, close)
        return state, (stitched,)

    def _ours(self, values: Sequence[bytes], close: LinkAppended) -> list[LinkAppended]:
        links = map(self.decode, values)
        return [link for link in links if link.recording_id == close.recording_id]

    def _describe(self, history: Sequence[LinkAppended], close: LinkAppended) -> RecordingStitched:
        links = chain_of(history, close)
        faults = verify(links)
        if faults:
            named = "; ".join(
                f"check {fault.check} at link {fault.seq}: expected {fault.expected}, found {fault.found}"
                for fault in faults[:NAMED_FAULTS]
            )
            raise ChainBroken(f"the chain does not verify, {len(faults)} faults: {named} ({close.recording_id})")
        staged = tuple(self._stage(name, data) for name, data in documents(links, self.software))
        account = account_of(links)
        return RecordingStitched(
            source_id=close.source_id,
            source_kind=close.source_kind,
            unit=close.unit,
            recording_id=close.recording_id,
            revision=account.revision,
            close_hash=close.hash,
            close_seq=close.seq,
            documents=staged,
            originals=originals_of(segments_of(links)),
            ended=account,
        )

    def _stage(self, name: DocumentName, data: bytes) -> Document:
        digest = Sha256(hashlib.sha256(data).hexdigest())
        key = f"staged/{digest}"
        self.store.put_bytes(self.derived, key, data, digest, retain_until=None)
        return Document(name=name, sha256=digest, size_bytes=len(data), staged_key=key)
