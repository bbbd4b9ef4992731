"""``unbroken status``: what runs, what waits, what is due and what was missed, on one screen, at any hour.

Every part is asked for by itself. What does not answer is NOT KNOWN, with the reason, and is never shown as zero.
"""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Annotated, Any, Final, TypeVar

import typer
from rich.console import Console

from pipeline.adapters.clock import SystemClock
from pipeline.cli.quarantine import held, waiting
from pipeline.cli.status_screen import in_words
from pipeline.domain.canary import CANARY_UNIT
from pipeline.domain.docket import DeadlineChanged, SourceDeadlines
from pipeline.domain.errors import UnbrokenError
from pipeline.domain.identity import RecordingId
from pipeline.domain.policy import Policy
from pipeline.domain.rolling import Verified, is_verified_key, parts, stand, verified_day
from pipeline.domain.time import WallMs, to_rfc3339
from pipeline.domain.worm import is_report_key
from pipeline.policy import load_policy
from pipeline.settings import WORKER_PORTS, Settings
from pipeline.wire import topics
from pipeline.wire.codec import load_state
from pipeline.wire.reports import Awaited, Reported, awaited_report, gap_reports
from pipeline.wire.topics import Topic

T = TypeVar("T")
_READS_AT_ONCE: Final = 8

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
    """Say what runs, what waits, what is due and what was missed. What cannot be asked is NOT KNOWN, never zero; exit 3
    then, and 1 if no ready worker of a kind answers."""
    found = look(Settings())
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    else:
        for line in in_words(found, SystemClock().now()):
            Console(highlight=False, soft_wrap=True).print(line, markup=False)
    if found["not_known"]:
        raise typer.Exit(3)
    if {worker["name"] for worker in found["workers"] if worker["ready"]} != set(PORTS):
        raise typer.Exit(1)


def look(settings: Settings) -> dict[str, Any]:
    """Everything ``status`` shows, in the shape of ``schemas/status.v1``. Nothing that does not answer keeps the rest back."""
    from pipeline.cli.catalogue import read_running, recordings

    policy, today = load_policy(settings.policy), _today(settings)
    not_known: list[dict[str, str]] = []

    def ask(what: str, answer: Callable[[], T]) -> T | None:
        try:
            return answer()
        except UnbrokenError as exc:
            not_known.append({"what": what, "why": str(exc)})
            return None

    with ThreadPoolExecutor() as pool:  # so that what does not answer is waited for once
        asked_lags = pool.submit(ask, "stages", lambda: asyncio.run(_lags(settings)))
        asked_kept = pool.submit(ask, "quarantine", lambda: waiting(asyncio.run(held(settings))))
        asked_store = pool.submit(ask, "store", lambda: _last_try(settings))
        asked_verified = pool.submit(ask, "verified", lambda: _verified(settings, policy))
        running = ask("deadlines", lambda: asyncio.run(read_running(settings)))
        known = None
        if running is None:
            not_known.append({"what": "recordings", "why": "which are open is known from the broker"})
        else:
            known = ask("recordings", lambda: recordings(settings, running=running))
    lags, kept, store = asked_lags.result(), asked_kept.result(), asked_store.result()
    ports = {**PORTS, **({"ledger": (settings.worker_port,)} if settings.worker_port else {})}
    return {
        "workers": [
            _worker(name, port) for name, numbers in ports.items() for port in numbers if _wanted(port, numbers)
        ],
        "stages": rows(lags, kept),
        "recordings": None if known is None else standings(known),
        "deadlines": None if running is None else deadlines(running.changes, today, running.awaited),
        "gaps": None if known is None else gaps([gap for one in known for gap in gap_reports(one, policy)]),
        "cameras": None if running is None else cameras(running.dockets.values()),
        "quarantine": None if kept is None else {"waiting": sum(kept.values())},
        "store": store,
        "verified": asked_verified.result(),
        "not_known": sorted(not_known, key=lambda gone: gone["what"]),
    }


def rows(lags: Mapping[str, int] | None, kept: Mapping[str, int] | None) -> list[dict[str, Any]]:
    """A row for each stage; ``None`` where nobody could be asked."""
    return [
        {
            "name": name,
            "lag": None if lags is None else lags[name],
            "quarantined": None if kept is None else kept.get(name, 0),
        }
        for name in STAGES
    ]


def standings(known: Sequence[Reported]) -> dict[str, int]:
    """How many recordings are open, ended and on their way, archived; none of them is left out for being zero."""
    found = Counter("archived" if one.archived else "pending" if one.ended else "open" for one in known)
    return {name: found[name] for name in ("open", "pending", "archived")}


def gaps(reports: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many gaps are open, unexplained, wait for a review."""
    states, reviews = Counter(gap["state"] for gap in reports), Counter(gap["review"] for gap in reports)
    return {"open": states["open"], "unexplained": states["unexplained"], "to_review": reviews["waiting"]}


def deadlines(
    changes: Iterable[DeadlineChanged], today: tuple[int, int], awaited: Mapping[RecordingId, Awaited]
) -> dict[str, Any]:
    """How the deadlines stand, the canary's left out. ``missed_today``: those that passed today unmet, made up for or not;
    ``oldest``: of what is not archived with its case data, what is or was due first. *awaited*: what open ones wait for."""
    ours = [change for change in changes if change.unit != CANARY_UNIT]
    last = list({(change.source_id, change.recording_id): change for change in ours}.values())
    states = Counter(change.state for change in last)
    answered = {(change.source_id, change.stands_for) for change in last}
    ahead = [change for change in last if change.state in ("expected", "tracked", "at_risk")]
    behind = [change for change in last if change.state == "missed" and change.progress != "archived"]
    behind = [change for change in behind if (change.source_id, change.recording_id) not in answered]
    missed = {
        (change.source_id, change.recording_id)
        for change in ours
        if change.state == "missed" and today[0] <= change.at < today[1]
    }
    return {
        "tracked": states["tracked"] + states["expected"],
        "at_risk": states["at_risk"],
        "missed": states["missed"] + states["late"],
        "missed_today": len(missed),
        "next": _first(ahead, awaited),
        "oldest": _first([*ahead, *behind], awaited),
    }


def _first(changes: Sequence[DeadlineChanged], awaited: Mapping[RecordingId, Awaited]) -> dict[str, Any] | None:
    first = min(changes, key=lambda change: change.at, default=None)
    if first is None:
        return None
    named = {"recording_id": first.recording_id, "source_id": first.source_id}
    waits = awaited_report(awaited.get(first.recording_id))
    return {**named, "at": to_rfc3339(first.at), "state": first.state, **waits}


def _today(settings: Settings) -> tuple[int, int]:
    from pipeline.reporting import zone_of
    from pipeline.steps.sla import day_of

    zone = zone_of(settings)
    return day_of(datetime.fromtimestamp(SystemClock().now() / 1000, zone).date(), zone)


def cameras(states: Iterable[SourceDeadlines]) -> dict[str, Any]:
    """The cameras that have to record by their schedule and are silent, the longest silent first."""
    silent = sorted(
        (state.camera.silent_since, state.source_id, state.camera.unit)
        for state in states
        if state.camera.silent_since is not None
    )
    return {
        "silent": [{"source_id": source, "unit": unit, "since": to_rfc3339(since)} for since, source, unit in silent]
    }


def _last_try(settings: Settings) -> dict[str, Any] | None:
    """What the newest report says of the store's locks; ``None`` when they were never tried."""
    from pipeline.adapters.objects_s3 import S3Objects, open_client

    store = S3Objects(open_client(settings))
    keys = sorted(stat.key for stat in store.list(settings.records, "worm/") if is_report_key(stat.key))
    if not keys:
        return None
    report = json.loads(store.read(settings.records, keys[-1]))
    return {"tried_at": report["tried_at"], "passed": report["passed"]}


def _verified(settings: Settings, policy: Policy) -> dict[str, Any] | None:
    """How much of the archive the rolling verification has read back in the policy's time; ``None`` before its first turn."""
    from pipeline.adapters.objects_s3 import S3Objects, open_client

    now, within_s, store = SystemClock().now(), policy.verify_within_s, S3Objects(open_client(settings))
    first = verified_day(WallMs(now - (within_s + 86_400) * 1000))
    keys = [stat.key for stat in store.list(settings.records, "verified/") if is_verified_key(stat.key)]

    def read(key: str) -> Verified:
        return load_state(Verified, json.loads(store.read(settings.records, key)))

    with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
        records = list(pool.map(read, [key for key in keys if key >= first]))
    if not records:
        return None
    found = stand(records, parts(within_s, settings.verify_turn_s), now, within_s)
    oldest = None if found.oldest_at is None else to_rfc3339(found.oldest_at)
    return {"parts": found.of, "fresh": found.verified, "failures": found.failures, "oldest_at": oldest}


async def _lags(settings: Settings) -> dict[str, int]:
    from pipeline.adapters.kafka_topics import progress

    lags = {}
    for stage, (group, read) in STAGES.items():
        names = [settings.topic(topic.name) for topic in read]
        found = await progress(settings, f"{settings.topic_prefix}-{group}", names)
        lags[stage] = sum(item.lag for item in found)
    return lags


def _wanted(port: int, numbers: tuple[int, ...]) -> bool:
    """The first worker of a kind is always shown; a second one only when it answers."""
    return port == numbers[0] or _ask(port) is not None


def _worker(name: str, port: int) -> dict[str, Any]:
    answer = _ask(port)
    if answer is None:
        return {"name": name, "ready": False, "detail": f"nobody answers on port {port}"}
    if not answer["ready"]:
        return {"name": name, "ready": False, "detail": "partitions are being assigned or loaded"}
    return {"name": name, "ready": True, "detail": "; ".join(answer.get("waits", ())) or None}


def _ask(port: int) -> dict[str, Any] | None:
    """What a worker on *port* says of itself; ``None`` when nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            said: dict[str, Any] = json.load(answer)
            return said
    except urllib.error.HTTPError:
        return {"ready": False}
    except (OSError, ValueError):  # nobody, or no worker of ours
        return None
