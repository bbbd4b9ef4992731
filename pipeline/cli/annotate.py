"""``unbroken describe|explain|end|schedule``: what a person says about a recording, sent as it is said.

Annotations are never edited: saying something again, differently, is a new statement beside the old one.
"""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Final, get_args

import typer

from pipeline.adapters.clock import SystemClock
from pipeline.connectors.announcer import announcing
from pipeline.domain.annotation import (
    Annotation,
    AnnotationKind,
    Explanation,
    Metadata,
    ReasonCode,
    ScheduleWindow,
    SessionEnded,
)
from pipeline.domain.canonical import digest
from pipeline.domain.identity import recording_id, source_id
from pipeline.domain.time import WallMs
from pipeline.settings import Settings

_REASONS: Final = ", ".join(get_args(ReasonCode))


def instant(text: str) -> WallMs:
    """An ISO 8601 time with its zone as milliseconds; raises ``BadParameter`` for one without."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as exc:
        raise typer.BadParameter(f"expected a time like 2026-11-24T08:00:00Z, found {text!r}") from exc
    if at.tzinfo is None:
        raise typer.BadParameter(f"expected a time with its zone, like 2026-11-24T08:00:00Z, found {text!r}")
    return WallMs(round(at.timestamp() * 1000))


Recording = Annotated[str, typer.Argument(help="The recording's id, as `unbroken recordings` shows it.")]
Source = Annotated[str, typer.Option("--source", help="The source's id.")]
By = Annotated[
    str, typer.Option("--by", default_factory=getpass.getuser, help="Who says so.", show_default="login name")
]
Start = Annotated[int, typer.Option("--start", parser=instant, metavar="TIME", help="ISO 8601 with zone.")]
End = Annotated[int, typer.Option("--end", parser=instant, metavar="TIME", help="ISO 8601 with zone.")]
Voice = Annotated[int | None, typer.Option(parser=instant, metavar="TIME", help="Where the reason is spoken.")]


def register(app: typer.Typer) -> None:
    """Add ``describe``, ``explain``, ``end`` and ``schedule``."""
    for command in (describe, explain, end, schedule):
        app.command(command.__name__)(command)


def describe(
    recording: Recording,
    source: Source,
    by: By,
    case_name: Annotated[str | None, typer.Option(help="The case's name.")] = None,
    party: Annotated[str | None, typer.Option(help="The other party's name.")] = None,
    recorded_date: Annotated[str | None, typer.Option(help="The day it was recorded, YYYY-MM-DD.")] = None,
    extra: Annotated[list[str] | None, typer.Option(help="A further field, NAME=VALUE; repeatable.")] = None,
) -> None:
    """Give a recording its case data (article 9)."""
    pairs = tuple(_pair(text) for text in extra or [])
    data = Metadata(case_name=case_name, party_name=party, recorded_date=recorded_date, extra=pairs)
    if data == Metadata():
        raise typer.BadParameter("nothing to say: give at least one field")
    _say(lambda: _annotation("metadata", source, recording, by, metadata=data))


def explain(
    recording: Recording,
    source: Source,
    by: By,
    start: Start,
    end: End,
    reason: Annotated[str, typer.Option(help=f"The reason's code: {_REASONS}.")],
    text: Annotated[str, typer.Option(help="In words; R9 needs it.")] = "",
    voice_start: Voice = None,
    voice_end: Voice = None,
) -> None:
    """Say why a recording has a gap (article 8)."""
    if reason not in get_args(ReasonCode):
        raise typer.BadParameter(f"expected one of {_REASONS}, found {reason!r}", param_hint="--reason")
    if end <= start:
        raise typer.BadParameter("a gap ends after it starts", param_hint="--end")
    body = Explanation(
        gap_start=WallMs(start),
        gap_end=WallMs(end),
        reason=reason,  # type: ignore[arg-type]  # checked above
        text=text,
        voice_start=None if voice_start is None else WallMs(voice_start),
        voice_end=None if voice_end is None else WallMs(voice_end),
    )
    _say(lambda: _annotation("explanation", source, recording, by, explanation=body))


def end(
    recording: Recording,
    source: Source,
    by: By,
    expected: Annotated[int | None, typer.Option(min=0, help="How many files were sent for it.")] = None,
) -> None:
    """Say that no more files are expected for a recording."""
    body = SessionEnded(reason="declared", expected_segments=expected)
    _say(lambda: _annotation("session_ended", source, recording, by, ended=body))


def schedule(
    source: Source,
    by: By,
    start: Start,
    end: End,
    reason: Annotated[str, typer.Option(help="Why the source does not record then, in a few words.")],
) -> None:
    """Say that a source is planned not to record for a while."""
    if end <= start:
        raise typer.BadParameter("a window ends after it starts", param_hint="--end")
    body = ScheduleWindow(start=WallMs(start), end=WallMs(end), reason=reason)
    _say(lambda: _annotation("schedule_window", source, None, by, window=body))


def _annotation(
    kind: AnnotationKind,
    source: str,
    recording: str | None,
    by: str,
    *,
    metadata: Metadata | None = None,
    explanation: Explanation | None = None,
    ended: SessionEnded | None = None,
    window: ScheduleWindow | None = None,
) -> Annotation:
    """The statement; its id follows from who said it when about what, and one person does not type twice in one ms."""
    now = SystemClock().now()
    return Annotation(
        annotation_id=f"said-{digest([kind, source, recording, by, str(now)])[:32]}",
        kind=kind,
        source_id=source_id(source),
        recording_id=None if recording is None else recording_id(recording),
        made_at=now,
        made_by=by,
        metadata=metadata,
        explanation=explanation,
        ended=ended,
        window=window,
    )


def _say(build: Callable[[], Annotation]) -> None:
    """Build and send the statement; what the domain refuses is wrong usage."""
    try:
        annotation = build()
    except ValueError as exc:
        raise typer.BadParameter(str(exc)) from exc
    asyncio.run(_send(annotation))
    typer.echo(f"sent {annotation.kind} {annotation.annotation_id}")


async def _send(annotation: Annotation) -> None:
    async with announcing(Settings()) as announcer:
        await announcer.annotation(annotation)


def _pair(text: str) -> tuple[str, str]:
    name, found, value = text.partition("=")
    if not found or not name:
        raise typer.BadParameter(f"expected NAME=VALUE, found {text!r}", param_hint="--extra")
    return name, value
