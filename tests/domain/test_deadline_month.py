"""A simulated month: breaches, their causes and the silences of cameras equal what happened, exactly.

Each seed is 30 days of a bureau: a hall camera with opening hours (over a change to or from summer time, or over national
holidays), body cameras handed out, brought back late, empty or never, clocks that are wrong, networks, stores and
pipelines that fail for hours, cases described late or never, pauses stated before, during or long after. Its truth is
reckoned minute by minute from what happened, with the operating system's time zones, and never by the code under test.
The stage hears of it over topics that interleave within the minute the timer waits, from a worker that is down for hours,
starts again from what was written down, hears things twice, and whose own clock is set back now and then.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import accumulate
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import pytest

from pipeline.domain.annotation import Annotation, Issue, Outage, Return, ScheduleWindow
from pipeline.domain.archive import RecordingArchived
from pipeline.domain.deadline import Heard, step
from pipeline.domain.docket import DeadlineChanged, SourceDeadlines
from pipeline.domain.duty import SilenceChanged
from pipeline.domain.expectation import handout_id
from pipeline.domain.identity import RecordingId, block_recording_id
from pipeline.domain.landing import SegmentLanded
from pipeline.domain.outlook import due
from pipeline.domain.schedule import Schedule, SpecialDay, WeekdayHours, ZoneOffset
from pipeline.domain.time import WallMs
from pipeline.wire import codec
from tests.builders import SOURCE, always, annotation, claimed, landed, metadata, policy, session_ended
from tests.builders_archive import archived

SEEDS: Final = int(os.environ.get("UNBROKEN_MONTH_SEEDS", "25"))
MIN: Final = 60_000
HOUR: Final = 60
DAY: Final = 24 * HOUR
DAYS: Final = 30
END: Final = (DAYS + 6) * DAY
PATIENCE: Final = 40
"""Minutes; longer than the camera's files, shorter than a block."""
POLICY = policy()


class Season(NamedTuple):
    """A month's hours: where it lies, how the clock goes, and on which minutes the hall is open."""

    start: int
    schedule: Schedule
    open_before: tuple[int, ...]
    """Minutes on duty before each minute of the month."""


@cache
def season(number: int) -> Season:
    zone_name, first, special = (
        ("Europe/Berlin", datetime(2026, 3, 9, tzinfo=UTC), {"2026-03-20": (0, 0), "2026-03-28": (540, 720)}),
        ("Europe/Berlin", datetime(2026, 10, 5, tzinfo=UTC), {"2026-10-25": (60, 300)}),
        (
            "Asia/Shanghai",
            datetime(2026, 9, 14, tzinfo=UTC),
            {**{f"2026-10-0{day}": (0, 0) for day in range(1, 8)}, "2026-09-20": (510, 1050)},
        ),
    )[number]
    zone = ZoneInfo(zone_name)
    weekly = dict.fromkeys(range(1, 6), ((510, 720), (810, 1080))) | {6: ((540, 900),)}
    minutes = []
    for minute in range(END):
        local = (first + timedelta(minutes=minute)).astimezone(zone)
        name, now = local.date().isoformat(), local.hour * 60 + local.minute
        hours = (special[name],) if name in special else weekly.get(local.isoweekday(), ())
        minutes.append(any(begin <= now < end for begin, end in hours))
    start = int(first.timestamp() * 1000)
    schedule = always(
        weekly=tuple(
            WeekdayHours(weekday=day, from_minute=begin, to_minute=end)
            for day, hours in weekly.items()
            for begin, end in hours
        ),
        special=tuple(SpecialDay(day=day, from_minute=begin, to_minute=end) for day, (begin, end) in special.items()),
        offsets=tuple(_offsets(zone, first)),
        silent_after_s=PATIENCE * 60,
    )
    return Season(start, schedule, (0, *accumulate(minutes)))


def _offsets(zone: ZoneInfo, first: datetime) -> Iterator[ZoneOffset]:
    known = None
    for hour in range(END // HOUR + 1):
        at = first + timedelta(hours=hour)
        offset = at.astimezone(zone).utcoffset()
        assert offset is not None
        if offset != known:
            known = offset
            yield ZoneOffset(since=WallMs(int(at.timestamp() * 1000)), minutes=int(offset.total_seconds()) // 60)


class Silence(NamedTuple):
    """Since and until when, in minutes of the month, and how many minutes on duty."""

    since: int
    until: int | None
    size: int


@dataclass
class Source:
    """What happened to one device, when it was said, and what must come of it."""

    kind: str
    start: int
    said: list[tuple[int, Heard]] = field(default_factory=list)
    misses: dict[str, str] = field(default_factory=dict)
    silences: list[Silence] = field(default_factory=list)
    outages: list[tuple[int, int]] = field(default_factory=list)

    def wall(self, minute: int) -> WallMs:
        return WallMs(self.start + minute * MIN)

    def say(self, minute: int, event: Heard) -> None:
        self.said.append((minute, event))

    def note(self, minute: int, kind: Any, **body: Any) -> None:
        number = len(self.said)
        self.say(minute, annotation(f"{kind}-{number}", kind, made_at=self.wall(minute), **body))

    def land(self, minute: int, number: int, recording: str, start: int, end: int, **changes: Any) -> None:
        fields: dict[str, Any] = {
            "source_kind": self.kind,
            "recording_id": RecordingId(recording),
            "received_at": self.wall(minute),
            "claimed_start": claimed(self.wall(start)),
            "claimed_end": claimed(self.wall(end)),
        }
        self.say(minute, landed(number, **{**fields, **changes}))

    def receipt(self, minute: int, files: int, recording: str, end: int, first: int, **changes: Any) -> None:
        fields: dict[str, Any] = {
            "source_kind": self.kind,
            "recording_id": RecordingId(recording),
            "archived_at": self.wall(minute),
            "ended_at": self.wall(end),
            "first_received_at": self.wall(first),
        }
        self.say(minute, archived(files, **{**fields, **changes}))

    def store_out(self, begin: int, end: int) -> None:
        """Nobody could store anything; what is said of it is heard some minutes after it began and after it ended."""
        self.outages.append((begin, end))
        self.note(begin + 6, "outage", outage=Outage(start=self.wall(begin)))
        self.note(end + 1, "outage", outage=Outage(start=self.wall(begin), end=self.wall(end)))

    def held_up_by(self, here: int, at: int) -> str:
        """Who kept something that was all here at *here* from being archived by *at*."""
        out = {m for begin, end in self.outages for m in range(max(begin, here), min(end, at))}
        return "store" if out and (at - here) - len(out) < HOUR else "pipeline"


# -- a hall camera -------------------------------------------------------------------------------------------------------


class File(NamedTuple):
    start: int
    end: int
    arrives: int


class Pause(NamedTuple):
    said: int
    start: int
    end: int


def hall(dice: random.Random, time: Season) -> Source:
    made = Source("cctv", time.start)
    made.note(0, "schedule", schedule=replace(time.schedule, valid_from=made.wall(0)))
    dead, pauses = _failures(dice)
    for pause in pauses:
        window = ScheduleWindow(start=made.wall(pause.start), end=made.wall(pause.end), reason="maintenance")
        made.note(pause.said, "schedule_window", window=window)
    files = _files(dice, time, dead)
    _hours(dice, made, files)
    _missing_hours(made, time, files, pauses)
    made.silences = _silences(time, files, pauses)
    return made


def _failures(dice: random.Random) -> tuple[list[tuple[int, int]], list[Pause]]:
    """When the camera is dead, and which of that is stated as a pause: before, during or long after."""
    dead, pauses, at = [], [], dice.randrange(DAY, 3 * DAY)
    while at < DAYS * DAY:
        end = at + dice.choice([5, 30, 41, 90, 5 * HOUR, 20 * HOUR, 3 * DAY])
        dead.append((at, end))
        said = dice.choice([at - 20 * HOUR, at + 50, end + 3 * DAY, None, None])
        if said is not None:
            first = at + dice.choice([0, 0, 25])
            pauses.append(Pause(said, first, end))
        at = end + dice.randrange(5 * HOUR, 5 * DAY)
    return dead, pauses


def _files(dice: random.Random, time: Season, dead: list[tuple[int, int]]) -> list[File]:
    """Files of up to half an hour while the hall is open and the camera alive; what a broken network keeps comes later."""
    broken = [(at, at + dice.randrange(HOUR, 5 * HOUR)) for at in dice.sample(range(DAYS * DAY), 4)]
    files: list[File] = []
    lives = [
        time.open_before[minute + 1] > time.open_before[minute] and not any(a <= minute < b for a, b in dead)
        for minute in range(DAYS * DAY)
    ]
    minute, arrived = 0, 0
    while minute < len(lives):
        if not lives[minute]:
            minute += 1
            continue
        end = minute + 1
        while end < len(lives) and lives[end] and end - minute < 30:
            end += 1
        arrives = end + dice.randrange(1, 4)
        arrives = max([arrives, *(until for begin, until in broken if begin <= arrives < until)])
        arrived = max(arrived, arrives)
        files.append(File(minute, end, arrived))
        minute = end
    return files


def _hours(dice: random.Random, made: Source, files: list[File]) -> None:
    """Each hour's recording is archived soon, late, or never."""
    hours: dict[int, list[File]] = {}
    for file in files:
        hours.setdefault(file.start // HOUR * HOUR, []).append(file)
    for hour, parts in hours.items():
        name = block_recording_id(SOURCE, made.wall(hour), 3600)
        for number, file in enumerate(parts):
            made.land(file.arrives, number, name, file.start, file.end, ends="next_block")
        here, at = max(parts[-1].arrives, hour + HOUR), hour + HOUR + DAY
        fate = dice.choices(["soon", "late", "never", "store"], [94, 3, 2, 1])[0]
        if fate == "store" and not any(a < at + 6 * HOUR and here - HOUR < b for a, b in made.outages):
            made.store_out(here - dice.randrange(0, 30), at + 5 * HOUR)
        done = {"soon": here + 10, "never": None}.get(fate, at + 5 * HOUR)
        if done is not None:
            made.receipt(done, len(parts), name, parts[-1].end, parts[0].arrives)
        if done is None or done > at:
            made.misses[name] = "?"  # told when all outages are known
    for name, (here, at) in {
        block_recording_id(SOURCE, made.wall(hour), 3600): (max(parts[-1].arrives, hour + HOUR), hour + HOUR + DAY)
        for hour, parts in hours.items()
    }.items():
        if name in made.misses:
            made.misses[name] = made.held_up_by(here, at)


def _owed(time: Season, pauses: list[Pause], start: int, end: int, heard_by: int) -> list[int]:
    """The minutes the camera owed, by the pauses that were stated by then."""
    return [
        minute
        for minute in range(start, end)
        if time.open_before[minute + 1] > time.open_before[minute]
        and not any(pause.start <= minute < pause.end for pause in pauses if pause.said <= heard_by)
    ]


def _missing_hours(made: Source, time: Season, files: list[File], pauses: list[Pause]) -> None:
    """Hours in which the camera owed something and of which no file exists."""
    recorded = {file.start // HOUR for file in files}
    for hour in range(END // HOUR - 25):
        if hour not in recorded:
            begin = hour * HOUR
            if len(_owed(time, pauses, begin, begin + HOUR, begin + HOUR + DAY)) > PATIENCE:
                made.misses[block_recording_id(SOURCE, made.wall(begin), 3600)] = "not_docked"


def _silences(time: Season, files: list[File], pauses: list[Pause]) -> list[Silence]:
    known, found = 0, []
    for file in files:
        if file.start - known > PATIENCE:
            owed = _owed(time, pauses, known, file.start, file.arrives)
            if len(owed) > PATIENCE:
                found.append(Silence(owed[0], file.start, len(owed)))
        known = max(known, file.end)
    owed = _owed(time, pauses, known, END, END)
    if len(owed) > PATIENCE:
        found.append(Silence(owed[0], None, len(owed)))
    return found


# -- a body camera -------------------------------------------------------------------------------------------------------


def body(dice: random.Random, time: Season) -> Source:
    made, day = Source("body_camera", time.start), 0
    for begin in sorted(dice.sample(range(DAYS), 2)):
        if dice.random() < 0.7:
            made.store_out(begin * DAY + dice.randrange(DAY), begin * DAY + DAY + dice.randrange(30 * HOUR))
    while day < DAYS:
        day = _shift(dice, made, day)
    return made


def _shift(dice: random.Random, made: Source, day: int) -> int:
    """One day's work of a device; returns the next day it can be handed out."""
    at = day * DAY + dice.randrange(30)
    back = at + 10 * HOUR
    issue = Issue(at=made.wall(at), officer="0471", due_back=made.wall(back), source_kind="body_camera")
    made.note(at, "issued", issue=issue)
    fate = dice.choices(["same", "late", "never", "nothing", "card"], [80, 8, 1, 7, 4])[0]
    name = handout_id(made.wall(at))
    if fate == "nothing":
        made.note(back, "returned", returned=Return(at=made.wall(back), officer="0471", recorded=False))
        return day + 1
    if fate == "card":
        made.note(back - HOUR, "returned", returned=Return(at=made.wall(back - HOUR), officer="0471"))
        made.misses[name] = "transfer"
        return day + 1
    if fate in ("late", "never"):
        made.misses[name] = "not_docked"
    if fate == "never":
        return DAYS
    docked = back + (40 * HOUR if fate == "late" else dice.randrange(-2 * HOUR, HOUR))
    made.note(docked, "returned", returned=Return(at=made.wall(docked), officer="0471"))
    for number in range(dice.randint(1, 2)):
        end = at + (number + 1) * 3 * HOUR + dice.randrange(HOUR)
        stands = fate == "late" and number == 0
        _session(dice, made, f"shift-{day}-{number}", end, docked + 2 + number * 20, fate == "late", stands)
    return day + (4 if fate == "late" else 1)


def _session(dice: random.Random, made: Source, name: str, end: int, docked: int, late: bool, stands: bool) -> None:
    """One session: its files, its end, its receipt and its case, each in time or not."""
    files = dice.randint(1, 3)
    wrong = 0 if late else dice.choice([0] * 12 + [3 * DAY, -40 * DAY])
    claim = end + wrong
    for number in range(files):
        made.land(docked + number, number, name, claim - 50, claim - 40 * (number + 1 < files))
    last = docked + files - 1
    slow = not late and not wrong and dice.random() < 0.05
    ended = docked + 31 * HOUR if slow else last + 5
    made.say(ended, session_ended(f"end-{name}", files, made_at=made.wall(ended), recording_id=RecordingId(name)))
    at = (docked if slow else min(claim, docked)) + DAY
    straggler = not late and not wrong and not slow and dice.random() < 0.06
    done = dice.choice([ended + 10] * 14 + [ended + 30 * HOUR, None])
    if done is not None:
        made.receipt(done, files, name, claim, docked)
    here = max(last, ended)
    if straggler and done == ended + 10:
        here = ended + 2 * HOUR
        made.land(here, files, name, claim - 40, claim)
        done = dice.choice([here + 10, None])
        if done is not None:
            made.receipt(done, files + 1, name, claim, docked, revision=2)
    told = dice.choice([docked - 9 * HOUR] * 4 + [docked + HOUR] * 8 + [docked + 50 * HOUR, None])
    if told is not None:
        made.say(told, metadata(f"case-{name}", made_at=made.wall(told), recording_id=RecordingId(name)))
    in_time = done is not None and told is not None and max(done, told) <= at
    if stands or in_time:
        return
    if wrong:
        made.misses[name] = "clock"
    elif docked > at:
        made.misses[name] = "not_docked"
    elif done is not None and done <= at:
        made.misses[name] = "metadata"
    elif ended > at:
        made.misses[name] = "transfer"
    else:
        made.misses[name] = made.held_up_by(here, at)


# -- the stage -----------------------------------------------------------------------------------------------------------


class Stage:
    """The stage of one source in a worker that dies and hears things twice."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.state = SourceDeadlines(source_id=SOURCE)
        self.past: list[Heard] = []
        self.changes: list[DeadlineChanged | SilenceChanged] = []

    def hear(self, *events: Heard) -> None:
        for event in events:
            self.past.append(event)
            self.state, changes = step(self.state, event, POLICY)
            self.changes += changes

    def restart(self) -> None:
        self.state = codec.load_state(SourceDeadlines, codec.dump_state(self.state))
        self.hear(*self.past[-3:])

    def sweep(self, now: int) -> None:
        self.hear(*due({SOURCE: self.state}, WallMs(now), POLICY))


def news(dice: random.Random, made: Source) -> list[tuple[int, Heard]]:
    """When the stage hears what, in milliseconds: each topic in order, each piece of news up to 50 s late."""
    heard: list[tuple[int, Heard]] = []
    announcements = 0
    for kind in (SegmentLanded, Annotation, RecordingArchived):
        arrives = 0
        for minute, event in sorted(
            (item for item in made.said if isinstance(item[1], kind)), key=lambda item: item[0]
        ):
            arrives = max(arrives, made.wall(minute) + dice.randrange(50_000))
            if isinstance(event, SegmentLanded):
                announcements += 1
                event = replace(event, announcement=announcements)
            heard.append((arrives, event))
    return sorted(heard, key=lambda item: item[0])


def live(dice: random.Random, made: Source) -> Stage:
    """The month, from a worker's side."""
    stage, heard, at, now = Stage(dice), news(dice, made), 0, made.start
    while now < made.start + END * MIN:
        now = min(now + dice.choice([15, 30, 60, 60, 60, 5 * HOUR]) * MIN, made.start + END * MIN)
        while at < len(heard) and heard[at][0] <= now:
            stage.hear(heard[at][1])
            at += 1
        if dice.random() < 0.04:
            stage.restart()
        stage.sweep(now - (2 * HOUR * MIN if dice.random() < 0.03 else 0))
    stage.sweep(now)
    return stage


def found_silences(made: Source, stage: Stage) -> list[Silence]:
    """What was told of silences longer than the camera may be silent: those that are over, and the one that is open."""
    closed = [
        Silence((c.since - made.start) // MIN, ((c.until or 0) - made.start) // MIN, c.size_ms // MIN)
        for c in stage.changes
        if isinstance(c, SilenceChanged) and c.state == "closed" and c.size_ms > PATIENCE * MIN
    ]
    since = stage.state.camera.silent_since
    return closed if since is None else [*closed, Silence((since - made.start) // MIN, None, -1)]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_month_is_told_as_it_was(seed: int) -> None:
    dice = random.Random(seed)
    time = season(seed % 3)

    for made in (hall(dice, time), body(dice, time), body(dice, time)):
        stage = live(dice, made)

        missed = [c for c in stage.changes if isinstance(c, DeadlineChanged) and c.state == "missed"]
        assert {str(c.recording_id): c.cause for c in missed} == made.misses
        assert len(missed) == len(made.misses)
        truth = [silence if silence.until is not None else silence._replace(size=-1) for silence in made.silences]
        assert found_silences(made, stage) == truth
