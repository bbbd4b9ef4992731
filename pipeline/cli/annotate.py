"""``unbroken describe|explain|review|end|schedule``: what a person says about a recording, sent as it is said.

Statements are never edited: saying something again, differently, is a new statement beside the old one, and the last said
counts. What is wrong with one is said in English or Chinese (``--lang``), all of it at once, and nothing is sent.
"""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal, cast, get_args

import typer

from pipeline.adapters.clock import SystemClock
from pipeline.cli.terms import language
from pipeline.domain.annotation import Annotation, ReasonCode
from pipeline.domain.canonical import Json, digest
from pipeline.domain.dictionary import key_of
from pipeline.domain.keeping import CLASS_FIELD
from pipeline.domain.statement import Language, in_words, incomplete
from pipeline.domain.time import WallMs, from_rfc3339, to_rfc3339
from pipeline.policy import load_policy
from pipeline.settings import Settings
from pipeline.wire.codec import encode
from pipeline.wire.statements import take

_SHOWN_BY: Final[Mapping[str, str]] = {
    "metadata": "in a moment `unbroken recordings {recording}` shows what its deadline still waits for",
    "explanation": "in a moment `unbroken gaps --source {source}` shows what it explains",
}
"""Where whoever said something sees that it was heard: nobody is told of a name that was mistyped."""
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


def spelt(text: str) -> str:
    """A time as statements spell it; what is none stays as it is, for the rules to refuse by field, rule and article."""
    try:
        return to_rfc3339(instant(text))
    except typer.BadParameter:
        return text


Recording = Annotated[str, typer.Argument(help="The recording's id, as `unbroken recordings` shows it.")]
Source = Annotated[str, typer.Option("--source", help="The source's id.")]
By = Annotated[
    str, typer.Option("--by", default_factory=getpass.getuser, help="Who says so.", show_default="login name")
]
Start = Annotated[str, typer.Option("--start", parser=spelt, metavar="TIME", help="ISO 8601 with zone.")]
End = Annotated[str, typer.Option("--end", parser=spelt, metavar="TIME", help="ISO 8601 with zone.")]
Voice = Annotated[str | None, typer.Option(parser=spelt, metavar="TIME", help="Where the reason is spoken.")]
Lang = Annotated[str, typer.Option("--lang", callback=language, help="Language of messages: en or zh.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be sent and send nothing.")]


def register(app: typer.Typer) -> None:
    """Add ``describe``, ``explain``, ``review``, ``end`` and ``schedule``."""
    for command in (describe, explain, review, end, schedule):
        app.command(command.__name__)(command)


def describe(
    recording: Recording,
    source: Source,
    by: By,
    case_name: Annotated[str | None, typer.Option(help="The case's name.")] = None,
    party: Annotated[str | None, typer.Option(help="The other party's name.")] = None,
    recorded_date: Annotated[str | None, typer.Option(help="The day it was recorded, YYYY-MM-DD.")] = None,
    retention_class: Annotated[
        str | None, typer.Option(help="How long the case's file is kept (article 12), by a name of the policy.")
    ] = None,
    extra: Annotated[
        list[str] | None, typer.Option(help="A further field, NAME=VALUE; a name of docs/explain.md; repeatable.")
    ] = None,
    unit: Annotated[str | None, typer.Option(help="The unit, whose own mandatory fields are then asked for.")] = None,
    lang: Lang = "en",
    dry_run: DryRun = False,
) -> None:
    """Give a recording its case data (article 9); with its retention class, everything archived of it is kept as long."""
    data = {"case_name": case_name, "party_name": party, "recorded_date": recorded_date}
    pairs = [list(_pair(text)) for text in extra or []]
    pairs += [] if retention_class is None else [[CLASS_FIELD, retention_class]]
    body = {**data, "extra": pairs}
    say(raw("metadata", source, recording, by, unit=unit, metadata=body), lang, dry_run=dry_run)


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
    lang: Lang = "en",
    dry_run: DryRun = False,
) -> None:
    """Say why a recording has a gap (article 8)."""
    body = {
        "gap_start": start,
        "gap_end": end,
        "reason": reason,
        "text": text,
        "voice_start": voice_start,
        "voice_end": voice_end,
    }
    say(raw("explanation", source, recording, by, explanation=body), lang, dry_run=dry_run)


def review(
    recording: Recording,
    source: Source,
    by: By,
    explanation: Annotated[
        str, typer.Option("--of", help="The explanation, as `unbroken gaps --json` names it (explained_by).")
    ],
    accept: Annotated[bool, typer.Option("--accept/--reject", help="Whether it explains the gap.")],
    note: Annotated[str | None, typer.Option(help="Why, in words.")] = None,
    lang: Lang = "en",
    dry_run: DryRun = False,
) -> None:
    """Say whether somebody else's explanation holds (article 8): R9, or a matter that must not be interrupted."""
    extra = [["reviewed_explanation", explanation], ["review_result", "accepted" if accept else "rejected"]]
    extra += [["review_note", note]] if note is not None else []
    say(raw("metadata", source, recording, by, metadata={"extra": extra}), lang, dry_run=dry_run)


def end(
    recording: Recording,
    source: Source,
    by: By,
    expected: Annotated[int | None, typer.Option(min=0, help="How many files were sent for it.")] = None,
    lang: Lang = "en",
    dry_run: DryRun = False,
) -> None:
    """Say that no more files are expected for a recording."""
    body = {"reason": "declared", "expected_segments": expected}
    say(raw("session_ended", source, recording, by, ended=body), lang, dry_run=dry_run)


def schedule(
    source: Source,
    by: By,
    start: Start,
    end: End,
    reason: Annotated[str, typer.Option(help="Why the source does not record then, in a few words.")],
    lang: Lang = "en",
    dry_run: DryRun = False,
) -> None:
    """Say that a source is planned not to record for a while."""
    body = {"start": start, "end": end, "reason": reason}
    say(raw("schedule_window", source, None, by, window=body), lang, dry_run=dry_run)


def raw(
    kind: Literal["metadata", "explanation", "session_ended", "schedule_window", "issued", "returned"],
    source: str,
    recording: str | None,
    by: str,
    **more: Json,
) -> dict[str, Any]:
    """The statement; its id follows from all that it says, by whom and when, so that no other statement can have it."""
    now = SystemClock().now()
    return {
        "annotation_id": f"said-{digest([kind, source, recording, by, str(now), more])[:32]}",
        "kind": kind,
        "source_id": source,
        "recording_id": recording,
        "made_at": to_rfc3339(now),
        "made_by": by,
        **more,
    }


def say(statement: Mapping[str, Any], lang: str, *, dry_run: bool) -> None:
    """Send *statement* unless something is wrong with it; says what, in *lang*, and exits 2 then."""
    policy = load_policy(Settings().policy)
    taken = take(statement, from_rfc3339(statement["made_at"]), policy)
    about_review = any(
        pair[0] == "reviewed_explanation" for pair in (statement.get("metadata") or {}).get("extra") or []
    )
    rest = () if taken.annotation is None or about_review else incomplete(statement, policy)
    for one in (*taken.said, *rest):
        typer.echo(in_words(one, cast(Language, lang)), err=True)
    if taken.annotation is None:
        raise typer.Exit(2)
    if dry_run:
        typer.echo(encode(taken.annotation).decode())
        return
    asyncio.run(_send(taken.annotation))
    typer.echo(f"sent {taken.annotation.kind} {taken.annotation.annotation_id}")
    if shown := _SHOWN_BY.get("explanation" if about_review else taken.annotation.kind):
        typer.echo(shown.format(recording=taken.annotation.recording_id, source=taken.annotation.source_id))


async def _send(annotation: Annotation) -> None:
    from pipeline.connectors.announcer import announcing  # only those who say something need the broker's client

    async with announcing(Settings()) as announcer:
        await announcer.annotation(annotation)


def _pair(text: str) -> tuple[str, str]:
    name, found, value = text.partition("=")
    if not found or not name:
        raise typer.BadParameter(f"expected NAME=VALUE, found {text!r}", param_hint="--extra")
    return key_of(name), value
