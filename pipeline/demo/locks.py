"""Locks: what the store itself says of a recording's objects, asked object by object."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.demo.truth import Truth
from pipeline.domain.time import WallMs
from pipeline.ports import ObjectStore
from pipeline.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class LockView:
    """How many originals and records the store holds, every lock mode seen once, and the earliest end of a lock."""

    originals: int
    records: int
    modes: tuple[str, ...]
    retain_until_min: WallMs | None


def lock_view(store: ObjectStore, settings: Settings, truth: Truth) -> LockView:
    """Look up the originals by the bytes that were imported, and the records by the recording's name.

    Raises ``ObjectMissing`` if the archive lacks an original.
    """
    originals = [store.stat(settings.originals, key) for key in truth.originals]
    listed = store.list(settings.records, f"recordings/{truth.source_id}/{truth.recording_id}/")
    records = [store.stat(found.bucket, found.key) for found in listed]
    found = [*originals, *records]
    ends = [stat.retain_until for stat in found if stat.retain_until is not None]
    return LockView(
        originals=len(originals),
        records=len(records),
        modes=tuple(sorted({stat.lock_mode for stat in found})),
        retain_until_min=min(ends) if len(ends) == len(found) else None,
    )
