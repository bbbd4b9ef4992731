"""Score: every case judged by the code behind ``unbroken check``, what it found held against what is true."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from pipeline.adapters import media
from pipeline.connectors.names import PROFILES, read_claims
from pipeline.domain.check import Checked, FileRead, Observation, check
from pipeline.domain.identity import Sha256
from pipeline.domain.time import WallMs
from pipeline.policy import load_policy
from tests.corpus.cases import BASE_MS, Case, Expected, File

POLICY: Final = load_policy(None)
_KIND: Final = "body_camera"
_NOW: Final = WallMs(BASE_MS + 24 * 3600 * 1000)
_PLACE_S: Final = Fraction(1, 1000)
_ZONE: Final = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Hit:
    """Something expected that was found. Errors in seconds; ``None`` where nothing is to be compared."""

    expected: Expected
    found: Observation
    size_error_s: Fraction | None
    place_error_s: Fraction | None

    @property
    def exact(self) -> bool:
        slack = self.expected.slack_s + _PLACE_S
        return all(error is None or abs(error) <= slack for error in (self.size_error_s, self.place_error_s))


@dataclass(frozen=True, slots=True)
class Score:
    """One case judged. ``false``: findings that are not true; ``odd``: notes that nobody expected."""

    case: Case
    verdict: str
    hits: tuple[Hit, ...] = ()
    missed: tuple[Expected, ...] = ()
    false: tuple[Observation, ...] = ()
    odd: tuple[Observation, ...] = field(default=())

    @property
    def right(self) -> bool:
        return self.verdict in (("interrupted", "degraded") if self.case.verdict == "lost" else (self.case.verdict,))


def judged(case: Case, folder: Path) -> Checked:
    """The case by exactly the code of the command: facts of each file, claims of its name, judgement of all."""
    return check(case.name, [_read(case, file, folder) for file in case.files], [], _KIND, _NOW, POLICY)


def _read(case: Case, file: File, folder: Path) -> FileRead:
    path = folder / file.name
    path.write_bytes(file.data)
    claims = read_claims(path, file.mtime_ms * 1_000_000, PROFILES["numbered" if case.numbered else "auto"], _ZONE)
    try:
        return FileRead(
            name=file.name,
            sha256=Sha256(hashlib.sha256(file.data).hexdigest()),
            size_bytes=len(file.data),
            facts=media.facts(str(path), POLICY.tolerance[_KIND]),
            start=claims.start,
            sequence=claims.sequence,
            run=claims.run,
        )
    finally:
        path.unlink()


def score(case: Case, checked: Checked) -> Score:
    left = list(checked.observations)
    hits, missed = [], []
    for expected in case.expected:
        found = _nearest(expected, left)
        if found is None:
            missed.append(expected)
            continue
        left.remove(found)
        hits.append(Hit(expected, found, _size_error(expected, found), _place_error(expected, found)))
    left = [o for o in left if o.kind not in case.also]
    return Score(
        replace(case, files=()),  # gigabytes, together
        checked.verdict,
        tuple(hits),
        tuple(missed),
        tuple(o for o in left if o.level != "note"),
        tuple(o for o in left if o.level == "note" and o.kind not in case.notes),
    )


def scores(cases: Iterable[Case]) -> Iterator[Score]:
    with tempfile.TemporaryDirectory(prefix="corpus-") as folder:
        for case in cases:
            yield score(case, judged(case, Path(folder)))


def _nearest(expected: Expected, observations: list[Observation]) -> Observation | None:
    fit = [
        o
        for o in observations
        if o.kind in expected.kinds
        and (o.level == expected.level or (expected.level == "loss" and o.level != "note"))
        and (expected.stream is None or o.stream == expected.stream)
    ]
    return min(fit, key=lambda o: abs(_place_error(expected, o) or Fraction(0)), default=None)


def _size_error(expected: Expected, found: Observation) -> Fraction | None:
    if expected.size_s is None:
        return None
    return Fraction(found.size_ms or 0, 1000) - expected.size_s


def _place_error(expected: Expected, found: Observation) -> Fraction | None:
    if expected.at_s is None or found.at_ms is None:
        return None
    return Fraction(found.at_ms, 1000) - expected.at_s
