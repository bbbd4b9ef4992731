"""Probe: what the bytes themselves say, kept apart from what was claimed.

A :class:`MediaFacts` is made in one pass over exactly the bytes whose digest stands beside it. Per stream it keeps the
extremes and the typical interval, never the packet list; what is wrong *inside* the file is already judged into
findings, because only this pass sees every packet. Durations a container declares are facts about the container, not
about the recording: they measure what a truncated file lost and judge nothing else.

Readers hand over a reading and :mod:`pipeline.domain.facts` makes the facts of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from pipeline.domain.findings import Finding
from pipeline.domain.identity import Sha256, label, sha256
from pipeline.domain.landing import SegmentLanded
from pipeline.domain.media import TimeBase
from pipeline.domain.time import ClaimedTime, Nanos

TRANSPORT_STREAMS: Final = ("mpegts", "mpegts-192", "mpegts-204")
"""Containers by how far apart their packets begin (ISO/IEC 13818-1 has 188 bytes; M2TS puts a time before each, DVB parity behind)."""

StreamKind = Literal["video", "audio", "other"]
MediaKind = Literal["timed", "photo", "unreadable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamFacts:
    """One stream, in ticks of ``time_base_num/time_base_den`` seconds.

    ``first_ticks``/``last_ticks``: least and greatest PTS (raw; 33-bit streams unwrapped within the file, so ``last``
    may pass 2**33). ``median_interval_ticks``: running median of sorted PTS deltas; the length of the last, unknown
    frame. All three are ``None`` where no usable timestamps exist. ``covered_ticks``: last - first + median - gaps inside.
    """

    index: int
    kind: StreamKind
    codec: str
    time_base_num: int
    time_base_den: int
    packets: int
    first_ticks: int | None = None
    last_ticks: int | None = None
    median_interval_ticks: int | None = None
    covered_ticks: int | None = None
    wraps_33: bool = False
    format: str = ""

    def __post_init__(self) -> None:
        if self.index < 0 or self.packets < 0:
            raise ValueError(f"stream index and packets are not negative, found {self.index} and {self.packets}")
        TimeBase(self.time_base_num, self.time_base_den)

    @property
    def time_base(self) -> TimeBase:
        return TimeBase(self.time_base_num, self.time_base_den)


@dataclass(frozen=True, slots=True, kw_only=True)
class BandIdentity:
    """An identity the recorder wrote into the file: MediaMTX ``mtxi`` (stream uuid, segment number, DTS ns, wall ns)."""

    kind: Literal["mtxi"]
    stream_id: str
    number: int
    dts_ns: Nanos
    ntp_ns: Nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaFacts:
    """What one pass over the bytes found. ``clocks``: every wall time the file states, each with its origin and error;
    they disagree in real files and all are kept. ``container``: one word (``mpegts``, ``mpegts-192`` and ``mpegts-204`` with more
    than a packet from sync byte to sync byte, ``mp4`` for its whole family, ``fmp4``
    when fragmented, ``cmaf`` when another file describes it, ``matroska``, ``avi``...). ``device``: maker, model and serial number as the file states them.
    ``reader``: who read it (``pyav``, ``ts``, ``isobmff``), and why not the reader meant for it. ``init_bytes``: of a fragmented file
    that holds all its samples in fragments, how many bytes before the first one start a player (ISO/IEC 14496-12 8.8)."""

    media: MediaKind
    container: str
    reader: str
    streams: tuple[StreamFacts, ...] = ()
    identities: tuple[BandIdentity, ...] = ()
    clocks: tuple[ClaimedTime, ...] = ()
    findings: tuple[Finding, ...] = ()
    device: str = ""
    init_bytes: int | None = None

    def __post_init__(self) -> None:
        if self.init_bytes is not None and self.init_bytes < 1:
            raise ValueError(f"what starts a player has bytes, found {self.init_bytes}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentProbed:
    """The claim with its facts. ``observed_sha256`` is the digest of what the store holds, read back by us; it equals
    the claimed one, or the segment never got here. ``chunk_root`` and ``observed_sm3`` (if the policy asks for it) are of the
    same bytes, computed in the same pass."""

    landed: SegmentLanded
    facts: MediaFacts
    observed_sha256: Sha256
    probe_version: str
    observed_sm3: Sha256 | None = None
    chunk_root: Sha256 | None = None

    def __post_init__(self) -> None:
        for digest in (self.observed_sha256, self.observed_sm3, self.chunk_root):
            if digest is not None:
                sha256(digest)
        label(self.probe_version, "probe version")
