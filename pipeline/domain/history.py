"""History: the recordings of a source against each other, and against what was locked of them while they were open.

1. Recordings of a source prove each other only when all of them are looked at: each genesis names a close that an earlier
   recording wrote, so one taken out of the middle is missed by the next.
2. What connectors counted is there without a hole; a hole is no fault by itself, for its files may still be open.
3. Links in checkpoints are those of the chain they became. What only checkpoints hold is NOT COVERED: nobody signed for it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from pipeline.domain.chain import LinkAppended
from pipeline.domain.checkpoint import Assembled
from pipeline.domain.identity import RecordingId, SourceId
from pipeline.domain.verify import Fault, Item, answers, not_covered, of_link


def check_checkpoints(
    about: str, count: int, archived: int, known: Assembled, unreadable: Sequence[Fault]
) -> list[Item]:
    """A recording's *count* checkpoints against each other and its newest chain of *archived* links; *known*: all of it put
    together. What they hold beyond that chain no receipt covers yet."""
    faults = [*unreadable, *map(of_link, known.faults)]
    beyond = known.links[archived:]
    if not beyond or faults:
        return answers(about, "checkpoints", faults, f"{count} checkpoints, each link of them in the chain")
    closed = [f"r{link.ended.revision}" for link in beyond if link.ended is not None]
    why = f"which close {', '.join(closed)}: not archived yet, or taken away" if closed else "still open"
    return [not_covered(about, "checkpoints", f"{len(beyond)} links in checkpoints alone, {why}")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What a recording's newest chain says about its source's history. ``position``: of its genesis among all the source's
    judged items; ``announced``: connector and announcement of each segment; ``originals``: where its originals lie."""

    recording_id: RecordingId
    position: int
    previous: str | None
    closes: tuple[str, ...]
    announced: tuple[tuple[str, int], ...]
    originals: tuple[str, ...] = ()


def past(recording: RecordingId, links: Sequence[LinkAppended]) -> Past | None:
    """The history in *recording*'s chain, or ``None`` if it cannot be read (the chain's own check says why)."""
    try:
        records = [json.loads(link.record) for link in links]
        announced = [record for record in records if "announcement" in record]
        return Past(
            recording_id=recording,
            position=int(records[0]["position"]),
            previous=None if records[0]["previous"] is None else str(records[0]["previous"]),
            closes=tuple(link.hash for link in links if link.kind == "close"),
            announced=tuple((str(record["connector"]), int(record["announcement"])) for record in announced),
            originals=tuple(f"{record['object']['bucket']}/{record['object']['key']}" for record in announced),
        )
    except (KeyError, TypeError, ValueError, IndexError):
        return None


def check_history(source: SourceId, pasts: Sequence[Past]) -> list[Item]:
    """All recordings of a source against each other: every genesis names a close that is there, none does not once one
    did, and what the connectors counted is there without a hole. Recordings that began before the first close name none."""
    ordered = sorted(pasts, key=lambda one: one.position)
    faults = list[Fault]()
    known, named = dict[str, int](), False
    for one in ordered:
        known |= dict.fromkeys(one.closes, one.position)
    for before, one in pairwise(ordered):
        if before.position == one.position:
            both = f"{before.recording_id}, {one.recording_id}"
            faults.append(Fault(place=f"position {one.position}", expected="one recording that began", found=both))
    for one in ordered:
        where = f"genesis of {one.recording_id}"
        if one.previous is None and named:
            faults.append(Fault(place=where, expected="the close before it", found="no close"))
        elif one.previous is not None and known.get(one.previous, one.position) >= one.position:
            found = "none" if one.previous not in known else "a recording that began later"
            faults.append(Fault(place=where, expected=f"an earlier recording with close {one.previous}", found=found))
        named = named or one.previous is not None
    items = answers(source, "history", faults, f"{len(pasts)} recordings, each naming a close before it")
    return [*items, _announcements(source, pasts)]


def not_compared(source: str) -> Iterator[Item]:
    """The checks of a source of which not all recordings are looked at."""
    for check in ("history", "announcements"):
        why = "only all recordings of a source prove each other; this run does not compare them"
        yield not_covered(source, check, why)


def _announcements(source: SourceId, pasts: Sequence[Past]) -> Item:
    """A hole is not a fault by itself: the files may belong to a recording that is still open."""
    counted: dict[str, set[int]] = {}
    for one in pasts:
        for connector, number in one.announced:
            counted.setdefault(connector, set()).add(number)
    holes = {name: ", ".join(_holes(found)) for name, found in sorted(counted.items())}
    told = "; ".join(f"{name}: {hole}" for name, hole in holes.items() if hole)
    if told:
        why = f"{told} in no archived recording: still open, quarantined or taken away"
        return not_covered(source, "announcements", why)
    seen = ", ".join(f"{name} 1..{max(found)}" for name, found in sorted(counted.items()))
    return answers(source, "announcements", (), seen or "none")[0]


def _holes(numbers: Collection[int]) -> Iterator[str]:
    """What is missing between 1 and the greatest of *numbers*, as ``3`` or ``5..9``."""
    for before, after in pairwise([0, *sorted(numbers)]):
        if after > before + 1:
            yield str(before + 1) if after == before + 2 else f"{before + 1}..{after - 1}"
