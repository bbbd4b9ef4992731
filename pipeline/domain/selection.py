"""Selection: what of an archive one run of ``verify`` looks at, and in words what that leaves out.

Every answer has one owner: a recording (its documents, its originals), a source (its recordings against each other) or
a bucket (what nothing lists). Owners are taken or left whole. Rules:

1. Parts divide owners by the digest of their name alone: the parts 1 to t of t are disjoint and together everything,
   on any machine, in any order, also when recordings came in between.
2. A source's recordings prove each other only when all of them are read, a bucket's objects only when the whole archive is.
   A selection that names a recording, or for a bucket a source or a date, cannot take them.
3. A date takes what may be newer: a recording of which no receipt can be read is not older than it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from pipeline.domain.time import WallMs, to_rfc3339

_PART: Final = re.compile(r"([0-9]{1,6})/([0-9]{1,6})", re.ASCII)


class Part(NamedTuple):
    """The *number*-th of *of* parts, counted from 1."""

    number: int
    of: int

    def holds(self, name: str) -> bool:
        """Whether the owner called *name* belongs to this part."""
        return int(hashlib.sha256(name.encode()).hexdigest()[:16], 16) % self.of == self.number - 1


def part(text: str) -> Part:
    """A part written like ``3/28``; raises ``ValueError`` for anything that is none."""
    match = _PART.fullmatch(text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise ValueError(f"expected a part like 3/28, its number from 1 to the count, found {text!r}")
    return Part(int(match[1]), int(match[2]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Everything, unless a field narrows it. ``since``: only recordings with a revision archived at that time or later."""

    source: str | None = None
    recording: str | None = None
    since: WallMs | None = None
    part: Part | None = None

    def takes(self, recording: str) -> bool:
        """Whether *recording* is looked at, as far as its name decides."""
        return self.recording in (None, recording) and (self.part is None or self.part.holds(recording))

    def is_recent(self, archived_at: Collection[WallMs | None]) -> bool:
        """Whether a recording whose receipts say *archived_at* is looked at; ``None``: that receipt cannot be read."""
        return self.since is None or any(at is None or at >= self.since for at in archived_at)

    def takes_history(self, source: str, looked_at: int) -> bool:
        """Whether all recordings of *source* are compared, *looked_at* of them being looked at."""
        if self.recording is not None or (self.since is not None and not looked_at):
            return False
        return self.part is None or self.part.holds(source)

    def takes_bucket(self, bucket: str) -> bool:
        """Whether everything in *bucket* is compared with what the archive lists."""
        whole = self.source is None and self.recording is None and self.since is None
        return whole and (self.part is None or self.part.holds(bucket))

    def in_words(self) -> str:
        """What narrows it; empty for everything."""
        return ", ".join(self._words())

    def _words(self) -> Iterator[str]:
        if self.source is not None:
            yield f"only source {self.source}"
        if self.recording is not None:
            yield f"only recording {self.recording}"
        if self.since is not None:
            yield f"only what was archived since {to_rfc3339(self.since)}"
        if self.part is not None:
            yield f"only part {self.part.number} of {self.part.of}"
