"""Listing: what a list of files claims of a recording, held against what its files show.

What is in the files is stronger than what is said of them. The rules:

1. A file named and not there, or an entry the list itself calls missing, is a gap as long as the list says. Where the files
   around it show a hole there, the gap is theirs and the list's word a note beside it; where their clock runs on without a
   hole, no time is missing.
2. A time the list does not state but that follows from lengths gives way to stamps that run forward: they measured what the
   lengths only assume.
3. A discontinuity the list announces is a note at the file that follows. Where the list does not say when that file begins
   and its stamps do not run on, what lies between cannot be tested.
4. Of two lists that time one file the more exact is taken, and that they differ is said.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from pipeline.domain.account import Gap
from pipeline.domain.findings import Finding, FindingKind, Level
from pipeline.domain.hls_claims import Entry
from pipeline.domain.identity import Sha256
from pipeline.domain.media import unwrap_33
from pipeline.domain.policy import Tolerance
from pipeline.domain.recording import JudgedSegment
from pipeline.domain.time import MAX_WALL_MS, ClaimedTime, WallMs, to_rfc3339
from pipeline.domain.timeline import TICKS_PER_MS, locate, running_stamp

_SHOWN_NAMES: Final = 3
_NEAR: Final = 64
"""How many entries away the nearest file that was read is looked for."""


class Held(NamedTuple):
    """An entry and the file it names: ``None`` if that was not read; ``missing``: it was looked for and is not there."""

    entry: Entry
    file: Sha256 | None
    missing: bool = False


class Listing(NamedTuple):
    """A list and what became of its entries. ``given``: a person named it, so its times come before those in names.
    ``open_ends``: what it does not tell."""

    name: str
    entries: tuple[Held, ...]
    given: bool = False
    open_ends: tuple[str, ...] = ()


class Remark(NamedTuple):
    """A finding and the file it is told with."""

    file: Sha256
    finding: Finding


def times(listings: Sequence[Listing], stamps: Mapping[Sha256, int]) -> Mapping[Sha256, ClaimedTime]:
    """When each file begins by the lists: the most exact of their claims, of equals the first. *stamps*: where files on one
    clock of 33 bits begin."""
    best: dict[Sha256, ClaimedTime] = {}
    for _, file, claim in _claims(listings, stamps):
        if file not in best or claim.error_ms < best[file].error_ms:
            best[file] = claim
    return best


def ranks(listings: Sequence[Listing]) -> Mapping[Sha256, int]:
    """Where each file stands in the lists."""
    found: dict[Sha256, int] = {}
    for held in itertools.chain.from_iterable(listing.entries for listing in listings):
        if held.file is not None:
            found.setdefault(held.file, len(found))
    return found


def followed(listings: Sequence[Listing]) -> Mapping[tuple[Sha256, Sha256], str]:
    """Pairs of files with nothing between them by a list, and its name."""
    return {
        (before.file, after.file): listing.name
        for listing in listings
        for before, after in itertools.pairwise(listing.entries)
        if before.file is not None and after.file is not None and not after.entry.announced
    }


def remarks(
    listings: Sequence[Listing], segments: Mapping[Sha256, JudgedSegment], gaps: Sequence[Gap], tolerance: Tolerance
) -> Iterator[Remark]:
    """What the lists say that is worth telling of files judged so, with these *gaps* between them."""
    middles = [(gap.start + gap.end) // 2 for gap in gaps]
    stamps = {
        file: stamp for file, segment in segments.items() if (stamp := running_stamp(segment.probed.facts)) is not None
    }
    yield from _disagreements(listings, stamps)
    for listing in listings:
        yield from _announced(listing, segments, tolerance)
        for stretch in _stretches(listing):
            if remark := _absent(listing.name, stretch, segments, middles):
                yield remark


def _claims(listings: Sequence[Listing], stamps: Mapping[Sha256, int]) -> Iterator[tuple[str, Sha256, ClaimedTime]]:
    """A file's first entry of each list: the others are later parts of it."""
    for listing in listings:
        met: set[Sha256] = set()
        last: tuple[int, ClaimedTime] | None = None
        for entry, file, _ in listing.entries:
            if file is None or file in met or entry.starts is None:
                continue
            met.add(file)
            claim, stamp = entry.starts, stamps.get(file)
            if last and stamp is not None and not (entry.stated or entry.announced):
                step = unwrap_33(stamp - last[0])
                if step > 0:
                    claim = replace(claim, at=_wall(last[1].at + (step + TICKS_PER_MS // 2) // TICKS_PER_MS))
            last = None if stamp is None else (stamp, claim)
            yield listing.name, file, claim


def _disagreements(listings: Sequence[Listing], stamps: Mapping[Sha256, int]) -> Iterator[Remark]:
    best = times(listings, stamps)
    for name, file, claim in _claims(listings, stamps):
        off_ms = abs(claim.at - best[file].at)
        if off_ms > claim.error_ms + best[file].error_ms:
            expected = f"{to_rfc3339(best[file].at)}, as a more exact list says"
            found = f"{to_rfc3339(claim.at)} in {name}"
            yield Remark(
                file,
                Finding(
                    kind="clock_step",
                    level="note",
                    evidence="wall_clock",
                    expected=expected,
                    found=found,
                    size_ms=off_ms,
                ),
            )


def _announced(listing: Listing, segments: Mapping[Sha256, JudgedSegment], tolerance: Tolerance) -> Iterator[Remark]:
    waiting = False
    before: Sha256 | None = None
    for number, (entry, file, _) in enumerate(listing.entries):
        waiting = waiting or (entry.announced and number > 0)
        if file is None:
            continue
        if waiting:
            found = f"{listing.name} announces a discontinuity before this file"
            yield Remark(
                file,
                Finding(
                    kind="declared_discontinuity",
                    level="note",
                    evidence="sequence",
                    expected="media that runs on",
                    found=found,
                    count=1,
                ),
            )
            one = segments.get(before) if before else None
            two = segments.get(file)
            off = _residual(one, two) if one and two else None
            if entry.guessed and (off is None or abs(off) > tolerance.across_files_ms * TICKS_PER_MS):
                found = f"{listing.name} does not say how much time passed, and the stamps do not run on"
                # Totals: like a stream whose loss has no place, it keeps the recording from being called continuous.
                yield Remark(
                    file,
                    Finding(
                        kind="not_testable", level="note", evidence="totals", expected="a time after it", found=found
                    ),
                )
        waiting, before = False, file


def _residual(before: JudgedSegment, after: JudgedSegment) -> int | None:
    """By how much the stamps of *after* miss the end of *before*'s; ``None`` if they are on no clock of their own."""
    one, two = locate(before.probed), locate(after.probed)
    if one is None or two is None or one.clock != two.clock or one.clock == "wall":
        return None
    step = two.at - one.at - one.length
    return unwrap_33(step) if one.clock == "ts" else step


# What is absent.


class _Stretch(NamedTuple):
    """Entries in a row that are absent in the same way, and the files beside them. ``since_ms``: how long what lies between
    the file before and them is said to be."""

    entries: tuple[Entry, ...]
    gap: bool
    before: Sha256 | None
    after: Sha256 | None
    since_ms: int | None

    @property
    def size_ms(self) -> int | None:
        return _length_ms(self.entries)


def _length_ms(entries: Sequence[Entry]) -> int | None:
    lengths = [entry.length.us for entry in entries if entry.length is not None]
    return sum(lengths) // 1000 if len(lengths) == len(entries) else None


def _stretches(listing: Listing) -> Iterator[_Stretch]:
    held = listing.entries
    at = 0
    for how, group in itertools.groupby(held, key=_how_absent):
        inside = [one.entry for one in group]
        first, at = at, at + len(inside)
        if how is not None:
            behind = list(
                itertools.takewhile(lambda one: one.file is None, reversed(held[max(0, first - _NEAR) : first]))
            )
            before = held[first - len(behind) - 1].file if len(behind) < min(first, _NEAR) else None
            after = next((one.file for one in held[at : at + _NEAR] if one.file is not None), None)
            since_ms = _length_ms([one.entry for one in behind])
            yield _Stretch(tuple(inside), how == "gap", before, after, since_ms)


def _how_absent(held: Held) -> str | None:
    if held.entry.gap:
        return "gap"
    return "missing" if held.missing else None


def _absent(
    name: str, stretch: _Stretch, segments: Mapping[Sha256, JudgedSegment], middles: Sequence[int]
) -> Remark | None:
    """*middles* of the gaps between files, ascending: an error bar moves a gap's ends, its middle last of all."""
    before = segments.get(stretch.before) if stretch.before else None
    after = segments.get(stretch.after) if stretch.after else None
    carrier = stretch.after or stretch.before
    if carrier is None:
        return None
    expected = f"{_names(stretch.entries)}, as {name} names" if not stretch.gap else "media that runs on"
    found = f"{name} itself says that media is missing" if stretch.gap else "not there"
    kind: FindingKind = "declared_discontinuity" if stretch.gap else "missing_sequence"
    level: Level = "note"
    if before and after and _is_hole(before, after, middles):
        found += "; the files around it show the hole"
    elif before and after and _runs_on(before, after, stretch.size_ms):
        found += "; the clock of the files around it runs on"
        level = "note" if stretch.gap else "degradation"
    else:
        kind, level = "gap", "interruption"
    start = _start(stretch, before)
    return Remark(
        carrier,
        Finding(
            kind=kind,
            level=level,
            evidence="sequence",
            expected=expected,
            found=found,
            segment=carrier,
            previous=stretch.before,
            size_ms=stretch.size_ms,
            count=None if kind == "gap" else len(stretch.entries),
            wall_start=start,
            wall_end=None if start is None or stretch.size_ms is None else _wall(start + stretch.size_ms),
        ),
    )


def _is_hole(before: JudgedSegment, after: JudgedSegment, middles: Sequence[int]) -> bool:
    if before.end is None or after.start is None:
        return False
    number = bisect_left(middles, before.end)
    return number < len(middles) and middles[number] <= after.start


def _runs_on(before: JudgedSegment, after: JudgedSegment, size_ms: int | None) -> bool:
    """Whether the files' own clock leaves no room for half of what is said to be missing."""
    off = _residual(before, after)
    return off is not None and size_ms is not None and 2 * abs(off) < size_ms * TICKS_PER_MS


def _start(stretch: _Stretch, before: JudgedSegment | None) -> WallMs | None:
    if before is not None and before.end is not None and stretch.since_ms is not None:
        return _wall(before.end + stretch.since_ms)
    said = stretch.entries[0].starts
    return said.at if said else None


def _wall(ms: int) -> WallMs:
    """The nearest instant that can be written: lengths are a stranger's."""
    return WallMs(min(ms, MAX_WALL_MS))


def _names(entries: Sequence[Entry]) -> str:
    more = len(entries) - _SHOWN_NAMES
    return ", ".join(entry.uri for entry in entries[:_SHOWN_NAMES]) + (f" and {more} more" if more > 0 else "")
