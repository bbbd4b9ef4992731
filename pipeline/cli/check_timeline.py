"""The timeline on the page of ``unbroken check``: one drawing for a recording, its streams and its files.

Places along the time are percentages, heights are pixels: the drawing grows with its width alone, so that widening it is
zooming and its letters keep their size. It is whole without a script. What is missing is hatched, framed and named; colour
only repeats it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Final, NamedTuple

from pipeline.cli.check_words import Words, clock, length, local, say
from pipeline.cli.markup import Markup, tag
from pipeline.cli.printable import printable
from pipeline.domain.check import Checked, Observation
from pipeline.domain.coverage import lanes
from pipeline.domain.policy import Tolerance
from pipeline.domain.recording import JudgedSegment, RecordingEnded
from pipeline.domain.spans import Spans
from pipeline.domain.time import WallMs

_MARK_LANES: Final = 3
_LANE_PX: Final = 20
_UNDER_MARKS_PX: Final = 6
_WHOLE_PX: Final = 30
_ROW_PX: Final = 16
_BETWEEN_PX: Final = 10
_AXIS_PX: Final = 24
_WIDTH_PX: Final = 800
"""About how wide the drawing is on a sheet of paper: what fits there is decided for it."""
_NARROW_PX: Final = 300
"""On the narrowest window, where marks are closest."""
_MARK_PX: Final = 21
_TICKS: Final = 6
_MOST_FILES: Final = 240
"""Bars of files drawn one by one; more are drawn together."""
_MOST_HOLES: Final = 2000
_SECOND: Final = 1000
_MINUTE: Final = 60 * _SECOND
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
_STEPS: Final = (
    *(1, 5, 10, 50, 100, 200, 500),
    *(count * _SECOND for count in (1, 2, 5, 10, 15, 30)),
    *(count * _MINUTE for count in (1, 2, 5, 10, 15, 30)),
    *(count * _HOUR for count in (1, 2, 3, 6, 12)),
    *(count * _DAY for count in (1, 2, 7, 30, 365)),
)


class _Row(NamedTuple):
    """One bar: its name, its height, and what is drawn in it, given its top."""

    name: str
    height_px: int
    recorded: Spans
    holes: Spans
    sized: bool


class _Frame(NamedTuple):
    """The time a drawing shows, the words and the zone it shows it in."""

    start: WallMs
    end: WallMs
    words: Words
    zone: tzinfo

    def x(self, at: int) -> float:
        return round(min(max((at - self.start) * 100 / (self.end - self.start), 0.0), 100.0), 4)

    def when(self, start: int, end: int) -> str:
        moments = (clock(WallMs(at), self.start, self.zone) for at in (start, end))
        return say(self.words.to, start=next(moments), end=next(moments))


def timeline(
    checked: Checked, rows: Sequence[Observation], tolerance: Tolerance, words: Words, zone: tzinfo, number: int
) -> Markup | None:
    """The drawing of recording *number*, with marks for *rows*; ``None`` where nothing is placed."""
    ended = checked.ended
    if ended is None or ended.started_at is None or ended.ended_at is None or ended.ended_at <= ended.started_at:
        return None
    frame = _Frame(ended.started_at, ended.ended_at, words, zone)
    bars = list(_bars(checked, ended, tolerance, frame))
    files = _files(checked)
    placed = dict(checked.files)
    marks = sorted((at, place) for place, row in enumerate(rows, start=1) if (at := marked_at(row, placed)) is not None)
    mark_lanes = max(_lanes(marks, frame, _NARROW_PX, _MARK_LANES), default=-1) + 1
    tops = [mark_lanes * _LANE_PX + _UNDER_MARKS_PX]
    for bar in bars:
        tops.append(tops[-1] + bar.height_px + _BETWEEN_PX)
    axis = tops[-1] + _ROW_PX + _BETWEEN_PX
    file_name = say(words.files_row, count=len(files))
    names = [*(bar.name for bar in bars), file_name]
    hatch = f"hatch-{number}"
    together = say(words.files_together, count=len(files)) if len(files) > _MOST_FILES else ""
    drawing = tag(
        "svg",
        tag("title", say(words.span_title, name=words.timeline, start=_clock(frame.start, frame), end=_clock(frame.end, frame))),
        _hatch(hatch),
        _ticks(frame, axis),
        *(_bar(bar, top, frame, hatch) for bar, top in zip(bars, tops, strict=False)),
        tag("g", *_file_bars(files, tops[-1], frame), class_="files"),
        *_marks(marks, rows, mark_lanes, frame, number),
        role="group",
        aria_label=words.timeline,
        width="100%",
        height=axis + _AXIS_PX,
        data_start=frame.start,
        data_end=frame.end,
        data_offset=_offset_ms(frame.start, zone),
        data_zone=str(zone),
        data_axis=axis,
        data_lanes=mark_lanes,
    )  # fmt: skip
    return tag(
        "div",
        _controls(words),
        tag(
            "div",
            tag("div", _names(names, tops, bars, axis), class_="names", aria_hidden="true"),
            tag("div", drawing, class_="scroll", tabindex="0", aria_label=words.zoom_help, role="region"),
            class_="timeline",
        ),
        tag("p", words.legend, together, class_="small"),
        class_="frame",
    )


# Bars.


def _bars(checked: Checked, ended: RecordingEnded, tolerance: Tolerance, frame: _Frame) -> Iterator[_Row]:
    runs = tuple((int(run.start), int(run.end)) for run in ended.runs)
    yield _Row(frame.words.whole, _WHOLE_PX, runs, tuple(_between(runs, frame, 0)), True)
    for lane in lanes(checked, tolerance):
        name = say(frame.words.stream, kind=frame.words.streams[lane.kind], number=lane.rank)
        yield _Row(
            f"{name} · {lane.codec}",
            _ROW_PX,
            lane.spans,
            tuple(_between(lane.spans, frame, tolerance.across_files_ms)),
            False,
        )


def _between(spans: Spans, frame: _Frame, edge_ms: int) -> Iterator[tuple[int, int]]:
    """What *spans* leave open. Streams never begin and end together: up to *edge_ms* at either end is no hole."""
    at = int(frame.start)
    for lo, hi in (*spans, (int(frame.end), int(frame.end))):
        edge = edge_ms if at == frame.start or lo == frame.end else 0
        if lo - at > edge:
            yield at, lo
        at = max(at, hi)


def _bar(bar: _Row, top: int, frame: _Frame, hatch: str) -> Markup:
    shapes = [_rect(frame, span, top, bar.height_px, "recorded", bar.name) for span in bar.recorded[:_MOST_HOLES]]
    for span in bar.holes[:_MOST_HOLES]:
        title = f"{bar.name}: {say(frame.words.missing, size=length(frame.words, span[1] - span[0]))}"
        shapes.append(_rect(frame, span, top, bar.height_px, "hole", title, fill=f"url(#{hatch})"))
    if bar.sized:
        shapes += [_size(frame, span, top + bar.height_px) for span in bar.holes[:_MOST_HOLES]]
    return tag("g", *shapes, role="group", aria_label=bar.name)


def _size(frame: _Frame, span: tuple[int, int], bottom: int) -> Markup:
    text = length(frame.words, span[1] - span[0])
    share = frame.x(span[1]) - frame.x(span[0])
    tight = share * _WIDTH_PX / 100 < 8 * len(text)
    return tag(
        "text",
        text,
        class_="size tight" if tight else "size",
        x=f"{(frame.x(span[0]) + frame.x(span[1])) / 2:.4f}%",
        y=bottom - _WHOLE_PX // 2 + 4,
        data_share=f"{share:.4f}",
    )


def _rect(
    frame: _Frame, span: tuple[int, int], top: int, height: int, kind: str, name: str, fill: str | None = None
) -> Markup:
    x, end = frame.x(span[0]), frame.x(span[1])
    title = tag("title", f"{name}, {frame.when(*span)}")
    return tag("rect", title, class_=kind, x=f"{x}%", y=top, width=f"{end - x:.4f}%", height=height, fill=fill)


def _files(checked: Checked) -> list[tuple[int, int, str]]:
    return [
        (int(segment.start), int(segment.end), name)
        for name, segment in checked.files
        if segment.start is not None and segment.end is not None and not segment.duplicate
    ]


def _file_bars(files: Sequence[tuple[int, int, str]], top: int, frame: _Frame) -> Iterator[Markup]:
    """A bar for each file; where there are many, for the files that begin in one slice of the time and touch."""
    slice_ms = (frame.end - frame.start) / _MOST_FILES if len(files) > _MOST_FILES else 0.0
    groups: list[tuple[int, int, list[str]]] = []
    for lo, hi, name in files:
        if groups and slice_ms and lo - groups[-1][0] < slice_ms and lo - groups[-1][1] < slice_ms / 10:
            groups[-1] = (groups[-1][0], max(groups[-1][1], hi), [*groups[-1][2][:1], name])
        else:
            groups.append((lo, hi, [name]))
    for number, (lo, hi, names) in enumerate(groups):
        title = " … ".join(printable(name) for name in names)
        yield _rect(frame, (lo, hi), top, _ROW_PX, "file even" if number % 2 else "file", title)


def _names(names: Sequence[str], tops: Sequence[int], bars: Sequence[_Row], axis: int) -> Markup:
    heights = [*(bar.height_px for bar in bars), _ROW_PX]
    texts = (
        tag("text", name, x=6, y=top + height // 2 + 4) for name, top, height in zip(names, tops, heights, strict=True)
    )
    return tag("svg", *texts, width="100%", height=axis + _AXIS_PX)


def _hatch(name: str) -> Markup:
    ground = tag("rect", class_="hatch-ground", width=8, height=8)
    line = tag("line", class_="hatch-line", x1=0, y1=0, x2=0, y2=8)
    turned = "rotate(45)"
    pattern = tag(
        "pattern", ground, line, id=name, width=8, height=8, patternUnits="userSpaceOnUse", patternTransform=turned
    )
    return tag("defs", pattern)


# Marks.


def _marks(
    marks: Sequence[tuple[WallMs, int]], rows: Sequence[Observation], lanes_there: int, frame: _Frame, recording: int
) -> Iterator[Markup]:
    """Numbers above the bars on stems, in lanes where they are close; one without room is a stem until there is room."""
    stems, numbers = [], []
    for (moment, number), lane in zip(marks, _lanes(marks, frame, _WIDTH_PX, lanes_there), strict=True):
        row, x = rows[number - 1], frame.x(moment)
        y = (lanes_there - 1 - max(lane, 0)) * _LANE_PX
        link = tag(
            "a",
            tag("title", _mark_title(row, moment, number, frame)),
            _shape(row),
            tag("text", str(number), x=0, y=14),
            href=f"#r{recording}-f{number}",
        )
        stems.append(
            tag("line", class_="stem", x1=f"{x}%", x2=f"{x}%", y1=y + 10, y2=lanes_there * _LANE_PX + _UNDER_MARKS_PX)
        )
        mark = tag(
            "svg",
            link,
            class_=f"mark {row.level}" + (" crowded" if lane < 0 else ""),
            id=f"r{recording}-m{number}",
            x=f"{x}%",
            y=y,
            overflow="visible",
            data_at=x,
        )
        numbers.append(mark)
    yield tag("g", *stems)
    yield tag("g", *numbers)


def _lanes(marks: Sequence[tuple[WallMs, int]], frame: _Frame, width_px: int, lanes_there: int) -> Iterator[int]:
    """The lowest lane in which each mark has room in a drawing so wide; -1 where it has none."""
    last = [-float(_MARK_PX)] * lanes_there
    for moment, _ in marks:
        at = frame.x(moment) * width_px / 100
        lane = next((one for one, before in enumerate(last) if at - before >= _MARK_PX), -1)
        if lane >= 0:
            last[lane] = at
        yield lane


def marked_at(row: Observation, placed: Mapping[str, JudgedSegment]) -> WallMs | None:
    """Where a finding is marked: where it begins, or else its file does; of one whose end is missing, at that end."""
    segment = placed.get(row.file or "")
    if row.start is not None or segment is None:
        return row.start
    return segment.end if row.kind == "truncated" else segment.start


def _shape(row: Observation) -> Markup:
    if row.level == "degradation":
        return tag("path", d="M-9 1H9V19H-9Z")
    return tag("circle", cx=0, cy=10, r=9)


def _mark_title(row: Observation, at: WallMs, number: int, frame: _Frame) -> str:
    when = _clock(at, frame) if row.start is None or row.end is None else frame.when(row.start, row.end)
    return say(frame.words.mark, number=number, kind=frame.words.kinds[row.kind].name, when=when)


# The axis.


def _ticks(frame: _Frame, axis: int) -> Markup:
    span = frame.end - frame.start
    step = next((one for one in _STEPS if span / one <= _TICKS), _STEPS[-1])
    shift = _offset_ms(frame.start, frame.zone)
    at = -(-(frame.start + shift) // step) * step - shift
    parts, last = [], local(frame.start, frame.zone).date()
    while at <= frame.end:
        moment = local(WallMs(at), frame.zone)
        text = _tick_text(moment, at, step, moment.date() != last)
        last = moment.date()
        x = f"{frame.x(at)}%"
        parts += [
            tag("line", class_="tick", x1=x, x2=x, y1=0, y2=axis),
            tag("text", text, x=x, y=axis + 16),
        ]
        at += step
    return tag("g", *parts, class_="ticks")


def _tick_text(moment: datetime, at: int, step: int, new_day: bool) -> str:
    if step >= _DAY:
        return moment.strftime("%m-%d")
    text = moment.strftime("%H:%M:%S") + (f".{at % 1000:03d}" if step < _SECOND else "")
    return f"{moment:%m-%d} {text}" if new_day else text


def _offset_ms(at: WallMs, zone: tzinfo) -> int:
    return (local(at, zone).utcoffset() or timedelta()) // timedelta(milliseconds=1)


def _clock(at: WallMs, frame: _Frame) -> str:
    return clock(at, frame.start, frame.zone)


def _controls(words: Words) -> Markup:
    """Shown by the script that answers to them."""
    acts = (("in", words.zoom_in), ("out", words.zoom_out), ("all", words.zoom_all))
    buttons = (tag("button", word, type="button", data_act=act) for act, word in acts)
    return tag("div", *buttons, tag("span", words.zoom_help), class_="zoom", hidden=True)
