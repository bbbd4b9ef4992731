"""What ``unbroken check`` reads of each file: digest and facts of one opening, and what its name, place and date claim.

A file that cannot be read is an answer with what to do about it, never the end of the others.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import tzinfo
from io import FileIO
from pathlib import Path
from typing import Final

from pipeline.adapters.digest import open_to_read
from pipeline.adapters.media_pool import MediaPool
from pipeline.connectors.folder import Candidate
from pipeline.connectors.journal import FileStamp
from pipeline.connectors.names import MEDIA, Profile, read_claims, refusal, text_of
from pipeline.domain.check import FileRead
from pipeline.domain.grounds import Unread
from pipeline.domain.policy import Tolerance

_HEAD_BYTES: Final = 600
_EMPTY: Final = "0 bytes: copy it again from the device; if it is empty there, nothing was recorded"
_CHANGED: Final = "changed while it was read: check again when the recorder or the copying is done"
_REASONS: Final = {
    errno.ENOENT: "gone since it was found: is the card or disk still there?",
    errno.ELOOP: "a link took its place since it was found: name the file it points to",
    errno.EACCES: "permission denied: give this user the right to read it",
    errno.EPERM: "permission denied: give this user the right to read it",
    errno.EIO: "the medium cannot be read here: copy what can be read, and keep the card",
}


@dataclass(frozen=True, slots=True)
class Reader:
    """What it takes to read files. *on_bytes* is told of bytes read, on other threads."""

    pool: MediaPool
    tolerance: Tolerance
    profile: Profile
    zone: tzinfo
    places: asyncio.Semaphore
    on_bytes: Callable[[int], None]

    async def read(self, candidate: Candidate, given: bool, init: Path | None = None) -> FileRead | Unread | str:
        """A file read; or unread, with what to do; or why it is no media. *given*: a person named it. *init*: what describes
        it, where it does not itself."""
        path, name = candidate.path, text_of(candidate.path.name) or candidate.name
        if candidate.stamp is None:
            reason = candidate.refused or "not found"
            return Unread(name, reason) if given or not path.suffix or named_media(path) else reason
        async with self.places:
            try:
                if not named_media(path) and (why := await asyncio.to_thread(_refusal, path)):
                    return why
                if candidate.stamp.size_bytes == 0:
                    return Unread(name, _EMPTY)
                examined = await self.pool.examine(path, self.tolerance, self.on_bytes, init)
            except OSError as exc:
                return Unread(name, _REASONS.get(exc.errno or 0) or f"cannot be read: {exc.strerror or exc}")
        if examined.digested.sha256 is None or FileStamp.of(examined.digested.found) != candidate.stamp:
            return Unread(name, _CHANGED)
        facts = examined.facts
        if init is not None and facts.container == "fmp4":
            facts = replace(facts, container="cmaf")
        claims = read_claims(path, candidate.stamp.mtime_ns, self.profile, self.zone)
        return FileRead(
            name=name,
            sha256=examined.digested.sha256,
            size_bytes=candidate.stamp.size_bytes,
            facts=facts,
            start=claims.start,
            sequence=claims.sequence,
            run=claims.run,
        )


def named_media(path: Path) -> bool:
    """Whether a file's name says that it is a recording."""
    return path.suffix.lower().removeprefix(".") in MEDIA and not path.name.startswith("._")


def _refusal(path: Path) -> str | None:
    with FileIO(open_to_read(str(path)), "rb") as file:
        return refusal(path, file.read(_HEAD_BYTES))
