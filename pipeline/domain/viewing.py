"""Viewing: what a page shows of an archived recording, and the record that somebody was shown it.

Article 10 has viewing by rule, article 13 no other use than the purpose. Rule 1: a viewing has a purpose and somebody who states
it; the record that says so is locked before there is a page. Rule 2: what is shown is an archived revision: its originals
from their own bytes, or derivatives where a browser needs them; what is not shown is named with the reason. Rule 3: gaps
keep their time and say whether, by whom and how they are explained. Rule 4: a file that is loaded whole must fit into a
browser's buffer; a larger one is shown as a copy that is loaded in pieces. Rule 5: a browser keeps to the kinds of streams and of
packaging it began with, so a recording in which they change is played in parts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from pipeline.domain.annotation import Explanation
from pipeline.domain.canonical import canonical, plain
from pipeline.domain.continuity import Gap, RecordingEnded
from pipeline.domain.identity import RecordingId, Sha256, SourceId, label, sha256
from pipeline.domain.playable import PLAIN, Playability, Way, playability
from pipeline.domain.playlist import Loaded, Placed, Slot, inside
from pipeline.domain.time import WallMs, to_rfc3339

FORMAT: Final = "unbroken.view.v1"
_KEY: Final = re.compile(r"views/[0-9TZ.-]+-[0-9a-f]{8}\.json", re.ASCII)
WHOLE_BYTES: Final = 48 << 20
"""Chromium keeps 150 MB of picture; a file and the next one must fit, with what the player makes of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """An explanation as it was linked: who said it, when, and what."""

    made_by: str
    made_at: WallMs
    explanation: Explanation


@dataclass(frozen=True, slots=True, kw_only=True)
class Archived:
    """A revision as its manifest states it. ``names``: of the originals, as their sender had them; ``explanations``: by annotation."""

    source_id: SourceId
    manifest_sha256: Sha256
    account: RecordingEnded
    placed: tuple[Placed, ...]
    names: Mapping[Sha256, str]
    explanations: Mapping[str, Explained]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """How one original is shown. ``derived_sha256``: the copy; ``why``: what keeps the original, or the file, from being played."""

    sha256: Sha256
    way: Way
    why: str = ""
    derived_sha256: Sha256 | None = None
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One viewing: *by* was given a page of these files, good *until* then, for this *purpose*."""

    recording_id: RecordingId
    source_id: SourceId
    revision: int
    manifest_sha256: Sha256
    purpose: str
    by: str
    made_at: WallMs
    until: WallMs
    shown: tuple[Shown, ...]

    def __post_init__(self) -> None:
        label(self.purpose, "purpose")
        label(self.by, "viewer")
        sha256(self.manifest_sha256)
        if self.until <= self.made_at:
            raise ValueError(f"a viewing ends after it begins, found {self.until} and {self.made_at}")


class Part(NamedTuple):
    """Files that one player can play one after the other, and the gaps between them: from ``at_s`` of the page's time on."""

    at_s: float
    slots: list[Slot]


class Span(NamedTuple):
    """A stretch of the page's time, in seconds: a file, a gap, or a gap ``within`` a file, where the picture stands still.
    ``why``: what keeps a file from being played."""

    at_s: float
    seconds: float
    item: Placed | Gap
    within: bool = False
    why: str = ""


def ways(placed: Sequence[Placed]) -> dict[Sha256, Shown]:
    """How each original is to be shown, before any copy is made."""
    shown = {}
    for item in placed:
        name, found = item.original.sha256, playability(item.facts)
        if found.way == "in_place" and item.original.size_bytes > WHOLE_BYTES and item.facts.container not in PLAIN:
            found = Playability("derived", f"more than {WHOLE_BYTES >> 20} MiB at once")
        shown[name] = Shown(sha256=name, way=found.way, why=found.why)
    return shown


def parts(slots: Sequence[Slot], gaps: Sequence[Gap]) -> tuple[list[Part], list[Span], float]:
    """*slots* as a player gets them one after the other, where everything lies in its time, and how long that is."""
    found: list[Part] = []
    placed: list[Span] = []
    at_s, waiting, current = 0.0, list[Slot](), list[Slot]()
    for slot in slots:
        item, loaded = slot.item, slot.loaded
        seconds = slot.micros / 1_000_000
        if isinstance(item, Gap):
            placed.append(Span(at_s, seconds, item))
            waiting.append(slot)
        elif isinstance(loaded, Loaded):
            placed += [Span(at_s, seconds, item), *_within(item, gaps, at_s)]
            if current and _alike(current[0], slot):
                current += [*waiting, slot]
            else:
                current = [slot]
                found.append(Part(at_s, current))
            waiting = []
        elif seconds:
            placed.append(Span(at_s, seconds, item, why=loaded))
            waiting.append(slot)
        at_s += seconds
    return found, placed, at_s


def _alike(one: Slot, other: Slot) -> bool:
    """Whether one player can go on from one file to another."""
    a, b = one.loaded, other.loaded
    return (
        isinstance(a, Loaded)
        and isinstance(b, Loaded)
        and (a.streams, a.init_bytes is None) == (b.streams, b.init_bytes is None)
    )


def _within(item: Placed, gaps: Sequence[Gap], at_s: float) -> list[Span]:
    start = item.start
    if start is None:
        return []
    return [
        Span(at_s + (gap.start - start) / 1000, (gap.end - gap.start) / 1000, gap, within=True)
        for gap in gaps
        if inside(gap, item)
    ]


def view_document(view: View) -> bytes:
    """The record of a viewing as canonical JSON."""
    fields = plain(view)
    assert isinstance(fields, dict)
    return canonical({"format": FORMAT, **fields})


def view_key(view: View, digest: Sha256) -> str:
    """Key of the record *digest* in the bucket of records: in order of time, and a file name on any system."""
    return f"views/{to_rfc3339(view.made_at).replace(':', '-')}-{digest[:8]}.json"


def is_view_key(key: str) -> bool:
    """Whether *key* is one that :func:`view_key` makes; what it names says nothing about a recording itself."""
    return _KEY.fullmatch(key) is not None
