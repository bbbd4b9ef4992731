"""Timeline: where segments lie in time, and what is missing between them. Insert in any order: the account is the same.

Every position is an integer of 90 kHz ticks, exact for transport streams and wall milliseconds, to 11 us for anything else.
A segment's position comes from the strongest evidence it has:

1. *identity*: the recorder wrote stream id and stream time into the file (``mtxi``). One clock per stream id.
2. *media clock*: transport streams, and fragments described apart, whose stamps run on from file to file. Stamps belong to one clock when the
   *offset* (claimed wall start minus stamp, modulo 2**33) agrees within the claims' error bars. A restarted camera has
   another offset, and so another clock, even when its stamps look alike.
3. *wall clock*: files that start at zero are placed by their claimed start alone, with its error bar.
4. A file system's date, which copying may have changed: the place is kept as by the rules above, and beside it where dates
   alone and where stamps alone put the file (:mod:`pipeline.domain.dates` decides when all have come).
5. Nothing: a segment without a usable claim is counted and not placed, and no gap is claimed around it.

One clock's segments form an :class:`Epoch`; how far a poor clock drifts during a file is added to its claim's error bar, so that
long files do not look like another clock each. Within it each stream keeps *spans*: unions of segments whose reaches touch. A
reach is half the tolerance on either side (or a claim's own error bar, if that is wider), a property of the segment alone;
so what touches does not depend on the order of arrival, and spans are exact. The state grows with the number of
interruptions, not of segments.

What the spans mean together is told by :mod:`pipeline.domain.account`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple

from pipeline.domain.drift import MOST_PPM, NO_TIES, Tie, Ties, rested, tied
from pipeline.domain.media import MPEG_TS_WRAP
from pipeline.domain.policy import Tolerance
from pipeline.domain.probe import TRANSPORT_STREAMS, MediaFacts, SegmentProbed, StreamFacts
from pipeline.domain.reach import NUMBERS_A_LEAF, Leaves, Span, flat, one, shifted, touched, union
from pipeline.domain.time import MAX_WALL_MS, ClaimedTime, WallMs

TICKS_PER_MS: Final = 90
MAX_EPOCHS: Final = 16
"""More clocks than this in one recording: its files restart their clock, so only the wall clock is believed."""

RUNNING: Final = (*TRANSPORT_STREAMS, "cmaf")
"""Containers whose stamps run on from file to file: transport streams, and fragments of one track whose description lies
apart (``tfdt`` counts on the track's own timeline, ISO/IEC 14496-12 8.8.12). Those have 64 bits; modulo 2**33 they lie on the same circle."""

_PLAUSIBLE_FROM: Final = 946_684_800_000
"""2000-01-01: a recorder whose battery was out says 1970 or 1980; that is no position."""
_PLAUSIBLE_AHEAD_MS: Final = 24 * 3600 * 1000
_MAX_FORMATS: Final = 16


class Hole(NamedTuple):
    """A gap inside a file: on the epoch's clock, and where the file's own claim puts its start."""

    lo: int
    hi: int
    wall: int


class Epoch(NamedTuple):
    """The segments on one clock. Positions of all but ``offsets`` are relative to ``origin``.

    ``clock``: ``wall``, ``ts`` or ``mtxi:<stream id>``. ``offsets``: the range of offsets seen, with reach. ``anchor``: the
    surest, then earliest claim, which ties the epoch to the wall clock. ``ties``: claims by which the two clocks are compared.
    """

    clock: str
    origin: int
    offsets: Span
    anchor: Tie
    lanes: Mapping[str, Leaves]
    on_the_wall: Leaves = ()
    holes: tuple[Hole, ...] = ()
    ties: Ties = NO_TIES

    @property
    def streams(self) -> Mapping[str, tuple[Span, ...]]:
        """The spans of each stream."""
        return {name: flat(leaves) for name, leaves in self.lanes.items()}

    @property
    def walls(self) -> tuple[Span, ...]:
        """The same segments where their claims alone would put them; nothing on a wall clock, where streams are just that."""
        return flat(self.on_the_wall)


_NONE: Final[Mapping[str, Any]] = {}


class Sound(NamedTuple):
    """Of the files with a picture on the wall clock alone: how many have sound, how many have none declared, how long those last,
    and where the first of them begins."""

    heard: int = 0
    silent: int = 0
    silent_ticks: int = 0
    since: int = 0


NO_SOUND: Final = Sound()


class Timeline(NamedTuple):
    """What is remembered of a recording's segments. ``formats``: each stream's codecs and formats with the earliest place of
        each. ``unplaced``: files nothing places, and their length. ``stamped``: of the files with no better claim than their date,
        those with stamps that run on, by the stamps alone, on the circle of 33 bits. ``sound``: where no clock of their own tells what
    each stream lacks.

        Named tuples, because they are written to the state topic as arrays: a day of a camera's blocks stays below 20 kB.
    """

    epochs: tuple[Epoch, ...] = ()
    wall_only: bool = False
    counted: Mapping[str, Leaves] = _NONE
    formats: Mapping[str, tuple[tuple[str, int], ...]] = _NONE
    unplaced: int = 0
    unplaced_ms: int = 0
    by_date: Leaves = ()
    stamped: Epoch | None = None
    sound: Sound = NO_SOUND

    @property
    def numbers(self) -> Mapping[str, tuple[Span, ...]]:
        """Recorder numbers seen, per run."""
        return {run: flat(leaves) for run, leaves in self.counted.items()}

    @property
    def dated(self) -> tuple[Span, ...]:
        """Where file-system dates alone put the files that have no better claim."""
        return flat(self.by_date)


class Placed(NamedTuple):
    """Where one segment says it is. ``at``: position of its first picture (or sample, without pictures), which is what a
    claimed start means; streams and holes are relative to it."""

    clock: str
    at: int
    offset: int
    error: int
    streams: tuple[tuple[str, int, int], ...]
    holes: tuple[tuple[int, int], ...]
    number: int | None
    dated: bool = False

    @property
    def length(self) -> int:
        return max(hi for _, _, hi in self.streams)


class Arrival(NamedTuple):
    """What one insertion changed, for those who watch: the place, a hole before a new span, time covered twice."""

    start: WallMs
    end: WallMs
    gap_ms: int = 0
    overlap_ms: int = 0
    out_of_order: bool = False


def claim_of(probed: SegmentProbed) -> ClaimedTime | None:
    """The wall time of the segment's first sample, on our clock, from the claim most to be believed; ``None`` if no
    claim is plausible. A file system's time is the last resort, and tells when writing ended: the file begins its length
    before it."""
    landed = probed.landed
    claims = []
    if landed.claimed_start is not None:
        claims.append(_moved(landed.claimed_start, -(landed.clock_offset_ms or 0)))
    if landed.claimed_end is not None:
        claims.append(_moved(landed.claimed_end, -(landed.clock_offset_ms or 0) - _length_ms(probed)))
    claims += [
        ClaimedTime(at=WallMs(identity.ntp_ns // 1_000_000), origin="media", error_ms=1000)
        for identity in probed.facts.identities
    ]
    claims += sorted(probed.facts.clocks, key=lambda clock: (clock.error_ms, clock.at))
    own = [claim for claim in claims if claim.origin != "file_system"]
    dated = [_moved(claim, -_length_ms(probed)) for claim in claims if claim.origin == "file_system"]
    latest = landed.received_at + _PLAUSIBLE_AHEAD_MS
    return next((claim for claim in (*own, *dated) if _PLAUSIBLE_FROM <= claim.at <= latest), None)


def _moved(claim: ClaimedTime, by_ms: int) -> ClaimedTime:
    return claim if by_ms == 0 else replace(claim, at=WallMs(claim.at + by_ms))


def _length_ms(probed: SegmentProbed) -> int:
    extents = _extents(probed.facts.streams)
    return (max(hi for _, _, hi in extents) - min(lo for _, lo, _ in extents)) // TICKS_PER_MS if extents else 0


def lead_ms(probed: SegmentProbed) -> int:
    """How long before its first picture, which is what a claimed start means, the file's first sample is."""
    placed = locate(probed)
    return -min(lo for _, lo, _ in placed.streams) // TICKS_PER_MS if placed else 0


def has_stamps(probed: SegmentProbed) -> bool:
    """Whether any stream of the file has usable time stamps."""
    return any(stream.first_ticks is not None for stream in probed.facts.streams if stream.kind != "other")


def running_stamp(facts: MediaFacts) -> int | None:
    """The stamp of the first picture (or sample), at 90 kHz, of a file whose stamps run on from file to file."""
    extents = {name: lo for name, lo, _ in _extents(facts.streams)}
    return extents[reference(extents)] if extents and facts.container in RUNNING else None


def locate(probed: SegmentProbed) -> Placed | None:
    """Where the segment lies by its own evidence; ``None`` if nothing says."""
    streams = _extents(probed.facts.streams)
    claim = claim_of(probed)
    if not streams or claim is None:
        return None
    extents = {name: lo for name, lo, _ in streams}
    first = extents[reference(extents)]
    lead = first - min(extents.values())  # recorders cut at a key frame, and the sound of that moment began before it
    spread = tuple((name, lo - first, hi - first) for name, lo, hi in streams)
    wall = claim.at * TICKS_PER_MS
    holes = tuple(
        (finding.from_ms * TICKS_PER_MS - lead, finding.to_ms * TICKS_PER_MS - lead)
        for finding in probed.facts.findings
        if finding.kind == "gap" and finding.from_ms is not None and finding.to_ms is not None
    )
    clock, at, number = "wall", wall, None
    if probed.facts.identities:
        identity = probed.facts.identities[0]
        clock, at, number = f"mtxi:{identity.stream_id}", identity.dts_ns * 9 // 100_000 + lead, identity.number
    elif probed.facts.container in RUNNING:
        clock, at = "ts", wall - (wall - first) % MPEG_TS_WRAP
    dated = claim.origin == "file_system"
    return Placed(clock, at, wall - at, claim.error_ms * TICKS_PER_MS, spread, holes, number, dated)


def insert(timeline: Timeline, probed: SegmentProbed, tolerance: Tolerance) -> tuple[Timeline, Arrival | None]:
    """Add a segment. Returns the new timeline and what changed, or ``None`` if nothing places the segment."""
    placed = locate(probed)
    timeline = _note_number(timeline, probed.landed.run or "", probed.landed.sequence)
    if placed is None:
        length = max((hi - lo for _, lo, hi in _extents(probed.facts.streams)), default=0)
        ms = timeline.unplaced_ms + length // TICKS_PER_MS
        return timeline._replace(unplaced=timeline.unplaced + 1, unplaced_ms=ms), None
    timeline = _note_number(timeline, placed.clock, placed.number)
    timeline = _note_formats(timeline, probed.facts.streams, placed.at + placed.offset)
    if placed.clock == "wall":
        timeline = _note_sound(timeline, probed.facts.streams, placed)
    if placed.dated:
        timeline = _note_date(timeline, placed, tolerance)
    if timeline.wall_only:
        placed = placed._replace(clock="wall", at=placed.at + placed.offset, offset=0)
    new = _epoch_of(placed, tolerance)
    shifts = [_same_clock(epoch, new) for epoch in timeline.epochs]
    same = [(epoch, shift) for epoch, shift in zip(timeline.epochs, shifts, strict=True) if shift is not None]
    others = [epoch for epoch, shift in zip(timeline.epochs, shifts, strict=True) if shift is None]
    joined, arrival = new, _first_arrival(placed)
    if same:
        first, turn = same[0]
        arrival = _arrival(first, new, turn, placed.length)
        joined = merge(first, new, turn)
        for epoch, shift in same[1:]:  # the new segment's claim lies between clocks that looked apart
            joined = merge(joined, epoch, turn - shift)
    epochs = tuple(sorted((joined, *others), key=_start))
    timeline = timeline._replace(epochs=epochs)
    if len(epochs) > MAX_EPOCHS:
        timeline = _believe_walls(timeline)
    return timeline, arrival


def _start(epoch: Epoch) -> tuple[int, str, int]:
    """Where *epoch* begins on the wall, and by its stamps: the same whichever of its files came first, as ``origin`` is not."""
    first = epoch.origin + min(leaves[0][0].lo for leaves in epoch.lanes.values())
    return first + epoch.anchor.offset, epoch.clock, first


def at_rest(timeline: Timeline) -> Timeline:
    """What need be remembered of an ended recording."""
    epochs = tuple(epoch._replace(ties=rested(epoch.ties)) for epoch in timeline.epochs)
    return timeline if epochs == timeline.epochs else timeline._replace(epochs=epochs)


# Positions.


def _extents(streams: tuple[StreamFacts, ...]) -> tuple[tuple[str, int, int], ...]:
    """Name, first and end position of each stream that has time stamps. The end is the greatest stamp plus the typical
    interval, never a stored duration."""
    found, counts = [], {"video": 0, "audio": 0}
    for stream in streams:
        if stream.kind == "other" or stream.first_ticks is None or stream.last_ticks is None:
            continue
        name = f"{stream.kind}{counts[stream.kind]}"
        counts[stream.kind] += 1
        end = stream.last_ticks + (stream.median_interval_ticks or 0)
        found.append((name, _to_90k(stream, stream.first_ticks), _to_90k(stream, max(end, stream.first_ticks))))
    return tuple(found)


def _to_90k(stream: StreamFacts, ticks: int) -> int:
    if stream.time_base_num == 1 and stream.time_base_den == 90_000:
        return ticks
    return (2 * ticks * stream.time_base_num * 90_000 + stream.time_base_den) // (2 * stream.time_base_den)


def _epoch_of(placed: Placed, tolerance: Tolerance) -> Epoch:
    """The epoch of one segment alone."""
    doubt = max(tolerance.wall_clock_ms * TICKS_PER_MS // 2, placed.error)
    reach = doubt if placed.clock == "wall" else tolerance.across_files_ms * TICKS_PER_MS // 2
    drift = placed.length * MOST_PPM // 2_000_000  # two files' claims are as far apart as half of both together
    whole = (("all", 0, placed.length),)
    extents = whole if placed.clock == "wall" else placed.streams
    wall = placed.at + placed.offset
    return Epoch(
        clock=placed.clock,
        origin=placed.at,
        offsets=Span(placed.offset, placed.offset, doubt + drift, doubt + drift),
        anchor=Tie(placed.error, 0, placed.offset),
        lanes={name: union((), _pieces(lo, hi, placed.holes, reach)) for name, lo, hi in extents},
        on_the_wall=()
        if placed.clock == "wall"
        else union((), shifted(_pieces(0, placed.length, placed.holes, doubt), wall - placed.at)),
        holes=tuple(sorted(Hole(lo, hi, wall + lo) for lo, hi in placed.holes)),
        ties=NO_TIES if placed.clock == "wall" else Ties(kept=(Tie(doubt, 0, placed.offset),)),
    )


def _pieces(lo: int, hi: int, holes: tuple[tuple[int, int], ...], reach: int) -> tuple[Span, ...]:
    """A file without its holes. Only its outer ends reach for neighbours: nothing outside can fill a hole by being near."""
    edges = [lo, *(edge for hole in sorted(holes) for edge in hole if lo < edge < hi), hi]
    if len(edges) % 2:
        edges = [lo, hi]  # holes that do not lie inside: the stream is shorter than they say
    pairs = list(zip(edges[::2], edges[1::2], strict=True))
    last = len(pairs) - 1
    return tuple(
        Span(start, end, reach if i == 0 else 0, reach if i == last else 0, 1, end - start)
        for i, (start, end) in enumerate(pairs)
    )


def _same_clock(epoch: Epoch, new: Epoch) -> int | None:
    """By how much *new*'s positions must move to be on *epoch*'s clock, or ``None`` if it is another clock."""
    if epoch.clock != new.clock:
        return None
    if epoch.clock != "ts":
        return 0
    seen, offset = epoch.offsets, new.offsets
    # Offsets are a circle of 2**33: choose the turn that brings the new one nearest.
    turn = (offset.lo - seen.lo + MPEG_TS_WRAP // 2) // MPEG_TS_WRAP * MPEG_TS_WRAP
    touches = (
        seen.lo - seen.before <= offset.hi - turn + offset.after
        and offset.lo - turn - offset.before <= seen.hi + seen.after
    )
    return turn if touches else None


def merge(epoch: Epoch, new: Epoch, shift: int) -> Epoch:
    """*epoch* with *new* in it, whose positions move by *shift* and whose offsets by its opposite."""
    move = new.origin + shift - epoch.origin
    lanes = dict(epoch.lanes)
    for name, leaves in new.lanes.items():
        lanes[name] = union(lanes.get(name, ()), shifted(flat(leaves), move))

    def moved(tie: Tie) -> Tie:
        return Tie(tie.error, tie.at + move, tie.offset - shift)

    holes = epoch.holes
    if new.holes:
        holes = tuple(sorted({*holes, *(Hole(hole.lo + move, hole.hi + move, hole.wall) for hole in new.holes)}))
    return epoch._replace(
        offsets=one(epoch.offsets, *shifted((new.offsets,), -shift)),
        anchor=min(epoch.anchor, moved(new.anchor)),
        lanes=lanes,
        on_the_wall=union(epoch.on_the_wall, shifted(new.walls, new.origin - epoch.origin)),
        holes=holes,
        ties=tied(epoch.ties, new.ties._replace(kept=tuple(map(moved, new.ties.kept))), epoch.origin),
    )


def _believe_walls(timeline: Timeline) -> Timeline:
    """Every segment where its claim puts it, on one wall epoch."""
    merged: Epoch | None = None
    for epoch in timeline.epochs:
        leaves = epoch.on_the_wall if epoch.clock != "wall" else epoch.lanes["all"]
        holes = tuple(
            sorted(
                Hole(hole.wall - epoch.origin, hole.wall - epoch.origin + hole.hi - hole.lo, hole.wall)
                for hole in epoch.holes
            )
        )
        anchor = Tie(epoch.anchor.error, 0, 0)
        offsets = Span(0, 0, 0, 0)
        plain = Epoch(
            clock="wall", origin=epoch.origin, offsets=offsets, anchor=anchor, lanes={"all": leaves}, holes=holes
        )
        merged = plain if merged is None else merge(merged, plain, 0)
    return timeline._replace(epochs=(merged,) if merged else (), wall_only=True)


# What is kept beside the spans.


def _note_number(timeline: Timeline, run: str, number: int | None) -> Timeline:
    if number is None:
        return timeline
    added = union(timeline.counted.get(run, ()), (Span(number, number + 1, 0, 0, 0, 0),), NUMBERS_A_LEAF)
    return timeline._replace(counted={**timeline.counted, run: added})


def _note_date(timeline: Timeline, placed: Placed, tolerance: Tolerance) -> Timeline:
    """Where the date alone and where the stamps alone put a file."""
    wall = placed.at + placed.offset
    by_date = _epoch_of(placed._replace(clock="wall", at=wall, offset=0), tolerance)
    timeline = timeline._replace(by_date=union(timeline.by_date, shifted(by_date.streams["all"], wall)))
    if placed.clock != "ts":
        return timeline
    at = placed.at % MPEG_TS_WRAP
    alone = _epoch_of(placed._replace(at=at, offset=wall - at), tolerance)._replace(
        offsets=Span(0, 0, 0, 0), ties=NO_TIES
    )
    return timeline._replace(stamped=merge(timeline.stamped, alone, 0) if timeline.stamped else alone)


def _note_formats(timeline: Timeline, streams: tuple[StreamFacts, ...], wall: int) -> Timeline:
    formats = dict(timeline.formats)
    counts: dict[str, int] = {}
    for stream in streams:
        name = f"{stream.kind}{counts.setdefault(stream.kind, 0)}"
        counts[stream.kind] += 1
        text = f"{stream.codec} {stream.format}".strip()
        seen = dict(formats.get(name, ()))
        if seen[text] <= wall if text in seen else len(seen) == _MAX_FORMATS:
            continue
        formats[name] = tuple(sorted({**seen, text: wall}.items()))
    return timeline if formats == timeline.formats else timeline._replace(formats=formats)


def _note_sound(timeline: Timeline, streams: tuple[StreamFacts, ...], placed: Placed) -> Timeline:
    """Count a file with a picture by whether it has sound. A stream that is declared and empty is a finding of its own."""
    kinds = {stream.kind for stream in streams}
    if "video" not in kinds:
        return timeline
    heard, silent, ticks, since = timeline.sound
    if "audio" in kinds:
        return timeline._replace(sound=Sound(heard + 1, silent, ticks, since))
    return timeline._replace(
        sound=Sound(heard, silent + 1, ticks + placed.length, min(since, placed.at) if silent else placed.at)
    )


def _arrival(epoch: Epoch, new: Epoch, shift: int, length: int) -> Arrival:
    """How one segment (*new*) lies among what *epoch* had before it."""
    move = new.origin + shift - epoch.origin
    name = reference(epoch.lanes)
    own = new.lanes.get(name) or new.lanes[reference(new.lanes)]
    lo, hi, reach = own[0][0].lo + move, own[-1][-1].hi + move, own[0][0].before
    leaves = epoch.lanes[name]
    earlier, met = touched(leaves, Span(lo, hi, reach, reach))
    doubled = sum(max(0, min(hi, span.hi) - max(lo, span.lo)) for span in met)
    start = wall_ms(epoch.origin + move + epoch.anchor.offset)
    return Arrival(
        start,
        WallMs(start + length // TICKS_PER_MS),
        gap_ms=(lo - earlier.hi) // TICKS_PER_MS if earlier and not met else 0,
        overlap_ms=doubled // TICKS_PER_MS if doubled > 2 * reach else 0,
        out_of_order=lo < leaves[-1][-1].lo,
    )


def _first_arrival(placed: Placed) -> Arrival:
    start = wall_ms(placed.at + placed.offset)
    return Arrival(start, WallMs(start + placed.length // TICKS_PER_MS))


def reference(streams: Mapping[str, object]) -> str:
    """The stream whose frames size a gap: the first video stream, else the first there is."""
    return "video0" if "video0" in streams else min(streams)


def wall_ms(ticks: int) -> WallMs:
    """Ticks since 1970 as the nearest instant that can be written."""
    return WallMs(min(max((ticks + TICKS_PER_MS // 2) // TICKS_PER_MS, 0), MAX_WALL_MS))
