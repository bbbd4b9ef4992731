"""Random days: whatever the interleaving, the restarts and the repeats, each deadline's outcome is the truth's.

Truth is computed by hand from what happened and when; the stage hears of it over three topics that interleave as they
like within the minute the timer waits for news, from workers that die and start again from what was written down, and
with a timer that may sleep for hours.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain.annotation import Annotation
from pipeline.domain.archive import RecordingArchived
from pipeline.domain.deadline import step
from pipeline.domain.docket import DeadlineChanged, SourceDeadlines
from pipeline.domain.identity import RecordingId, SourceId
from pipeline.domain.landing import Ends, SegmentLanded
from pipeline.domain.outlook import due
from pipeline.domain.time import WallMs
from pipeline.wire import codec
from tests.builders import SOURCE, T0, claimed, landed, metadata, policy, session_ended
from tests.builders_archive import archived

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
POLICY = policy()
NEWS_MS = 55_000
"""How long news may take; less than the minute the timer waits."""

Event = SegmentLanded | Annotation | RecordingArchived


@dataclass
class Shift:
    """One body camera session as it happened, and what must come of it."""

    recording: RecordingId
    events: list[tuple[WallMs, Event]] = field(default_factory=list)
    at: int = 0
    done: int | None = None

    def outcome(self, horizon: int) -> list[str]:
        if self.done is not None and self.done <= self.at:
            return ["met"]
        if self.done is not None:
            return ["missed", "late"]
        return ["missed"] if horizon > self.at + MINUTE else []


def shift(dice: random.Random, number: int, start: int) -> Shift:
    """A session of one to six files, docked minutes or days later, archived and described soon, late or never."""
    made = Shift(RecordingId(f"shift-{number}"))
    files, ends = dice.randint(1, 6), dice.choice(["declared", "declared", "idle"])
    wrong_ms = dice.choice([0, 0, 0, 0, 3 * DAY, -40 * DAY])
    docked = start + files * HOUR + dice.choice([MINUTE, HOUR, 10 * HOUR, 30 * HOUR])
    received = [docked + index * dice.randint(1000, MINUTE) * files for index in range(files)]
    for index, at in enumerate(sorted(received)):
        made.events.append((WallMs(at), file_of(made.recording, index, start + wrong_ms, at, ends)))
    last = max(received)
    ended = last + dice.choice([1000, 10 * MINUTE])
    end = start + wrong_ms + files * HOUR
    bound = max(received) if ends == "idle" else min(received)
    made.at = min(end, bound) + DAY
    made.events.append((WallMs(ended), session_ended(f"end-{number}", files, made_at=WallMs(ended), **named(made))))
    stored = ended + dice.choice([MINUTE, HOUR, 26 * HOUR])
    described = docked + dice.choice([-9 * HOUR, HOUR, 20 * HOUR, 50 * HOUR])
    fates = dice.choice(["both", "both", "both", "stored", "described"])
    if fates != "described":
        receipt = archived(
            files,
            source_kind="body_camera",
            archived_at=WallMs(stored),
            first_received_at=WallMs(min(received)),
            ended_at=WallMs(end),
            **named(made),
        )
        made.events.append((WallMs(stored), receipt))
    if fates != "stored":
        made.events.append((WallMs(described), metadata(f"case-{number}", made_at=WallMs(described), **named(made))))
    made.done = max(stored, described) if fates == "both" else None
    return made


def named(made: Shift) -> dict[str, Any]:
    return {"recording_id": made.recording}


def file_of(recording: RecordingId, index: int, start: int, received: int, ends: str) -> SegmentLanded:
    kind: Ends = "idle" if ends == "idle" else "declared"
    return landed(
        index,
        source_kind="body_camera",
        recording_id=recording,
        ends=kind,
        received_at=WallMs(received),
        claimed_start=claimed(start + index * HOUR),
        claimed_end=claimed(start + (index + 1) * HOUR),
    )


def news(dice: random.Random, shifts: list[Shift]) -> list[tuple[int, Event]]:
    """When the stage hears what: each topic in its own order, each piece of news up to a minute late."""
    heard: list[tuple[int, Event]] = []
    count = 0
    for kind in (SegmentLanded, Annotation, RecordingArchived):
        topic = sorted(
            (item for made in shifts for item in made.events if isinstance(item[1], kind)), key=lambda item: item[0]
        )
        arrives = 0
        for at, event in topic:
            arrives = max(arrives, at + dice.randint(0, NEWS_MS))
            if isinstance(event, SegmentLanded):
                count += 1
                event = replace(event, announcement=count)
            heard.append((arrives, event))
    return sorted(heard, key=lambda item: item[0])


class Stage:
    """The stage with its state written down after every event, as a worker that may die would have it."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.kept = codec.dump_state(SourceDeadlines(source_id=SOURCE))
        self.past: list[Event] = []
        self.changes: list[DeadlineChanged] = []

    @property
    def state(self) -> SourceDeadlines:
        return codec.load_state(SourceDeadlines, self.kept)

    def hear(self, event: Event) -> None:
        self.past.append(event)
        repeats = self.dice.sample(self.past, min(2, len(self.past))) if self.dice.random() < 0.2 else []
        for one in (event, *repeats):
            state, changes = step(self.state, one, POLICY)
            self.kept = codec.dump_state(state)
            self.changes += [change for change in changes if isinstance(change, DeadlineChanged)]

    def sweep(self, now: int) -> None:
        for said in due({SourceId(SOURCE): self.state}, WallMs(now), POLICY):
            self.hear(said)


@settings(max_examples=250, deadline=None, derandomize=True)
@given(st.integers(min_value=0, max_value=1 << 32))
def test_outcomes_equal_the_truth(seed: int) -> None:
    dice = random.Random(seed)
    start = T0 + 60 * DAY
    shifts = [shift(dice, number, start + number * 12 * HOUR) for number in range(dice.randint(1, 6))]
    horizon = start + 12 * DAY
    heard, stage, now = news(dice, shifts), Stage(dice), start
    while now < horizon:
        now += dice.choice([15_000 * 40, HOUR, 9 * HOUR])
        while heard and heard[0][0] <= now:
            stage.hear(heard.pop(0)[1])
        stage.sweep(now)

    for made in shifts:
        changes = [change for change in stage.changes if change.recording_id == made.recording]
        found = [change.state for change in changes if change.state in ("met", "missed", "late")]
        assert found == made.outcome(horizon), (seed, made.recording)
        assert [change.at for change in changes if change.state in ("met", "missed")][:1] == [made.at][: len(found)]
        assert [change.state for change in changes].count("tracked") == 1
