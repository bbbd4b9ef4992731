"""``unbroken rebuild --from-archive``: after a lost broker, every source's states and links from the archive alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from pipeline.adapters.kafka_log import never_written
from pipeline.adapters.objects_s3 import open_store
from pipeline.adapters.salts import load_salt_key
from pipeline.adapters.signing import trusted_keys, verify
from pipeline.agents.restart import restart
from pipeline.agents.restore import pure_stages
from pipeline.cli.printable import printable
from pipeline.domain.annotation import Annotation
from pipeline.domain.errors import Misconfigured
from pipeline.domain.identity import SourceId
from pipeline.domain.policy import Policy
from pipeline.domain.rebuild import Rebuilt, rebuild
from pipeline.policy import load_policy
from pipeline.settings import Settings
from pipeline.steps.recall import Recalled, known, recalled, source_statements
from pipeline.wire import topics


class Restored(NamedTuple):
    """A source as the archive knows it. ``open``: recordings whose chain goes beyond what is archived; ``left_out``: links
    that are not gone on from; ``faults``: what contradicts itself, recording by recording."""

    source_id: SourceId
    recordings: int
    open: int
    links: int
    left_out: int
    faults: tuple[str, ...]
    rebuilt: Rebuilt


def from_archive(settings: Settings, *, writing: bool, unsealed: bool) -> list[Restored]:
    """What the archive knows of every source; with *writing*, an empty broker is given it. *unsealed*: links count that
    nobody answers for."""
    policy = load_policy(settings.policy)
    if writing:
        asyncio.run(_refuse_unless_empty(settings))
    found = list(_sources(settings, policy, unsealed))
    if writing:
        stages = pure_stages(settings, policy, load_salt_key(settings.salt_key_file, settings.state))
        asyncio.run(restart(settings, stages, {one.source_id: one.rebuilt for one in found}, policy))
    return found


async def _refuse_unless_empty(settings: Settings) -> None:
    judged = settings.topic(topics.JUDGED.name)
    if not await never_written(settings.kafka, judged, settings.topic_partitions):
        raise Misconfigured(
            f"this broker has a history of its own, which must not be mixed with the archive's: {judged} was written to. "
            "Of lost states only: unbroken rebuild --write. If workers ran on the empty broker: delete the topics, "
            "`unbroken topics apply`, then this again"
        )


def _sources(settings: Settings, policy: Policy, unsealed: bool) -> Iterator[Restored]:
    store = open_store(settings)
    said: dict[SourceId, list[Annotation]] = {}
    for one in source_statements(store, settings.records):
        said.setdefault(one.source_id, []).append(one)
    found = recalled(store, settings.records, trusted_keys(settings), verify, unsealed=unsealed)
    for source, mine in groupby(found, key=lambda one: one.source_id):
        yield _source(source, list(mine), said.pop(source, []), policy)
    for source, statements in sorted(said.items()):
        yield _source(source, [], statements, policy)


def _source(source: SourceId, mine: Sequence[Recalled], said: Sequence[Annotation], policy: Policy) -> Restored:
    chains = [chain for one in mine if (chain := known(one)) is not None]
    used = sum(len(entry.links) for chain in chains for entry in chain.entries)
    return Restored(
        source_id=source,
        recordings=len(chains),
        open=sum(len(chain.entries) > chain.archived for chain in chains),
        links=used,
        left_out=sum(len(one.chain.links) for one in mine) - used,
        faults=tuple(
            f"{one.recording_id}: link {fault.seq}: expected {fault.expected}, found {fault.found}"
            for one in mine
            for fault in one.chain.faults
        ),
        rebuilt=rebuild(source, chains, said, policy),
    )


def report(found: Sequence[Restored], *, written: bool) -> list[dict[str, Any]]:
    """As ``schemas/rebuild-archive-report.v1`` has it."""
    return [
        {
            "source_id": one.source_id,
            "recordings": one.recordings,
            "open": one.open,
            "links": one.links,
            "left_out": one.left_out,
            "position": one.rebuilt.continuity.position,
            "latest_close": one.rebuilt.chain.previous,
            "faults": list(one.faults),
            "written": written,
        }
        for one in found
    ]


def in_words(found: Sequence[Restored], *, written: bool) -> list[str]:
    """The same for people."""
    lines = []
    for one in found:
        left = f", {one.left_out} links of items cut in half or behind a contradiction left out" if one.left_out else ""
        lines.append(f"{one.source_id}: {one.recordings} recordings, {one.open} open, {one.links} links{left}")
        lines += [f"    CONTRADICTS {fault}" for fault in one.faults]
    if not found:
        lines.append("the archive holds nothing yet: workers may start on empty topics")
    elif written:
        lines.append("written; next: unbroken reconcile --announce --write, then start the workers (docs/recovery.md)")
    else:
        lines.append("to be written to an empty broker: stop the workers, then the same with --write")
    return [printable(line) for line in lines]
