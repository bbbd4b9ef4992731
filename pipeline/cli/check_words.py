"""The words of ``unbroken check`` for people: what a language has to have, and how a count or a length is said in it.

A language is one :class:`Words`, a file of its own; leaving a word out is a type error. ``one|many`` in a word is chosen by its ``count``.
Names of files are put into words as values and are never read as words themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, NamedTuple

from pipeline.domain.check import Observation
from pipeline.domain.findings import Evidence, FindingKind, Level
from pipeline.domain.grounds import Basis, Untested, UntestedWhy, unopened_in_short
from pipeline.domain.probe import MediaKind, StreamKind
from pipeline.domain.recording import Verdict
from pipeline.domain.time import ClockOrigin, WallMs

_SHOWN_NAMES: Final = 3
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Kind(NamedTuple):
    """A kind of finding: its name, what was expected, and what was found, the first whose values are all known."""

    name: str
    expected: str
    found: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """One language. A name says where the word stands; groups of words are by what they name."""

    tag: str
    title: str
    made: str
    made_at: str
    made_with: str
    software: str
    policy: str
    summary: str
    nothing: str
    recording: str
    verdict: str
    happened: str
    when: str
    sure: str
    untested: str
    timeline: str
    findings: str
    files: str
    passed_over: str
    how_to_read: str
    not_proven: str
    headline: Mapping[Verdict, str]
    gaps: str
    others: str
    others_of: str
    no_time: str
    length_error: str
    missing: str
    length: str
    file_count: str
    comma: str
    colon: str
    more_below: str
    more_unread: str
    clock_error: str
    timed_story: str
    recorded_at: str
    recorded_times: str
    unknown_time: str
    give_or_take: str
    no_error: str
    gap_story: str
    other_story: str
    further: str
    between: str
    inside: str
    repeats: str
    stream: str
    place_within: str
    to: str
    expected: str
    found: str
    level: str
    kind: str
    place: str
    evidence_column: str
    number: str
    technical: str
    cut: str
    whole: str
    not_one_file: str
    files_row: str
    files_together: str
    legend: str
    zoom_in: str
    zoom_out: str
    zoom_all: str
    zoom_help: str
    no_timeline: str
    mark: str
    span_title: str
    file_name: str
    size: str
    container: str
    reader: str
    start: str
    end: str
    duplicate: str
    files_cut: str
    digests: str
    basis_one: str
    basis: str
    basis_origin: str
    reasons: Mapping[str, str]
    other_reason: str
    joined: str
    hours: str
    minutes: str
    seconds: str
    read_these: tuple[str, ...]
    proves_not: tuple[str, ...]
    verdicts: Mapping[Verdict, str]
    levels: Mapping[Level, str]
    evidence: Mapping[Evidence, str]
    streams: Mapping[StreamKind, str]
    media: Mapping[MediaKind, str]
    kinds: Mapping[FindingKind, Kind]
    why_untested: Mapping[UntestedWhy, str]
    clocks: Mapping[Evidence, str]
    origins: Mapping[ClockOrigin, str]


def say(word: str, **values: object) -> str:
    """A word with its values in their places.

    >>> say("{count} gap|{count} gaps", count=1200)
    '1,200 gaps'
    """
    one, _, many = word.partition("|")
    spoken = {name: f"{value:,}" if isinstance(value, int) else value for name, value in values.items()}
    return (many if many and values.get("count") != 1 else one).format(**spoken)


def length(words: Words, ms: int) -> str:
    """A length of time to the millisecond: nothing is rounded, since one frame decides."""
    seconds, rest = divmod(ms, 1000)
    if seconds < 60:
        return say(words.seconds, s=f"{seconds}.{rest:03d}")
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    spoken = say(words.minutes, m=minutes, s=f"{seconds:02d}.{rest:03d}")
    return say(words.hours, h=hours, rest=spoken) if hours else spoken


def local(at: WallMs, zone: tzinfo) -> datetime:
    """An instant on the clocks of a zone."""
    return (_EPOCH + timedelta(milliseconds=at)).astimezone(zone)


def clock(at: WallMs, since: WallMs | None, zone: tzinfo) -> str:
    """Clock time to the millisecond, with the date where it is another day than *since*."""
    moment = local(at, zone)
    same = since is not None and local(since, zone).date() == moment.date()
    return moment.strftime("%H:%M:%S" if same else "%Y-%m-%d %H:%M:%S") + f".{at % 1000:03d}"


def untested(words: Words, item: Untested) -> str:
    """What the verdict says nothing about, as a sentence."""
    more = len(item.files) - _SHOWN_NAMES
    names = ", ".join(item.files[:_SHOWN_NAMES]) + (say(words.further, count=more) if more > 0 else "")
    size = say(words.seconds, s=f"{(item.size_ms or 0) // 1000}.{(item.size_ms or 0) % 1000:03d}")
    word = words.why_untested[item.why]
    return say(word, count=item.how_many, files=names, size=size, reason=reason(words, item.reason))


def rests_on(words: Words, bases: Sequence[Basis]) -> Iterator[str]:
    """What places the files in time, a sentence for each kind of basis."""
    for basis in bases:
        word = words.basis_one if sum(one.files for one in bases) == 1 else words.basis
        spoken = say(word, count=basis.files, clock=words.clocks[basis.evidence])
        if basis.origin is not None:
            error = length(words, basis.error_ms or 0)
            spoken += say(words.basis_origin, origin=words.origins[basis.origin], error=error)
        yield spoken


def reason(words: Words, text: str) -> str:
    """Why a file was not opened or is no media, in this language, or else in the system's own words."""
    for pattern, said in words.reasons.items():
        if (match := re.match(pattern, text)) is not None:
            return say(said, **match.groupdict())
    return say(words.other_reason, reason=text)


def found(words: Words, item: Observation) -> str:
    """What was found, said from the numbers of the finding."""
    values = {"size": None if item.size_ms is None else length(words, item.size_ms), "many": item.how_many}
    known = {name: value for name, value in values.items() if value is not None}
    for sentence in words.kinds[item.kind].found[:-1]:
        if all(f"{{{name}}}" not in sentence for name in values.keys() - known.keys()):
            return say(sentence, count=item.how_many, **known)
    return words.kinds[item.kind].found[-1]


def not_tested(words: Words, items: Sequence[Untested], most: int) -> list[str]:
    """A line for each; of files that were not opened, at most *most* and how many more there are."""
    unopened, more, others = unopened_in_short(items, most)
    counted = [say(words.more_unread, count=more)] if more else []
    return [*(untested(words, item) for item in unopened), *counted, *(untested(words, item) for item in others)]
