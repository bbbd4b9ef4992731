"""``unbroken rebuild``: every state topic found again from the data topics, and compared with the running state or restored."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any, Final, NamedTuple

import typer

from pipeline.adapters.kafka_log import read_partition
from pipeline.adapters.kafka_topics import committed, members
from pipeline.adapters.salts import load_salt_key
from pipeline.agents.restore import Partition, Row, Standing, pure_stages, stand, write
from pipeline.agents.state_log import Loaded
from pipeline.cli import rebuild_archive
from pipeline.cli.printable import printable
from pipeline.domain.errors import Misconfigured
from pipeline.domain.replay import Difference
from pipeline.policy import load_policy
from pipeline.settings import Settings
from pipeline.wire import topics

_GROUP: Final = "ledger"
_READ: Final = (
    topics.LANDED,
    topics.PROBED,
    topics.JUDGED,
    topics.ANNOTATION,
    topics.LINK,
    topics.CHECKPOINT_DUE,
    topics.STITCHED,
    topics.ARCHIVED,
    topics.DEADLINE,
)
_SHOWN: Final = 5
"""Differences of one state that are told one by one; JSON has all."""


class Found(NamedTuple):
    """One state beside its replay, and whether it was put right."""

    standing: Standing
    written: bool


def register(app: typer.Typer) -> None:
    """Add the ``rebuild`` command."""
    app.command("rebuild")(rebuild)


def rebuild(
    write_it: Annotated[
        bool,
        typer.Option("--write/--compare", help="Restore what is not equal (stop the workers first), or only compare."),
    ] = False,
    archive: Annotated[
        bool, typer.Option("--from-archive", help="The broker lost its topics: take all from the archive instead.")
    ] = False,
    unsealed: Annotated[
        bool,
        typer.Option("--unsealed", help="With --from-archive: go on from links too that no key of ours answers for."),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="The same as JSON (schemas/rebuild-report.v1, rebuild-archive-report.v1).")
    ] = False,
) -> None:
    """Fold every topic anew and say of each stage and source whether the running state is what must follow from it.

    Exit codes: 0 all equal, or restored; 1 something is not, or contradicts itself in the archive; 2 workers run while it
    should be written, or the broker has a history of its own; 3 a service does not answer. What is NOT COVERED (its
    history is no longer on the broker) does not change the code.
    """
    settings = Settings()
    if write_it:
        asyncio.run(_refuse_while_working(settings))
    if archive:
        _from_archive(settings, write_it, unsealed, as_json)
        return
    found = asyncio.run(look(settings, writing=write_it))
    if as_json:
        typer.echo(json.dumps([report(one) for one in found], indent=2, ensure_ascii=False))
    else:
        for line in in_words(found):
            typer.echo(line)
    if any(one.standing.word not in ("equal", "not covered") and not one.written for one in found):
        raise typer.Exit(1)


def _from_archive(settings: Settings, write_it: bool, unsealed: bool, as_json: bool) -> None:
    found = rebuild_archive.from_archive(settings, writing=write_it, unsealed=unsealed)
    if as_json:
        typer.echo(json.dumps(rebuild_archive.report(found, written=write_it), indent=2, ensure_ascii=False))
    else:
        for line in rebuild_archive.in_words(found, written=write_it):
            typer.echo(line)
    if any(one.faults for one in found):
        raise typer.Exit(1)


async def _refuse_while_working(settings: Settings) -> None:
    group = f"{settings.topic_prefix}-{_GROUP}"
    if busy := await members(settings, group):
        raise Misconfigured(
            f"state is written only while no ledger worker runs: {busy} found in group {group}; stop them, and wait ten "
            "seconds for one that was killed"
        )


async def look(settings: Settings, *, writing: bool = False) -> list[Found]:
    """Every state beside its replay; with *writing*, what is not equal is restored."""
    salt_key = load_salt_key(settings.salt_key_file, settings.state)
    stages = pure_stages(settings, load_policy(settings.policy), salt_key)
    done = await committed(settings, f"{settings.topic_prefix}-{_GROUP}")
    found = []
    for number in range(settings.topic_partitions):
        # The running state first: what the topics hold when they are read later includes everything it rests on.
        states = await read_partition(settings.kafka, [str(stage.state_topic) for stage in stages.values()], number)
        kept = await read_partition(settings.kafka, [settings.topic(topic.name) for topic in _READ], number)
        part = Partition(
            number=number,
            rows={
                topic: [Row(r.offset, r.timestamp, r.key, r.value, tuple(r.headers)) for r in held.records]
                for topic, held in kept.items()
            },
            begins={topic: held.begin for topic, held in kept.items()},
            committed={topic: offset for (topic, at), offset in done.items() if at == number},
        )
        for stage in stages.values():
            log = Loaded()
            for record in states[str(stage.state_topic)].records:
                if record.key is not None and record.value is not None:
                    log.add(record.key, record.value)
            standings = list(stand(stage, settings, part, log))
            count = await write(stage, settings, part, log, standings) if writing else 0
            found += [Found(one, bool(count and one.record)) for one in standings]
    return found


def report(found: Found) -> dict[str, Any]:
    """One state as ``schemas/rebuild-report.v1`` has it."""
    one = found.standing
    return {
        "stage": one.stage,
        "source_id": one.source,
        "partition": one.partition,
        "state": one.word.replace(" ", "_"),
        "why": one.why or None,
        "differences": [each._asdict() for each in one.differences],
        "written": found.written,
    }


def in_words(found: Sequence[Found]) -> list[str]:
    """The same for people: what is not equal with both sides, then how many of each stage are."""
    lines = []
    for one, written in found:
        if one.word == "equal":
            continue
        lines.append(printable(f"{one.word.upper():<11} {one.stage} of {one.source}: {one.why or 'see below'}"))
        lines += [_difference(each) for each in one.differences[:_SHOWN]]
        if len(one.differences) > _SHOWN:
            lines.append(f"    and {len(one.differences) - _SHOWN} more; --json names them all")
        if written:
            lines.append("    restored")
    counts = Counter(one.stage for one, _ in found), Counter(one.stage for one, _ in found if one.word == "equal")
    lines += [f"{stage:<11} {counts[1][stage]} of {number} states equal" for stage, number in counts[0].items()]
    restored, open_ = sum(written for _, written in found), sum(_is_open(one) for one in found)
    if restored:
        lines.append(f"{restored} states restored; start the workers, then compare again: unbroken rebuild")
    elif open_:
        lines.append("to restore: stop the workers (unbroken worker), then unbroken rebuild --write")
    return lines or ["no state and nothing to make one of: the topics are empty"]


def _difference(each: Difference) -> str:
    return printable(f"    {each.place}: running {each.running or 'nothing'}, rebuilt {each.rebuilt or 'nothing'}")


def _is_open(found: Found) -> bool:
    return found.standing.record is not None and not found.written
