"""Duty: what a fixed camera owes by its schedule, and how long it has been silent (articles 3 and 8).

What is owed is the time on duty less the pauses stated for it (maintenance). Two things follow:

1. A block of time in which a camera owed a recording and of which nothing was heard is expected, and so has a deadline,
   without a file. Every block is looked at once, some time after its end.
2. A camera on duty that has not been known to record for longer than its schedule allows is silent. That is said when it
   begins, it grows while it lasts, and it is over when something recorded later arrives; nothing of this depends on when a
   timer looked. How much was missing in the end is the account's business: files may arrive late and fill it.

What is known to be recorded follows from the claims of its files, never beyond their arrival; a claim more than a month
before it is a clock that fell back, and then the arrival counts. Before its first schedule nothing is asked of a camera.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple

from pipeline.domain.annotation import Annotation, is_repeat, mark
from pipeline.domain.identity import SourceId, SourceKind, label, source_id
from pipeline.domain.landing import SegmentLanded
from pipeline.domain.policy import Policy
from pipeline.domain.schedule import Schedule, length, on_duty
from pipeline.domain.spans import joined, without
from pipeline.domain.time import WallMs

CLOCK_PAST_MS: Final = 30 * 24 * 3600 * 1000
"""A claim this long before a file was first seen is a clock that fell back to its factory date."""
MAX_PAUSES: Final = 128
MAX_SCHEDULES: Final = 8
MAX_HEARD_BLOCKS: Final = 2048

_BEGINNING: Final = WallMs(0)

SilenceState = Literal["open", "closed", "explained"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceChanged:
    """A camera fell silent, was heard again, or is silent no more because a pause or new hours explain it.

    ``since``: the first instant it owed and is not known to have recorded. ``size_ms``: what it owed from then to
    ``changed_at``, or to ``until``, when it recorded again.
    """

    source_id: SourceId
    source_kind: SourceKind
    unit: str
    since: WallMs
    state: SilenceState
    changed_at: WallMs
    size_ms: int
    until: WallMs | None = None

    def __post_init__(self) -> None:
        source_id(self.source_id)
        label(self.unit, "unit")
        if self.size_ms < 0:
            raise ValueError(f"a silence is not shorter than nothing, found {self.size_ms} ms")


class Stated(NamedTuple):
    """A schedule and when it was stated, by which annotation; the last one counts."""

    made_at: WallMs
    annotation_id: str
    schedule: Schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """What is remembered of a source's duty. ``unit`` and ``since`` are ``None`` while no schedule was stated.

    ``since``: from when on something is asked of it. ``recorded_until``: the last instant it is known to have recorded.
    ``accounted_until``: blocks that ended before were looked at. ``heard_blocks``: starts of later blocks that something
    was heard of. ``silent_since``: set while it is silent.
    """

    unit: str | None = None
    stated: tuple[Stated, ...] = ()
    pauses: tuple[tuple[int, int], ...] = ()
    since: WallMs | None = None
    recorded_until: WallMs = _BEGINNING
    accounted_until: WallMs = _BEGINNING
    heard_blocks: tuple[int, ...] = ()
    silent_since: WallMs | None = None


def owed(camera: Camera, start: int, end: int) -> list[tuple[int, int]]:
    """When the camera has to record between two instants."""
    if camera.since is None:
        return []
    asked = on_duty([item.schedule for item in camera.stated], max(start, camera.since), end)
    return list(without(asked, joined(camera.pauses)))


# -- what is heard -------------------------------------------------------------------------------------------------------


def with_schedule(camera: Camera, said: Annotation, policy: Policy) -> Camera:
    """*camera* with one more schedule; a repeat changes nothing. Raises :class:`StatementDiffers`."""
    assert said.schedule is not None
    known = [item.schedule for item in camera.stated if item.annotation_id == said.annotation_id]
    if is_repeat(said, [mark(replace(said, schedule=schedule)) for schedule in known]):
        return camera
    stated = sorted(
        [*camera.stated, Stated(said.made_at, said.annotation_id, said.schedule)], key=lambda item: item[:2]
    )
    since = camera.since
    begins = WallMs(max(said.made_at, said.schedule.valid_from))
    if since is None or begins < since:
        since = begins
    block_ms = policy.block_s * 1000
    first_block = WallMs(-(-since // block_ms) * block_ms)
    return replace(
        camera,
        unit=said.unit,
        stated=tuple(stated[-MAX_SCHEDULES:]),
        since=since,
        accounted_until=max(camera.accounted_until, first_block) if camera.since is not None else first_block,
    )


def with_pause(camera: Camera, start: WallMs, end: WallMs) -> Camera:
    """*camera* with one more time in which nothing is asked of it."""
    if start >= end or (start, end) in camera.pauses:
        return camera
    return replace(camera, pauses=tuple(sorted({*camera.pauses, (int(start), int(end))})[-MAX_PAUSES:]))


def with_file(camera: Camera, landed: SegmentLanded, policy: Policy) -> Camera:
    """*camera* with what a file says it recorded."""
    start, end = recorded(landed)
    block_ms = policy.block_s * 1000
    block = start - start % block_ms
    blocks = camera.heard_blocks
    if camera.since is not None and block >= camera.accounted_until and block not in blocks:
        blocks = tuple(sorted((*blocks, block)))[-MAX_HEARD_BLOCKS:]
    return replace(camera, recorded_until=max(camera.recorded_until, end), heard_blocks=blocks)


def recorded(landed: SegmentLanded) -> tuple[WallMs, WallMs]:
    """From when to when a file was recorded as far as it says, by our clock and not beyond its arrival."""
    arrived = landed.received_at
    offset = landed.clock_offset_ms or 0
    claims = [claim.at - offset for claim in (landed.claimed_start, landed.claimed_end) if claim is not None]
    bounded = [WallMs(min(at, arrived)) for at in claims if at >= max(0, arrived - CLOCK_PAST_MS)]
    return (bounded[0], bounded[-1]) if bounded else (arrived, arrived)


# -- what follows --------------------------------------------------------------------------------------------------------


def accountable_until(camera: Camera, now: int, policy: Policy) -> WallMs:
    """The blocks before this instant have ended long enough ago to be looked at."""
    block_ms = policy.block_s * 1000
    settled = now - policy.next_block_grace_s * 1000 - _patience_ms(camera)
    return WallMs(max(camera.accounted_until, settled - settled % block_ms))


def is_expected(camera: Camera, block: int, policy: Policy) -> bool:
    """Whether a recording of the block that starts at *block* must exist: the camera owed more in it than it may be silent,
    else a file that began in the block before may hold all of it."""
    return length(owed(camera, block, block + policy.block_s * 1000)) > _patience_ms(camera)


def account_blocks(camera: Camera, now: WallMs, policy: Policy) -> tuple[Camera, tuple[WallMs, ...]]:
    """Look at the blocks that have ended; returns the starts of those a recording is expected of and nothing was heard."""
    if camera.since is None:
        return camera, ()
    until = accountable_until(camera, now, policy)
    starts = range(camera.accounted_until, until, policy.block_s * 1000)
    heard = set(camera.heard_blocks)
    missing = tuple(WallMs(start) for start in starts if start not in heard and is_expected(camera, start, policy))
    later = tuple(start for start in camera.heard_blocks if start >= until)
    return replace(camera, accounted_until=until, heard_blocks=later), missing


def is_silent(camera: Camera, now: int) -> bool:
    """Whether the camera owes more, since it is last known to have recorded, than it may be silent."""
    if camera.since is None or now - camera.recorded_until <= _patience_ms(camera):
        return False
    return length(owed(camera, camera.recorded_until, now)) > _patience_ms(camera)


def silent_ms(camera: Camera, now: int) -> int:
    """How long the silence that is open has lasted, time on duty alone."""
    return 0 if camera.silent_since is None else length(owed(camera, camera.silent_since, now))


def notice_silence(
    camera: Camera, source: SourceId, kind: SourceKind | None, now: WallMs
) -> tuple[Camera, tuple[SilenceChanged, ...]]:
    """At *now*, by the timer or because what is asked of the camera changed: a silence begins, or is explained, perhaps in
    part: what is left of it then begins later."""
    since = WallMs(owed(camera, camera.recorded_until, now)[0][0]) if is_silent(camera, now) else None
    if since == camera.silent_since:
        return camera, ()
    changes: tuple[SilenceChanged, ...] = ()
    if camera.silent_since is not None:
        changes += _changed(camera, source, kind, camera.silent_since, "explained", now, now)
    if since is not None:
        changes += _changed(camera, source, kind, since, "open", now, now)
    return replace(camera, silent_since=since), changes


def end_silence(before: Camera, after: Camera, landed: SegmentLanded) -> tuple[Camera, tuple[SilenceChanged, ...]]:
    """A file arrived: a silence is over when it recorded anything after its beginning. One that was over before anybody
    looked is told all the same."""
    if before.since is None or after.recorded_until == before.recorded_until:
        return after, ()
    start = recorded(landed)[0]
    missed = owed(before, before.recorded_until, start)
    since = before.silent_since
    if since is None:
        if length(missed) <= _patience_ms(before):
            return after, ()
        since = WallMs(missed[0][0])
    elif after.recorded_until <= since:
        return after, ()
    until = WallMs(max(since, start))
    changes = _changed(before, landed.source_id, landed.source_kind, since, "closed", landed.received_at, until)
    return replace(after, silent_since=None), changes


def _changed(
    camera: Camera,
    source: SourceId,
    kind: SourceKind | None,
    since: WallMs,
    state: SilenceState,
    now: WallMs,
    until: WallMs,
) -> tuple[SilenceChanged, ...]:
    assert camera.unit is not None
    change = SilenceChanged(
        source_id=source,
        source_kind=kind or kind_of(camera),
        unit=camera.unit,
        since=since,
        state=state,
        changed_at=now,
        size_ms=length(owed(camera, since, until)),
        until=until if state == "closed" else None,
    )
    return (change,)


def _patience_ms(camera: Camera) -> int:
    return camera.stated[-1].schedule.silent_after_s * 1000


def kind_of(camera: Camera) -> SourceKind:
    """The kind its schedule states."""
    return camera.stated[-1].schedule.source_kind
