"""Clearing: whether a file may be removed where it was recorded, because the archive has it for good.

Rule 1: only a receipt clears. Its signature is by a key that is known from outside the archive, and covers the list of
objects the receipt itself holds.
Rule 2: the receipt is of the file's own source and recording, and lists an original with the digest and size of the file
as it is at this moment, not as it once was.
Rule 3: the store itself, asked now, reports that version in mode COMPLIANCE until the receipt's date or later.
Rule 4: anything else keeps the file, and says why.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.domain.archive import LockedObject, RecordingArchived
from pipeline.domain.identity import RecordingId, Sha256, SourceId
from pipeline.domain.time import to_rfc3339
from pipeline.domain.verify import Lock


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """A file as it was just read, and whose it is."""

    source_id: SourceId
    recording_id: RecordingId
    sha256: Sha256
    size_bytes: int


def listed(receipt: RecordingArchived, sha256: Sha256) -> LockedObject | None:
    """What *receipt* lists of the bytes with this digest."""
    return next((item for item in receipt.originals if item.object.sha256 == sha256), None)


def why_kept(receipt: RecordingArchived, genuine: bool | None, original: Original, held: Lock | None) -> str | None:
    """Why *original* must not be removed on the word of *receipt*, or ``None``.

    *genuine*: whether the key the receipt names signed it, ``None`` if that key is not known from outside the archive.
    *held*: the lock the store reports now of what the receipt lists, ``None`` if it holds nothing there.
    """
    about = f"{receipt.recording_id} r{receipt.revision}"
    if genuine is None:
        return f"the receipt of {about} is signed by key {receipt.key_id}, which is not among those given"
    if not genuine:
        return f"the receipt of {about} is not what key {receipt.key_id} signed"
    if (receipt.source_id, receipt.recording_id) != (original.source_id, original.recording_id):
        return f"the receipt is of {receipt.source_id} {about}, not of {original.source_id} {original.recording_id}"
    item = listed(receipt, original.sha256)
    if item is None or item.object.size_bytes != original.size_bytes or item.lock_mode != "COMPLIANCE":
        return f"the receipt of {about} does not list these bytes as locked"
    if held is None or held.mode != "COMPLIANCE" or held.retain_until is None or held.retain_until < item.retain_until:
        found = "nothing" if held is None else held.mode
        until = to_rfc3339(item.retain_until)
        return f"the store does not confirm the lock: expected COMPLIANCE until {until}, found {found}"
    return None
