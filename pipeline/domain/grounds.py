"""Grounds: what a verdict over files rests on, and what it says nothing about.

What places a file is told with its error bar, since a clock that is off by two seconds cannot show a hole of one. What could
not be tested is told beside every verdict, also the best: an untold doubt would be taken for proof.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, Literal, NamedTuple

from pipeline.domain.dates import Ruling
from pipeline.domain.findings import Evidence
from pipeline.domain.listing import Listing
from pipeline.domain.policy import Tolerance
from pipeline.domain.probe import SegmentProbed
from pipeline.domain.recording import JudgedSegment, RecordingEnded
from pipeline.domain.time import ClockOrigin, WallMs
from pipeline.domain.timeline import claim_of, locate

_SECOND_CLOCK: Final = 2
"""Moments a wall clock must tell before stamps can be compared with it."""
_IMPOSSIBLE: Final = frozenset({"overlap", "clock_step", "timestamp_reset"})
"""What files that one recorder wrote one after the other show only if their dates are not the recorder's."""

UntestedWhy = Literal[
    "no_media", "unread", "unreadable", "photo", "untimed", "unplaced", "wall_clock", "stamps_alone", "dates_alone",
    "dates_wrong", "uncorroborated", "outside",
]  # fmt: skip
"""No media file there; not opened; opened and unreadable; a still picture; without usable stamps; placed by nothing; between
files that a clock alone places; files whose day is unknown; whose dates alone place them; whose dates cannot be right;
stamps that no second clock confirms; and what lies before the first sample and after the last."""


class Unread(NamedTuple):
    """A file that may belong to the recording and could not be read, and what to do about it."""

    name: str
    reason: str


class Basis(NamedTuple):
    """What places so many files in time: the clock their order and gaps are judged by (``none``: nothing places them),
    and the claim, with its error bar, that ties it to the clock times shown."""

    evidence: Evidence
    origin: ClockOrigin | None
    error_ms: int | None
    files: int

    def doubt_ms(self, tolerance: Tolerance) -> int:
        """Between files that a wall clock places, what may be missing unseen; 0 by other clocks."""
        return max(tolerance.wall_clock_ms, 2 * (self.error_ms or 0)) if self.evidence == "wall_clock" else 0


class Untested(NamedTuple):
    """What the verdict says nothing about: why, and of which files, or how many, or up to which length."""

    why: UntestedWhy
    files: tuple[str, ...] = ()
    how_many: int | None = None
    size_ms: int | None = None
    reason: str = ""


def unopened_in_short(items: Sequence[Untested], most: int) -> tuple[list[Untested], int, list[Untested]]:
    """At most *most* of the files that were not opened, how many more there are, and everything else that was not tested."""
    unopened = [item for item in items if item.why == "unread"]
    return unopened[:most], max(0, len(unopened) - most), [item for item in items if item.why != "unread"]


def bases_of(ended: RecordingEnded, segments: Sequence[JudgedSegment], ruling: Ruling) -> Iterator[Basis]:
    """What places the files, each kind of basis with how many it places."""
    starts_anew = _starts_anew(ended, segments)
    counted = Counter(
        _NO_BASIS if ruling == "nothing" else _basis(segment.probed, starts_anew)
        for segment in segments
        if segment.probed.facts.media == "timed" and not segment.duplicate
    )
    for basis, count in counted.items():
        yield basis._replace(files=count)


_NO_BASIS: Final = Basis("none", None, None, 0)


def _basis(probed: SegmentProbed, starts_anew: bool) -> Basis:
    placed, claim = locate(probed), claim_of(probed)
    if placed is None or claim is None:
        return _NO_BASIS
    evidence: Evidence = "wall_clock" if placed.clock == "wall" or starts_anew else "media_clock"
    return Basis("identity" if placed.clock.startswith("mtxi:") else evidence, claim.origin, claim.error_ms, 0)


def _starts_anew(ended: RecordingEnded, segments: Sequence[JudgedSegment]) -> bool:
    """Whether the stamps begin again in every file, so that only the wall clock tells what lies between them."""
    resets = sum(finding.count or 0 for finding in ended.findings if finding.kind == "timestamp_reset")
    return resets > 0 and resets >= sum(segment.start is not None for segment in segments) - 1


def unopened(unread: Sequence[Unread]) -> Iterator[Untested]:
    """Files that lay there and were not opened."""
    for item in unread:
        yield Untested("unread", (item.name,), reason=item.reason)


def not_tested(
    ended: RecordingEnded, files: Sequence[tuple[str, JudgedSegment]], tolerance: Tolerance, ruling: Ruling
) -> Iterator[Untested]:
    """What could not be tested of files that were judged."""
    bad = [name for name, segment in files if segment.probed.facts.media == "unreadable" and not segment.duplicate]
    photos = [name for name, segment in files if segment.probed.facts.media == "photo"]
    untimed = [
        name
        for name, segment in files
        if segment.probed.facts.media == "timed" and any(f.kind == "not_testable" for f in segment.findings)
    ]
    named: tuple[tuple[UntestedWhy, list[str]], ...] = (("unreadable", bad), ("photo", photos), ("untimed", untimed))
    for why, names in named:
        if names:
            yield Untested(why, tuple(names))
    segments = [segment for _, segment in files]
    timed = [segment for segment in segments if segment.probed.facts.media == "timed" and not segment.duplicate]
    if len(timed) > 1:
        yield from _between_files(ended, timed, tolerance, ruling)
    if timed and len(_clock_times(timed)) < _SECOND_CLOCK:
        yield Untested("uncorroborated")
    yield Untested("outside")


def _clock_times(timed: Sequence[JudgedSegment]) -> set[WallMs]:
    """Moments that something else than stamps and copied dates tells."""
    claims = [claim_of(segment.probed) for segment in timed if locate(segment.probed) is not None]
    return {claim.at for claim in claims if claim is not None and claim.origin != "file_system"}


def _between_files(
    ended: RecordingEnded, timed: Sequence[JudgedSegment], tolerance: Tolerance, ruling: Ruling
) -> Iterator[Untested]:
    if ruling == "nothing":
        yield Untested("dates_wrong")
        return
    bases = list(bases_of(ended, timed, ruling))
    lost = sum(basis.files for basis in bases if basis.evidence == "none")
    if lost:
        yield Untested("unplaced", how_many=lost)
    doubts = [basis.doubt_ms(tolerance) for basis in bases if basis.evidence == "wall_clock"]
    if doubts:
        yield Untested("wall_clock", size_ms=max(doubts))
    if ruling == "stamps":
        yield Untested("stamps_alone")
    elif any(basis.origin == "file_system" for basis in bases):
        impossible = ruling == "claims" or any(finding.kind in _IMPOSSIBLE for finding in ended.findings)
        yield Untested("dates_wrong" if impossible else "dates_alone")


def unsaid(listings: Sequence[Listing]) -> Iterator[Untested]:
    """What a list leaves open."""
    for listing in listings:
        for reason in listing.open_ends:
            yield Untested("unread", (listing.name,), reason=reason)
