"""WORM: what a store was seen to do with its locks, and whether evidence may go there because of it.

Rule 1: a report is one pass over everything a lock must refuse or let live. One *must* that failed is enough: no evidence.
Rule 2: what could not be seen yet is neither ok nor wrong; it is said, and does not count.
Rule 3: trust is what this process has seen itself, lately. A pass wears off after two intervals, so that a store which no
longer lets itself be tried is not believed for what it did before. Connectors, whose keys may not try locks, go by the newest
report kept, whoever of ours made it.
Rule 4: reports stand beside the recordings they vouch for, under lock, those that failed too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from pipeline.domain.canonical import canonical, plain
from pipeline.domain.time import WallMs, to_rfc3339

REPORT_FORMAT: Final = "unbroken.worm.v1"
PASS_INTERVALS: Final = 2
_REPORT_KEY: Final = re.compile(r"worm/[0-9TZ.-]+\.json", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One thing tried. A *must* that is not *ok* means: no evidence on this server. ``ok`` is ``None`` for what cannot be
    seen yet."""

    name: str
    must: bool
    ok: bool | None
    found: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A locked version left behind under a rule that expires it: a later report says whether it is still there."""

    key: str
    version_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WormReport:
    """``store``: the endpoint as configured. ``software``: what tried it."""

    tried_at: WallMs
    store: str
    software: str
    tried: tuple[Tried, ...]
    left: Left | None

    @property
    def wrong(self) -> tuple[Tried, ...]:
        """What forbids evidence on this store; empty for a pass."""
        return tuple(item for item in self.tried if item.must and item.ok is False)

    @property
    def differing(self) -> tuple[Tried, ...]:
        """What good servers differ in and this one lacks."""
        return tuple(item for item in self.tried if not item.must and item.ok is False)


def report_key(tried_at: WallMs) -> str:
    """Key in the records bucket; in order of time, and a file name on any system."""
    return f"worm/{to_rfc3339(tried_at).replace(':', '-')}.json"


def is_report_key(key: str) -> bool:
    """Whether *key* is one that :func:`report_key` makes; what it names says nothing about a recording."""
    return _REPORT_KEY.fullmatch(key) is not None


def report_document(report: WormReport) -> bytes:
    """The report as canonical JSON: its fields, ``format``, and ``passed``."""
    fields = plain(report)
    assert isinstance(fields, dict)
    return canonical({"format": REPORT_FORMAT, "passed": not report.wrong, **fields})


def mistrust(last: WormReport | None, now: WallMs, interval_s: int) -> str | None:
    """Why no evidence may go to the store now, or ``None``. *last*: the newest report this process goes by."""
    if last is None:
        return "the store's locks were not tried yet"
    if last.wrong:
        told = "; ".join(f"{item.name}: {item.found}" for item in last.wrong)
        return f"the store does not lock as it must: {told}"
    if now - last.tried_at > PASS_INTERVALS * interval_s * 1000:
        return f"the store's locks were last tried at {to_rfc3339(last.tried_at)}, too long ago"
    return None
