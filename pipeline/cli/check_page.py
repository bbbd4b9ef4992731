"""The page of ``unbroken check --report``: one HTML file for people who were not there, in English or Chinese.

It is made from the values the terminal and the JSON are made from, and says the verdict in words first: what is missing,
when, how sure that is, and what could not be tested. It needs no network and asks for none (its content security policy
names the digests of its own style and script), reads without colour and without a script, and prints on A4. Names of files
are a stranger's text: everything is escaped by :mod:`~pipeline.cli.markup`, and what does not print is written out.
"""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import Final, NamedTuple

from pipeline.cli.check_timeline import marked_at, timeline
from pipeline.cli.check_words import (
    Words,
    clock,
    found,
    length,
    local,
    not_tested,
    reason,
    rests_on,
    say,
)
from pipeline.cli.markup import Markup, asset, head, join, tag
from pipeline.cli.printable import printable
from pipeline.domain.check import Checked, Observation, gravest
from pipeline.domain.coverage import numbered
from pipeline.domain.grounds import Unread
from pipeline.domain.policy import Policy
from pipeline.domain.probe import StreamKind
from pipeline.domain.recording import JudgedSegment
from pipeline.domain.time import WallMs

_MOST_ROWS: Final = 500
_MOST_STORIES: Final = 12
_MOST_FILES: Final = 300
"""Files told one by one; of more, those that matter, and all of them as digests."""
_FIRST_FILES: Final = 50
_NAME_CHARS: Final = 80
_MOST_UNREAD: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """How a page was made: when, by which command and software, and in which zone it shows times."""

    at: WallMs
    command: str
    software: str
    zone: tzinfo


def page(
    results: Sequence[Checked], passed_over: Sequence[Unread], policy: Policy, words: Words, made: Made
) -> Iterator[str]:
    """The page, piece by piece."""
    style, script = asset("check_page.css"), asset("check_page.js")
    yield Markup("<!DOCTYPE html>\n")
    yield Markup(f'<html lang="{words.tag}">\n')
    yield head(words.title, style, scripts=[script])
    yield Markup("\n<body>\n<main>\n")
    yield _head(results, policy, words, made)
    for number, checked in enumerate(results, start=1):
        yield Markup("\n")
        yield from _recording(checked, number, policy, words, made.zone)
    yield _closing(passed_over, policy, words, made)
    yield Markup("\n</main>\n")
    yield tag("script", script)
    yield Markup("\n</body>\n</html>\n")


def refused(path: Path, read: Collection[Path]) -> str | None:
    """Why no page may be written to *path*: what is there is no plain file, or is one of the files *read*."""
    if not path.parent.is_dir():
        return f"there is no folder {printable(str(path.parent))} to write it into"
    if path.is_symlink() or (path.exists() and not path.is_file()):
        return f"{printable(str(path))} is there and is no regular file; name another"
    if path.resolve() in read:
        return f"{printable(str(path))} is one of the files to be checked; name another"
    return None


def write(path: Path, pieces: Iterator[str]) -> None:
    """The page at *path*, whole or not at all; raises :class:`OSError`."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", suffix=".part", dir=path.parent)
    part = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.writelines(pieces)
        part.chmod(0o644)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _head(results: Sequence[Checked], policy: Policy, words: Words, made: Made) -> Markup:
    moment = f"{clock(made.at, None, made.zone)[:19]} ({_zone(made.at, made.zone)})"
    line = words.joined.join(
        [f"{words.made_at} {moment}", f"unbroken {made.software}", f"{words.policy} {policy.version}"]
    )
    parts = [tag("h1", words.title), tag("p", line, class_="sub")]
    if not results:
        parts.append(tag("p", words.nothing, class_="verdict"))
    if len(results) > 1:
        rows = (
            tag(
                "tr",
                tag("td", tag("a", _name(checked.name), href=f"#r{number}")),
                tag("td", _verdict(checked, words)),
                tag("td", _when(checked, words, made.zone)),
            )
            for number, checked in enumerate(results, start=1)
        )
        heads = (words.recording, words.verdict, words.when)
        parts += [tag("h2", words.summary), _table("recordings", heads, rows)]
    return tag("header", *parts)


# One recording.


class _Chapter(NamedTuple):
    """One recording, with what it takes to tell of it."""

    checked: Checked
    number: int
    rows: Sequence[Observation]
    files: Mapping[str, JudgedSegment]
    streams: Sequence[tuple[StreamKind, int]]
    words: Words
    zone: tzinfo

    def clock(self, at: WallMs) -> str:
        return clock(at, self.checked.ended.started_at if self.checked.ended else None, self.zone)


def _recording(checked: Checked, number: int, policy: Policy, words: Words, zone: tzinfo) -> Iterator[Markup]:
    rows = gravest(checked.observations, _MOST_ROWS)
    chapter = _Chapter(checked, number, rows, dict(checked.files), numbered(checked), words, zone)
    yield Markup(f'<section id="r{number}">')
    yield tag("h2", words.recording, " ", _name(checked.name))
    yield tag("p", _verdict(checked, words), class_=f"verdict {checked.verdict}")
    yield from _story(chapter)
    yield _answers(chapter)
    yield tag("h3", words.timeline)
    kind = checked.ended.source_kind if checked.ended else None
    drawing = timeline(checked, rows, policy.tolerance[kind], words, zone, number) if kind else None
    yield drawing or tag("p", words.no_timeline)
    if rows:
        yield tag("h3", words.findings)
        if len(rows) < len(checked.observations):
            yield tag("p", say(words.cut, count=len(checked.observations), shown=len(rows)))
        yield _findings(chapter)
    if checked.files:
        yield tag("h3", words.files)
        yield from _files(chapter)
    yield Markup("</section>")


def _verdict(checked: Checked, words: Words) -> Markup:
    ended = checked.ended
    gaps = [item.size_ms or 0 for item in checked.observations if item.kind == "gap"]
    others = [item.kind for item in checked.observations if item.level == "interruption" and item.kind != "gap"]
    span = length(words, checked.span_ms)
    what = [say(words.gaps, count=len(gaps), missing=length(words, sum(gaps)), span=span)] if gaps else []
    if others:
        word = words.others_of if len(set(others)) == 1 else words.others
        what.append(say(word, count=len(others), kind=words.kinds[others[0]].name))
    files = say(words.file_count, count=ended.segments if ended else len(checked.unread))
    told = say(words.headline[checked.verdict], what=words.comma.join(what), span=span, files=files)
    return join(tag("strong", words.verdicts[checked.verdict].capitalize()), words.colon, told)


def _answers(chapter: _Chapter) -> Markup:
    """When, how sure, and what not."""
    words, checked = chapter.words, chapter.checked
    sure = _list(rests_on(words, checked.bases)) if checked.bases else tag("p", words.not_one_file)
    untold = _list(not_tested(words, checked.not_tested, _MOST_UNREAD))
    return tag(
        "div",
        tag("div", tag("h3", words.when), *(tag("p", line) for line in _times(chapter))),
        tag("div", tag("h3", words.sure), sure),
        tag("div", tag("h3", words.untested), untold),
        class_="answers",
    )


def _when(checked: Checked, words: Words, zone: tzinfo) -> str:
    ended = checked.ended
    if ended is None or ended.started_at is None or ended.ended_at is None:
        return words.no_time
    start, end = clock(ended.started_at, None, zone), clock(ended.ended_at, ended.started_at, zone)
    return say(words.recorded_at, start=start, end=end, zone=_zone(ended.started_at, zone))


def _times(chapter: _Chapter) -> Iterator[str]:
    checked, words = chapter.checked, chapter.words
    covered = length(words, checked.ended.covered_ms if checked.ended else 0)
    if checked.ended is None or checked.ended.started_at is None:
        yield say(words.unknown_time, covered=covered)
        return
    yield _when(checked, words, chapter.zone)
    yield say(words.length, span=length(words, checked.span_ms), covered=covered)
    for origin in dict.fromkeys(basis.origin for basis in checked.bases if basis.origin is not None):
        error_ms = max(basis.error_ms or 0 for basis in checked.bases if basis.origin == origin)
        error = say(words.give_or_take, error=length(words, error_ms)) if error_ms else words.no_error
        yield say(words.recorded_times, origin=words.origins[origin], error=error)


def _story(chapter: _Chapter) -> Iterator[Markup]:
    """What interrupted the recording, a sentence each."""
    told = [(place, row) for place, row in enumerate(chapter.rows, start=1) if row.level == "interruption"]
    if not told:
        return
    yield tag("h3", chapter.words.happened)
    items = []
    for place, row in told[:_MOST_STORIES]:
        link = tag("a", str(place), href=f"#r{chapter.number}-f{place}")
        items.append(tag("li", _sentence(chapter, row), " ", tag("span", "[", link, "]")))
    yield tag("ol", *items, class_="story")
    if len(told) > _MOST_STORIES:
        yield tag("p", say(chapter.words.more_below, count=len(told) - _MOST_STORIES))


def _sentence(chapter: _Chapter, row: Observation) -> str:
    words = chapter.words
    place, evidence = _place(row, words), words.evidence[row.evidence]
    if row.evidence == "wall_clock" and row.error_ms:
        evidence += say(words.length_error, error=length(words, 2 * row.error_ms))
    values = {
        "place": words.comma + place if place else "",
        "evidence": evidence,
        "kind": words.kinds[row.kind].name,
        "found": found(words, row),
    }
    if row.start is None or row.end is None or row.size_ms is None:
        return say(words.other_story, **values)
    times = {"start": chapter.clock(row.start), "end": chapter.clock(row.end), "size": length(words, row.size_ms)}
    return say(words.gap_story if row.kind == "gap" else words.timed_story, **values, **times)


def _place(row: Observation, words: Words) -> str:
    if row.file is None:
        return ""
    file, after = _short(row.file), _short(row.after or "")
    if row.kind == "duplicate" and row.after:
        return say(words.repeats, file=file, after=after)
    return say(words.between, file=file, after=after) if row.after else say(words.inside, file=file)


# Findings.


def _findings(chapter: _Chapter) -> Markup:
    words = chapter.words
    heads = (words.number, words.when, words.kind, words.expected, words.found, words.evidence_column)
    rows = (_finding(chapter, row, place) for place, row in enumerate(chapter.rows, start=1))
    return _table("findings", heads, rows)


def _finding(chapter: _Chapter, row: Observation, place: int) -> Markup:
    words, kind = chapter.words, chapter.words.kinds[row.kind]
    marked = marked_at(row, chapter.files) is not None
    link = tag("a", str(place), href=f"#r{chapter.number}-m{place}") if marked else str(place)
    where = [part for part in (_place(row, words), _stream(chapter, row)) if part]
    technical = say(words.technical, expected=printable(row.expected), found=printable(row.found))
    evidence = [words.evidence[row.evidence]]
    if row.error_ms:
        evidence.append(tag("small", say(words.clock_error, error=length(words, row.error_ms))))
    name = tag("span", kind.name, class_=f"level {row.level}")
    return tag(
        "tr",
        tag("td", link, data_label=words.number),
        tag("td", *_moment(chapter, row), class_="when", data_label=words.when),
        tag("td", name, tag("small", words.levels[row.level]), data_label=words.kind),
        tag("td", kind.expected, data_label=words.expected),
        tag("td", found(words, row), *(tag("small", part) for part in (*where, technical)), data_label=words.found),
        tag("td", *evidence, data_label=words.evidence_column),
        id=f"r{chapter.number}-f{place}",
    )


def _moment(chapter: _Chapter, row: Observation) -> Iterator[str]:
    words, start, end = chapter.words, row.start, row.end
    if start is None and (segment := chapter.files.get(row.file or "")) is not None:
        start, end = segment.start, segment.end
    if start is None:
        yield words.no_time
        return
    when = chapter.clock(start)
    if end is not None and end != start:
        when = say(words.to, start=when, end=chapter.clock(end))
    yield say(words.place_within, when=when) if row.start is None else when
    if row.size_ms is not None and row.start is not None:
        yield tag("small", length(words, row.size_ms))


def _stream(chapter: _Chapter, row: Observation) -> str:
    """The stream of a finding as the timeline names it."""
    words, segment = chapter.words, chapter.files.get(row.file or "")
    if row.stream is None:
        return ""
    streams = segment.probed.facts.streams if segment else ()
    own = next((stream for stream in streams if stream.index == row.stream), None)
    if row.file is None and row.stream < len(chapter.streams):
        kind, rank = chapter.streams[row.stream]
        return say(words.stream, kind=words.streams[kind], number=rank)
    if own is None:
        return say(words.stream, kind=words.streams["other"], number=row.stream)
    rank = [stream.index for stream in streams if stream.kind == own.kind].index(own.index) + 1
    return say(words.stream, kind=words.streams[own.kind], number=rank)


# Files.


def _files(chapter: _Chapter) -> Iterator[Markup]:
    words, every = chapter.words, chapter.checked.files
    chosen = list(every)
    if len(every) > _MOST_FILES:
        matter = {name for row in chapter.rows for name in (row.file, row.after)}
        wanted = (item for place, item in enumerate(every) if place < _FIRST_FILES or item[0] in matter)
        chosen = list(itertools.islice(wanted, _MOST_FILES))
        yield tag("p", say(words.files_cut, count=len(every), shown=len(chosen)))
    heads = (words.file_name, words.start, words.end, words.size, words.container, words.reader, "SHA-256")
    yield _table("files", heads, (_file(chapter, name, segment) for name, segment in chosen))
    if len(chosen) < len(every):
        lines = (f"{segment.probed.landed.object.sha256}  {printable(name)}\n" for name, segment in every)
        yield tag("details", tag("summary", say(words.digests, count=len(every))), tag("pre", *lines))


def _file(chapter: _Chapter, name: str, segment: JudgedSegment) -> Markup:
    words, facts, landed = chapter.words, segment.probed.facts, segment.probed.landed
    start = words.no_time if segment.start is None else chapter.clock(segment.start)
    end = "" if segment.end is None else chapter.clock(segment.end)
    container = facts.container if facts.media == "timed" else f"{facts.container} ({words.media[facts.media]})"
    named = join(_name(name), tag("small", words.duplicate)) if segment.duplicate else _name(name)
    return tag(
        "tr",
        tag("td", named, data_label=words.file_name),
        tag("td", start, class_="when", data_label=words.start),
        tag("td", end, class_="when", data_label=words.end),
        tag("td", f"{landed.object.size_bytes:,}", class_="figure", data_label=words.size),
        tag("td", printable(container), data_label=words.container),
        tag("td", printable(facts.reader), data_label=words.reader),
        tag("td", landed.object.sha256, class_="digest", data_label="SHA-256"),
    )


def _table(kind: str, heads: Sequence[str], rows: Iterable[Markup]) -> Markup:
    head = tag("thead", tag("tr", *(tag("th", word, scope="col") for word in heads)))
    return tag("table", head, tag("tbody", *rows), class_=f"stack {kind}")


# Around them.


def _closing(passed_over: Sequence[Unread], policy: Policy, words: Words, made: Made) -> Markup:
    parts = []
    if passed_over:
        said = (join(_name(item.name), words.colon, reason(words, item.reason)) for item in passed_over[:_MOST_FILES])
        more = len(passed_over) - _MOST_FILES
        parts += [tag("h3", words.passed_over), _list(said)]
        parts += [tag("p", say(words.further, count=more))] if more > 0 else []
    parts += [tag("h3", words.how_to_read), _list(words.read_these)]
    parts += [tag("h3", words.not_proven), _list(words.proves_not)]
    facts = (
        (words.made_at, f"{clock(made.at, None, made.zone)[:19]} ({_zone(made.at, made.zone)})"),
        (words.made_with, tag("code", printable(made.command))),
        (words.software, f"unbroken {made.software}"),
        (words.policy, policy.version),
    )
    listed = (join(tag("dt", name), tag("dd", value)) for name, value in facts)
    parts += [tag("h3", words.made), tag("dl", *listed, class_="made")]
    return tag("section", *parts, class_="plain")


def _list(items: Iterable[str]) -> Markup:
    return tag("ul", *(tag("li", item if isinstance(item, Markup) else printable(item)) for item in items))


def _zone(at: WallMs, zone: tzinfo) -> str:
    offset = f"{local(at, zone):%z}"
    return f"{zone}, UTC{offset[:3]}:{offset[3:5]}"


def _name(name: str) -> Markup:
    """A name apart from the direction of the text around it."""
    return tag("bdi", printable(name))


def _short(name: str) -> str:
    text = printable(name)
    return text if len(text) <= _NAME_CHARS else f"{text[: _NAME_CHARS // 2]}…{text[-_NAME_CHARS // 3 :]}"
