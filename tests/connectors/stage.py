"""A connector on a table: the store in memory, a journal in a folder, and an announcer that keeps what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path
from typing import Any

from pipeline.adapters.clock import SystemClock
from pipeline.adapters.objects_memory import MemoryObjects
from pipeline.connectors.announcer import Announcer
from pipeline.connectors.folder import Intake, Row, Session, discover
from pipeline.connectors.journal import open_journal
from pipeline.connectors.names import PROFILES
from pipeline.domain.annotation import Annotation
from pipeline.domain.errors import UnbrokenError
from pipeline.domain.identity import RecordingId, SourceId, SourceKind
from pipeline.domain.landing import SegmentLanded
from pipeline.wire import topics
from pipeline.wire.codec import decode
from tests.builders_archive import Trusting


class Heard(Announcer):
    """Keeps what was sent. Each of *faults* is raised once, before or after the message counts as sent."""

    def __init__(self) -> None:
        self.values: list[bytes] = []
        self.said: list[bytes] = []
        self.faults: list[tuple[UnbrokenError, bool]] = []

    async def landed(self, values: Sequence[bytes]) -> None:
        self._take(self.values, values)

    async def annotations(self, values: Sequence[bytes]) -> None:
        self._take(self.said, values)

    def _take(self, heard: list[bytes], values: Sequence[bytes]) -> None:
        error, after = self.faults.pop(0) if self.faults else (None, False)
        if error is not None and not after:
            raise error
        heard += values
        if error is not None:
            raise error

    @property
    def segments(self) -> list[SegmentLanded]:
        return [decode(topics.LANDED.name, value) for value in self.values]

    @property
    def statements(self) -> list[Annotation]:
        return [decode(topics.ANNOTATION.name, value) for value in self.said]


def session(kind: SourceKind = "body_camera", recording: str | None = "rec-1", **changes: Any) -> Session:
    """A session with sane words."""
    values: dict[str, Any] = {
        "source_id": SourceId("cam-1"),
        "kind": kind,
        "unit": "二队",
        "ends": "declared",
        "profile": PROFILES["auto"],
        "zone": UTC,
        "bucket": "originals",
        "block_s": 3600,
        "retention_s": 86_400,
        "recording": None if recording is None else RecordingId(recording),
        "patience_s": 1.0,
    }
    return Session(**(values | changes))


@dataclass
class Table:
    """Everything an import touches; ``run`` is one process's life on it."""

    folder: Path
    store: MemoryObjects = field(default_factory=lambda: MemoryObjects(SystemClock()))
    heard: Heard = field(default_factory=Heard)
    trust: Trusting = field(default_factory=Trusting)

    def __post_init__(self) -> None:
        self.store.make_bucket("originals", lock_days=1)

    @contextmanager
    def intake(self, wanted: Session | None = None) -> Iterator[Intake]:
        with open_journal(self.folder, SourceId("cam-1"), "folder") as journal:
            made = Intake(self.store, self.trust, journal, self.heard, SystemClock(), wanted or session())
            try:
                yield made
            finally:
                made.close()

    async def run(self, *paths: Path, wanted: Session | None = None) -> list[Row]:
        """One whole import."""
        with self.intake(wanted) as intake:
            rows = await intake.take(list(discover(paths)))
            await intake.end(rows, None, "tester")
            return rows


async def eventually(is_so: Callable[[], bool], timeout_s: float = 20) -> None:
    """Wait until *is_so*; raises ``TimeoutError``."""
    async with asyncio.timeout(timeout_s):
        while not is_so():  # noqa: ASYNC110  # what is waited for happens in files and other processes
            await asyncio.sleep(0.02)
