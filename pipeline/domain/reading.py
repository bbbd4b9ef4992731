"""Reading: what a reader of media files hands over, before anything is judged (:mod:`pipeline.domain.facts` does).

Times are ticks of each stream; places in the file are bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.domain.cadence import Cadence
from pipeline.domain.marks import Mark
from pipeline.domain.media import TimeBase, milliseconds
from pipeline.domain.probe import BandIdentity, StreamKind
from pipeline.domain.time import ClaimedTime


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamReading:
    """One stream as read, in ticks. ``clock``: streams share a clock when this is equal (the program of a transport
    stream). ``missing_pts`` packets had no time, at most ``longest_missing`` in a row. ``reorder_frames``: how far
    decoding order and presentation order differ. ``resets``: (place, step back) where times step back beyond reordering;
    what follows was moved to join. ``declared_ticks``: the length the container states. ``hidden``: (place, length) of what the
    file holds and its edit list leaves out between two parts that it shows; ``trimmed``: what it leaves out before the first and
    after the last."""

    index: int
    kind: StreamKind
    codec: str
    time_base_num: int
    time_base_den: int
    packets: int
    first_ticks: int | None = None
    last_ticks: int | None = None
    cadence: Cadence = field(default_factory=Cadence)
    wraps_33: bool = False
    format: str = ""
    clock: int = 0
    missing_pts: int = 0
    longest_missing: int = 0
    reorder_frames: int = 0
    resets: tuple[tuple[int, int], ...] = ()
    declared_ticks: int | None = None
    hidden: tuple[tuple[int, int], ...] = ()
    trimmed: tuple[int, int] = (0, 0)

    @property
    def time_base(self) -> TimeBase:
        return TimeBase(self.time_base_num, self.time_base_den)


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketLoss:
    """Transport packets missing by continuity counter on one PID: ``count`` (modulo 16 in each of ``places``).
    ``byte_offsets``: of the first places; ``after_ticks``: the first of them, after the stream's first frame. ``heard``:
    the PID may carry sound or picture; tables and data may not."""

    pid: int
    stream: int | None
    count: int
    places: int
    byte_offset: int
    byte_offsets: tuple[int, ...] = ()
    after_ticks: int | None = None
    heard: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """Bytes between transport packets that are none: how many, in how many places, where the first."""

    places: int
    count_bytes: int
    byte_offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatChange:
    """A stream changes its format inside the file, ``after_ticks`` after its first frame."""

    stream: int
    before: str
    after: str
    byte_offset: int | None = None
    after_ticks: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Truncation:
    """The file's own structure promises more than is there."""

    expected: str
    found: str
    byte_offset: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReading:
    """One file as read. ``counted``: the format stores no times, the reader counted frames or samples.
    ``announced``: (how many, first byte offset) of discontinuities the recorder declared. ``marks``: a wall clock inside it.
    ``numbers``: what its writer numbered its parts with, in order of place."""

    container: str
    reader: str
    streams: tuple[StreamReading, ...]
    counted: bool = False
    truncation: Truncation | None = None
    losses: tuple[PacketLoss, ...] = ()
    announced: tuple[int, int] | None = None
    foreign: Foreign | None = None
    changes: tuple[FormatChange, ...] = ()
    identities: tuple[BandIdentity, ...] = ()
    clocks: tuple[ClaimedTime, ...] = ()
    marks: tuple[Mark, ...] = ()
    numbers: Sequence[int] = ()
    device: str = ""
    init_bytes: int | None = None

    @property
    def zero_ms(self) -> int:
        """Media time of the file's first sample."""
        firsts = [
            s.time_base.seconds(s.first_ticks) for s in self.streams if s.kind != "other" and s.first_ticks is not None
        ]
        return min(map(milliseconds, firsts), default=0)

    def place_ms(self, stream: int | None, after_ticks: int | None) -> int | None:
        """Milliseconds from the first sample of a stream's clock to a place in the stream."""
        there = next((s for s in self.streams if s.index == stream), None)
        if there is None or after_ticks is None or there.first_ticks is None:
            return None
        firsts = [
            s.time_base.seconds(s.first_ticks)
            for s in self.streams
            if s.clock == there.clock and s.kind != "other" and s.cadence.starts and s.first_ticks is not None
        ]
        at = there.time_base.seconds(there.first_ticks + after_ticks)
        return milliseconds(at - min(firsts)) if firsts else None
