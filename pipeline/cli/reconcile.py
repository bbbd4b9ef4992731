"""``unbroken reconcile``: connectors' journals, topics and archive held against each other; with ``--announce``, what was put
and never reached the topics is sent again."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import typer

from pipeline.adapters.kafka_log import Kept, read_partition
from pipeline.adapters.objects_s3 import open_store
from pipeline.adapters.signing import trusted_keys, verify
from pipeline.cli.printable import printable
from pipeline.connectors.announcer import announcing
from pipeline.connectors.journal import Written, read_journals
from pipeline.domain.archive import RecordingArchived
from pipeline.domain.errors import BrokerUnavailable, Malformed, Misconfigured, StoreError
from pipeline.domain.landing import SegmentLanded
from pipeline.domain.quarantine import Quarantined, standing
from pipeline.domain.reconcile import (
    Announced,
    Archive,
    Claim,
    Item,
    Journals,
    Receipt,
    Statement,
    Topics,
    Witness,
    claim_of,
    claims_of,
    missing_receipts,
    missing_segments,
    missing_statements,
    reconcile,
)
from pipeline.settings import Settings
from pipeline.steps.recall import recalled
from pipeline.wire import codec, topics
from pipeline.wire.topics import Topic

T = TypeVar("T")
_READ: Final = (topics.LANDED, topics.LINK, topics.ANNOTATION, topics.ARCHIVED, topics.QUARANTINE, topics.DECIDED)
_AT_ONCE: Final = 200
_WORDS: Final = {"act": "DO", "waits": "WAITS", "note": "NOTE", "not_covered": "NOT COVERED"}


@dataclass(slots=True)
class Heard:
    """What the three witnesses said; ``away`` says why one could not be heard."""

    journals: Journals | None = None
    topics: Topics | None = None
    archive: Archive | None = None
    away: dict[Witness, str] = field(default_factory=dict)
    segments: dict[Announced, bytes] = field(default_factory=dict)
    statements: dict[str, bytes] = field(default_factory=dict)
    receipts: dict[Receipt, RecordingArchived] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """What is to be said again, in this order."""

    segments: Sequence[bytes]
    statements: Sequence[bytes]
    receipts: Sequence[RecordingArchived]
    sent: bool = False


def register(app: typer.Typer) -> None:
    """Add the ``reconcile`` command."""
    app.command("reconcile")(reconcile_command)


def reconcile_command(
    announce: Annotated[
        bool, typer.Option("--announce", help="Say what would be sent again from journals and archive.")
    ] = False,
    write: Annotated[bool, typer.Option("--write/--dry-run", help="With --announce: send it.")] = False,
    journals: Annotated[
        list[Path] | None,
        typer.Option(help="Folder with journals, again for each; default: the state folder's `journals`."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as JSON (schemas/reconcile-report.v1).")] = False,
) -> None:
    """Say what was received and is not archived, archived and not announced, announced and not received, and what to do.

    Works while one of the three is away, and says what that leaves open. Exit codes: 0 nothing needs action; 1 something
    does (or did, with --write); 2 wrong usage; 3 nothing else does, but one of the three did not answer.
    """
    settings = Settings()
    heard = hear(settings, journals or [settings.state / "journals"])
    items = reconcile(heard.journals, heard.topics, heard.archive)
    again = None
    if announce:
        again = to_say_again(heard)
        if write:
            again = asyncio.run(_send(settings, again))
    if as_json:
        typer.echo(json.dumps(report(heard, items, again), indent=2, ensure_ascii=False))
    else:
        for line in in_words(heard, items, again):
            typer.echo(line)
    if any(item.level == "act" for item in items):
        raise typer.Exit(1)
    if heard.away:
        raise typer.Exit(3)


def hear(settings: Settings, folders: Sequence[Path]) -> Heard:
    """Ask all three; one that is away does not keep the others from answering."""
    heard = Heard()
    heard.journals = _ask(heard, "journals", lambda: _journals(_written(folders), heard))
    heard.topics = _ask(heard, "topics", lambda: asyncio.run(_topics(settings)))
    heard.archive = _ask(heard, "archive", lambda: _archive(settings, heard))
    return heard


def _ask(heard: Heard, witness: Witness, ask: Callable[[], T]) -> T | None:
    try:
        return ask()
    except (BrokerUnavailable, StoreError, Misconfigured) as exc:
        heard.away[witness] = str(exc)
        return None


def _written(folders: Sequence[Path]) -> list[Written]:
    found = [one for folder in folders for one in read_journals(folder)]
    if not found:
        raise Misconfigured(f"no journals there, --journals names another folder ({', '.join(map(str, folders))})")
    return found


def _journals(written: Sequence[Written], heard: Heard) -> Journals:
    claims: dict[Announced, Claim] = {}
    statements: list[Statement] = []
    for journal in written:
        for item in journal.announcements:
            name, claim = claim_of(codec.decode(topics.LANDED.name, item.value))
            claims[name], heard.segments[name] = claim, item.value
        for value in journal.statements:
            said = codec.decode(topics.ANNOTATION.name, value)
            statements.append(Statement(said.annotation_id, said.source_id, said.recording_id or ""))
            heard.statements[said.annotation_id] = value
    return Journals(
        connectors=frozenset((name.connector, name.source_id) for name in claims),
        claims=claims,
        statements=tuple(statements),
        begun=tuple((journal.source_id, name) for journal in written for name in journal.begun),
    )


async def _topics(settings: Settings) -> Topics:
    """One partition after the other, so that only one is in memory."""
    landed: dict[Announced, Claim] = {}
    linked: dict[Announced, Claim] = {}
    statements: set[str] = set()
    receipts: set[Receipt] = set()
    quarantine: list[Quarantined] = []
    decided: list[Any] = []
    whole = True
    for number in range(settings.topic_partitions):
        kept = await read_partition(settings.kafka, [settings.topic(topic.name) for topic in _READ], number)

        def events(topic: Topic, kept: Mapping[str, Kept] = kept) -> Iterator[Any]:
            for row in kept[settings.topic(topic.name)].records:
                with suppress(Malformed):  # it is in quarantine, and told from there
                    yield codec.decode(topic.name, row.value, tuple(row.headers))

        landed.update(claim_of(event) for event in events(topics.LANDED))
        linked.update(claims_of(events(topics.LINK)))
        statements.update(event.annotation_id for event in events(topics.ANNOTATION))
        receipts.update(map(_receipt, events(topics.ARCHIVED)))
        quarantine += events(topics.QUARANTINE)
        decided += events(topics.DECIDED)
        whole = whole and not any(
            kept[settings.topic(topic.name)].begin for topic in (topics.ANNOTATION, topics.ARCHIVED)
        )
    held = [(_set_aside(one.item, settings), one.decided) for one in standing(quarantine, decided)]
    return Topics(
        landed=landed,
        linked=linked,
        quarantined=frozenset(name for name, decision in held if name and decision is None),
        discarded=frozenset(name for name, decision in held if name and decision and decision.decision == "discarded"),
        statements=frozenset(statements),
        receipts=frozenset(receipts),
        whole=whole,
    )


def _set_aside(item: Quarantined, settings: Settings) -> Announced | None:
    """Which announcement an input in quarantine is about, if it can be read at all."""
    for topic in (topics.LANDED, topics.PROBED):
        if item.topic == settings.topic(topic.name) and item.value_base64 is not None:
            with suppress(Malformed):
                event = codec.decode(topic.name, base64.b64decode(item.value_base64))
                return claim_of(event if isinstance(event, SegmentLanded) else event.landed)[0]
    return None


def _archive(settings: Settings, heard: Heard) -> Archive:
    store = open_store(settings)
    archived: dict[Announced, Claim] = {}
    begun: dict[Announced, Claim] = {}
    faulty: dict[str, str] = {}
    for one in recalled(store, settings.records, trusted_keys(settings), verify):
        archived.update(claims_of(one.chain.links[: one.archived_links]))
        begun.update(claims_of(one.chain.links[one.archived_links :]))
        heard.receipts |= {_receipt(receipt): receipt for receipt in one.receipts}
        if one.chain.faults:
            first = one.chain.faults[0]
            faulty[one.recording_id] = f"link {first.seq}: expected {first.expected}, found {first.found}"
    return Archive(
        archived=archived,
        begun=begun,
        receipts=frozenset(heard.receipts),
        originals={stat.key: stat.size_bytes for stat in store.list(settings.originals, "")},
        faulty=faulty,
        uploads=store.unfinished_uploads(settings.originals),
    )


def _receipt(archived: RecordingArchived) -> Receipt:
    return Receipt(archived.source_id, archived.recording_id, archived.revision)


def to_say_again(heard: Heard) -> Again:
    """What never reached the topics; raises unless all three were heard, because one of them alone decides nothing."""
    if heard.journals is None or heard.topics is None or heard.archive is None:
        why = "; ".join(f"{name}: {text}" for name, text in heard.away.items())
        raise BrokerUnavailable(f"nothing is announced again before journals, topics and archive all answer: {why}")
    segments = missing_segments(heard.journals, heard.topics, heard.archive)
    statements = missing_statements(heard.journals, heard.topics, heard.archive)
    return Again(
        segments=[heard.segments[name] for name in segments],
        statements=[heard.statements[said.annotation_id] for said in statements],
        receipts=[heard.receipts[one] for one in missing_receipts(heard.topics, heard.archive)],
    )


async def _send(settings: Settings, again: Again) -> Again:
    async with announcing(settings) as announcer:
        for first in range(0, len(again.segments), _AT_ONCE):
            await announcer.landed(again.segments[first : first + _AT_ONCE])
        for first in range(0, len(again.statements), _AT_ONCE):
            await announcer.annotations(again.statements[first : first + _AT_ONCE])
        for first in range(0, len(again.receipts), _AT_ONCE):
            await announcer.archived(again.receipts[first : first + _AT_ONCE])
    return replace(again, sent=True)


def report(heard: Heard, items: Sequence[Item], again: Again | None) -> dict[str, Any]:
    """As ``schemas/reconcile-report.v1`` has it."""
    return {
        "away": [{"witness": name, "why": why} for name, why in heard.away.items()],
        "items": [{**asdict(item), "level": item.level, "do": item.do} for item in items],
        "announced": again
        and {
            "segments": len(again.segments),
            "statements": len(again.statements),
            "receipts": len(again.receipts),
            "sent": again.sent,
        },
    }


def in_words(heard: Heard, items: Sequence[Item], again: Again | None) -> list[str]:
    """The same for people, what needs action first."""
    lines = [f"AWAY        {name}: {why}" for name, why in heard.away.items()]
    for item in items:
        numbers = item.numbers and f"announcements {item.numbers} of {item.connector}"
        about = " ".join(part for part in (item.source_id, item.recording_id, numbers) if part)
        what = ": ".join(part for part in (about, "" if item.numbers else item.found) if part)
        lines.append(f"{_WORDS[item.level]:<11} {item.kind.replace('_', ' ')} {what}")
        if item.do:
            lines.append(f"            {item.do}")
    if not items and not heard.away:
        lines.append("journals, topics and archive agree")
    if again is not None:
        verb = "sent again" if again.sent else "to be sent again (--write does it)"
        lines.append(
            f"{verb}: {len(again.segments)} announcements, {len(again.statements)} statements, {len(again.receipts)} receipts"
        )
    return [printable(line) for line in lines]
