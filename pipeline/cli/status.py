"""``unbroken status``: what runs, what waits, the next deadline. The first thing to look at, at any hour."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from pipeline.cli.quarantine import held, waiting
from pipeline.domain.docket import DeadlineChanged
from pipeline.domain.time import to_rfc3339
from pipeline.settings import WORKER_PORTS, Settings
from pipeline.wire import topics
from pipeline.wire.reports import Reported
from pipeline.wire.topics import Topic

STAGES: Final[Mapping[str, tuple[str, tuple[Topic, ...]]]] = {
    "probe": ("media", (topics.LANDED,)),
    "continuity": ("ledger", (topics.PROBED, topics.ANNOTATION)),
    "chain": ("ledger", (topics.JUDGED,)),
    "checkpoint": ("ledger", (topics.LINK, topics.CHECKPOINT_DUE)),
    "stitch": ("ledger", (topics.LINK,)),
    "archive": ("ledger", (topics.STITCHED,)),
    "deadline": ("ledger", (topics.LANDED, topics.ANNOTATION, topics.STITCHED, topics.ARCHIVED)),
    "keeping": ("ledger", (topics.ANNOTATION,)),
    "breach": ("ledger", (topics.DEADLINE,)),
}
"""Which worker carries a stage, and what it reads."""

PORTS: Final[Mapping[str, tuple[int, ...]]] = {name: (port, port + 10) for name, port in WORKER_PORTS.items()}
"""Where workers answer on this machine: the first of a kind, and a second one."""


def register(app: typer.Typer) -> None:
    """Add the ``status`` command."""
    app.command("status")(status)


def status(
    as_json: Annotated[bool, typer.Option("--json", help="The same as JSON (schemas/status.v1).")] = False,
) -> None:
    """Say what runs, what waits and what is due next; exit 1 if no ready worker of a kind answers."""
    found = look(Settings())
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    else:
        for line in in_words(found):
            Console(highlight=False, soft_wrap=True).print(line)
    if {worker["name"] for worker in found["workers"] if worker["ready"]} != set(PORTS):
        raise typer.Exit(1)


def look(settings: Settings) -> dict[str, Any]:
    """Everything ``status`` shows, in the shape of ``schemas/status.v1``."""
    from pipeline.cli.catalogue import recordings

    known = recordings(settings)
    ports = {**PORTS, **({"ledger": (settings.worker_port,)} if settings.worker_port else {})}
    return {
        "workers": [
            _worker(name, port) for name, numbers in ports.items() for port in numbers if _wanted(port, numbers)
        ],
        "stages": asyncio.run(_stages(settings)),
        "recordings": standings(known),
        "deadlines": _deadlines([reported.deadline for reported in known if reported.deadline is not None]),
    }


def standings(known: Sequence[Reported]) -> dict[str, int]:
    """How many recordings are open, ended and on their way, archived; none of them is left out for being zero."""
    found = Counter("archived" if one.archived else "pending" if one.ended else "open" for one in known)
    return {name: found[name] for name in ("open", "pending", "archived")}


def _deadlines(changes: list[DeadlineChanged]) -> dict[str, Any]:
    states = Counter(change.state for change in changes)
    ahead = [change for change in changes if change.state in ("expected", "tracked", "at_risk")]
    first = min(ahead, key=lambda change: change.at, default=None)
    return {
        "tracked": states["tracked"] + states["expected"],
        "at_risk": states["at_risk"],
        "missed": states["missed"] + states["late"],
        "next": first and {"recording_id": first.recording_id, "at": to_rfc3339(first.at), "state": first.state},
    }


async def _stages(settings: Settings) -> list[dict[str, Any]]:
    from pipeline.adapters.kafka_topics import progress

    quarantined = waiting(await held(settings))
    rows = []
    for stage, (group, read) in STAGES.items():
        names = [settings.topic(topic.name) for topic in read]
        lags = await progress(settings, f"{settings.topic_prefix}-{group}", names)
        rows.append({"name": stage, "lag": sum(item.lag for item in lags), "quarantined": quarantined[stage]})
    return rows


def _wanted(port: int, numbers: tuple[int, ...]) -> bool:
    """The first worker of a kind is always shown; a second one only when it answers."""
    return port == numbers[0] or _ask(port) is not None


def _worker(name: str, port: int) -> dict[str, Any]:
    answer = _ask(port)
    detail = {None: f"nobody answers on port {port}", False: "partitions are being assigned or loaded"}.get(answer)
    return {"name": name, "ready": answer is True, "detail": detail}


def _ask(port: int) -> bool | None:
    """What a worker on *port* says of itself; ``None`` when nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError:
        return False
    except OSError:
        return None


def in_words(found: Mapping[str, Any]) -> list[str]:
    """The same for people: workers, then what waits, then what is due."""
    lines = []
    for worker in found["workers"]:
        remedy = (
            ""
            if worker["ready"] or "nobody" not in worker["detail"]
            else f"; start it: unbroken worker {worker['name']}"
        )
        lines.append(f"worker {worker['name']:<7} {'ready' if worker['ready'] else worker['detail'] + remedy}")
    for stage in found["stages"]:
        waiting = f"{stage['lag']} inputs waiting" if stage["lag"] else "nothing waiting"
        set_aside = f", {stage['quarantined']} in quarantine: unbroken quarantine list" if stage["quarantined"] else ""
        lines.append(f"stage  {stage['name']:<11} {waiting}{set_aside}")
    held, due = found["recordings"], found["deadlines"]
    lines.append(
        f"recordings: {held['open']} open, {held['pending']} on their way to the archive, {held['archived']} archived"
    )
    following = due["next"]
    lines.append(
        "next deadline: " + (f"{following['at']} for {following['recording_id']}" if following else "none open")
    )
    if due["missed"]:
        lines.append(f"deadlines missed: {due['missed']}; `unbroken recordings` names them")
    return lines
