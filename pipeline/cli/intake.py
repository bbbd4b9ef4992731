"""What ``import``, ``watch`` and ``record`` share: the words for a source, and a connector wired to its services."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Final, TypeVar, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from pipeline.adapters.buckets import check_buckets
from pipeline.adapters.clock import SystemClock
from pipeline.adapters.kafka_topics import check_topics
from pipeline.adapters.objects_s3 import open_store
from pipeline.adapters.signing import known_keys, verify
from pipeline.connectors.announcer import announcing
from pipeline.connectors.clearing import Clearing
from pipeline.connectors.folder import Intake, Row, Session
from pipeline.connectors.journal import open_journal
from pipeline.connectors.names import PROFILES
from pipeline.domain.errors import Misconfigured
from pipeline.domain.identity import RecordingId, SourceId, SourceKind, label, recording_id, source_id
from pipeline.domain.landing import Ends
from pipeline.policy import load_policy
from pipeline.settings import Settings
from pipeline.steps.worm import KeptTrust

T = TypeVar("T")
ZONE: Final = "Asia/Shanghai"
_KINDS: Final = get_args(SourceKind)


def _source(text: str) -> SourceId:
    return _parsed(lambda: source_id(text))


def _recording(text: str) -> RecordingId:
    return _parsed(lambda: recording_id(text))


def _unit(text: str) -> str:
    return _parsed(lambda: label(text, "unit"))


def _kind(text: str) -> str:
    if text not in _KINDS:
        raise typer.BadParameter(f"expected one of {', '.join(_KINDS)}, found {text!r}")
    return text


def _profile(text: str) -> str:
    if text not in PROFILES:
        raise typer.BadParameter(f"expected one of {', '.join(PROFILES)}, found {text!r}")
    return text


def _zone(text: str) -> str:
    try:
        return ZoneInfo(text).key
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise typer.BadParameter(f"expected a time zone like {ZONE}, found {text!r}") from exc


def _parsed(parse: Callable[[], T]) -> T:
    try:
        return parse()
    except ValueError as exc:
        raise typer.BadParameter(str(exc)) from exc


Source = Annotated[str, typer.Option("--source", callback=_source, help="The source's id: one device or camera.")]
Unit = Annotated[str, typer.Option("--unit", callback=_unit, help="The unit that answers for the source.")]
Kind = Annotated[str, typer.Option("--kind", callback=_kind, help=f"What it is: {', '.join(_KINDS)}.")]
ProfileName = Annotated[
    str,
    typer.Option(
        "--profile",
        callback=_profile,
        help="How its files are named: " + "; ".join(f"{p.name}: {p.about}" for p in PROFILES.values()) + ".",
    ),
]
Clear = Annotated[
    bool,
    typer.Option(
        "--clear", help="Remove each file once a verified receipt lists its bytes and the store confirms the lock."
    ),
]
ReceiptKey = Annotated[
    list[Path] | None,
    typer.Option(
        "--key", help="Public receipt key for --clear, PEM; again for each key. Default: those in the state folder."
    ),
]
Zone = Annotated[str, typer.Option("--zone", callback=_zone, help="Time zone of times in names that do not end in Z.")]


def session(
    settings: Settings,
    *,
    source: str,
    unit: str,
    kind: str,
    ends: Ends,
    profile: str = "auto",
    zone: str = ZONE,
    recording: str | None = None,
    patience_s: float | None = 60,
) -> Session:
    """The session these words describe, with policy's numbers."""
    policy = load_policy(settings.policy)
    return Session(
        source_id=SourceId(source),
        kind=kind,  # type: ignore[arg-type]  # one of the words, checked when the command line was read
        unit=unit,
        ends=ends,
        profile=PROFILES[profile],
        zone=ZoneInfo(zone),
        bucket=settings.originals,
        block_s=policy.block_s,
        retention_s=policy.provisional_retention_s,
        recording=None if recording is None else _recording(recording),
        patience_s=patience_s,
    )


@asynccontextmanager
async def open_intake(
    settings: Settings,
    wanted: Session,
    on_row: Callable[[Row], None],
    on_sent: Callable[[int], None] = lambda _size_bytes: None,
) -> AsyncIterator[Intake]:
    """The folder connector of a source, with its services checked; raises what says which one is not as it must be."""
    if differences := (*await check_topics(settings), *check_buckets(settings)):
        raise Misconfigured(
            f"{' | '.join(differences)}; `unbroken topics apply` and `unbroken store apply` make what is missing"
        )
    with open_journal(settings.state / "journals", wanted.source_id, "folder") as journal:
        store, clock = open_store(settings, on_sent), SystemClock()
        trust = KeptTrust(store, settings.records, clock, settings.worm_probe_s)
        async with announcing(settings) as announcer:
            intake = Intake(store, trust, journal, announcer, clock, wanted, on_row)
            try:
                yield intake
            finally:
                intake.close()


def receipt_keys(settings: Settings, files: Sequence[Path]) -> dict[str, bytes]:
    """The keys to check receipts with before anything is cleared; raises :class:`Misconfigured` if there are none."""
    keys = known_keys(files, settings.state)
    if not keys:
        raise Misconfigured("nothing can be cleared without the public receipt key: give it with --key")
    return keys


def clearing(settings: Settings, intake: Intake, keys: dict[str, bytes]) -> Clearing:
    """What clears the files that *intake* brought in."""
    return Clearing(
        store=intake.store,
        journal=intake.journal,
        clock=intake.clock,
        source_id=intake.session.source_id,
        records=settings.records,
        keys=keys,
        signed=verify,
    )
