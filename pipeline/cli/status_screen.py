"""The screen of ``unbroken status``: what needs somebody comes first, what is not known comes last with its reason.

It is read at three in the morning by somebody who was asleep: times are told as how far from now, idle stages share a line,
and what is to be done stands beside what is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pipeline.cli.recordings import awaited_in_words
from pipeline.domain.time import WallMs, from_rfc3339
from pipeline.settings import WORKER_PORTS

_UNKNOWN: Final = "NOT KNOWN"
_NAMED: Final = 10
"""Silent cameras are named up to this many: a power cut must not push everything else off the screen."""


def in_words(found: Mapping[str, Any], now: WallMs) -> list[str]:
    """The same for people: first what needs somebody, then workers, what waits, what is due, what was missed, and last what
    is not known and why."""
    told, kept, store = found["gaps"], found["quarantine"], found["store"]
    lines = [*headline(found), *(_worker_in_words(worker) for worker in found["workers"])]
    lines += _stages_in_words(found["stages"])
    lines += _recordings_in_words(found["recordings"], found["deadlines"], now)
    if told is None:
        lines.append(f"gaps: {_UNKNOWN}")
    else:
        where = "; `unbroken gaps` names them" if any(told.values()) else ""
        counts = (
            f"{told['unexplained']} unexplained, {told['to_review']} to review, {told['open']} that may still close"
        )
        lines.append(f"gaps: {counts}{where}")
    lines += _cameras_in_words(found["cameras"], now)
    look = "; `unbroken quarantine list` says why" if kept and kept["waiting"] else ""
    lines.append(f"quarantine: {_UNKNOWN if kept is None else str(kept['waiting']) + ' waiting'}{look}")
    if store is None:
        lines.append(f"store locks: {_UNKNOWN}" + ("" if _away(found, "store") else "; try them: unbroken doctor worm"))
    else:
        tried = f"when tried {_from_now(store['tried_at'], now)}"
        follows = "DID NOT HOLD {}; nothing is archived, see `unbroken doctor worm`"
        lines.append(f"store locks: {'held {}' if store['passed'] else follows}".format(tried))
    lines.append(_verified_in_words(found))
    return lines + [f"{_UNKNOWN} {gone['what']}: {gone['why']}" for gone in found["not_known"]]


def headline(found: Mapping[str, Any]) -> list[str]:
    """What somebody has to do now, and what can wait for the day; or that nothing does."""
    due, told, cameras, kept, store, verified = (
        found[name] for name in ("deadlines", "gaps", "cameras", "quarantine", "store", "verified")
    )
    ready = {worker["name"] for worker in found["workers"] if worker["ready"]}
    now = [f"no {name} worker is ready" for name in WORKER_PORTS if name not in ready]
    now += [
        f"the {one['name']} worker waits: {one['detail']}" for one in found["workers"] if one["ready"] and one["detail"]
    ]
    gone = ", ".join(gone["what"] for gone in found["not_known"])
    now += [f"{_UNKNOWN}, see below: {gone}"] if gone else []
    now += [f"{due['at_risk']} at risk of missing the deadline"] if due and due["at_risk"] else []
    now += ["the store's locks did not hold"] if store and not store["passed"] else []
    now += [f"{verified['failures']} FAILURES in the archive"] if verified and verified["failures"] else []
    later = [f"{due['missed_today']} missed today"] if due and due["missed_today"] else []
    later += [f"{len(cameras['silent'])} cameras silent"] if cameras and cameras["silent"] else []
    later += [f"{kept['waiting']} in quarantine"] if kept and kept["waiting"] else []
    later += [f"{told['unexplained']} gaps unexplained"] if told and told["unexplained"] else []
    later += [f"{told['to_review']} explanations to review"] if told and told["to_review"] else []
    lines = [f"NEEDS SOMEBODY NOW: {'; '.join(now)}"] if now else []
    lines += [f"for the day: {'; '.join(later)}"] if later else []
    return lines or ["all in order, nothing waits for anybody"]


def _away(found: Mapping[str, Any], what: str) -> bool:
    """Whether it could not be asked, as against never having been done."""
    return any(gone["what"] == what for gone in found["not_known"])


def _cameras_in_words(cameras: Mapping[str, Any] | None, now: WallMs) -> list[str]:
    if cameras is None:
        return [f"cameras silent: {_UNKNOWN}"]
    silent = cameras["silent"]
    named = [f"  {one['source_id']} of {one['unit']}, since {_from_now(one['since'], now)}" for one in silent[:_NAMED]]
    more = [f"  and {len(silent) - _NAMED} more: --json names all"] if len(silent) > _NAMED else []
    return [f"cameras silent: {len(silent) or 'none'}", *named, *more]


def _verified_in_words(found: Mapping[str, Any]) -> str:
    verified = found["verified"]
    if verified is None:
        never = "" if _away(found, "verified") else "; no turn of the ledger worker's verification is on record"
        return f"archive verified: {_UNKNOWN}{never}"
    failed = (
        f", {verified['failures']} FAILURES: see UnbrokenVerifyFailed in the runbook" if verified["failures"] else ""
    )
    rises = "" if verified["fresh"] == verified["parts"] else " (it takes that long to come round for the first time)"
    return f"archive verified: {verified['fresh']} of {verified['parts']} parts read back in the policy's time{rises}{failed}"


def _worker_in_words(worker: Mapping[str, Any]) -> str:
    remedy = (
        "" if worker["ready"] or "nobody" not in worker["detail"] else f"; start it: unbroken worker {worker['name']}"
    )
    waits = f"; waits: {worker['detail']}" if worker["detail"] else ""
    return f"worker {worker['name']}: {'ready' + waits if worker['ready'] else worker['detail'] + remedy}"


def _stages_in_words(stages: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line for each that has something to tell; the rest together."""
    idle = [stage["name"] for stage in stages if (stage["lag"], stage["quarantined"]) == (0, 0)]
    unknown = [stage["name"] for stage in stages if (stage["lag"], stage["quarantined"]) == (None, None)]
    lines = [
        f"stage {stage['name']}: "
        + (_UNKNOWN if stage["lag"] is None else f"{stage['lag']} waiting" if stage["lag"] else "nothing waiting")
        + (f", {stage['quarantined']} in quarantine" if stage["quarantined"] else "")
        for stage in stages
        if stage["name"] not in (*idle, *unknown)
    ]
    lines += [f"stages {', '.join(unknown)}: {_UNKNOWN}"] if unknown else []
    return lines + ([f"stages {', '.join(idle)}: nothing waiting"] if idle else [])


def _recordings_in_words(held: Mapping[str, Any] | None, due: Mapping[str, Any] | None, now: WallMs) -> list[str]:
    counts = held and (
        f"{held['open']} open, {held['pending']} on their way to the archive, {held['archived']} archived"
    )
    lines = [f"recordings: {counts or _UNKNOWN}"]
    if due is None:
        return [*lines, f"deadlines: {_UNKNOWN}"]
    lines.append(f"deadlines: {due['at_risk']} at risk, {due['missed_today']} missed today, {due['tracked']} open")
    following, oldest = due["next"], due["oldest"]
    lines.append(f"next deadline: {_due_in_words(following, now) if following else 'none open'}")
    if oldest != following:
        lines.append(f"oldest not complete: {_due_in_words(oldest, now) if oldest else 'none'}")
    if due["missed"]:
        lines.append(f"deadlines missed in all: {due['missed']}; `unbroken sla report` says why and whom to ask")
    return lines


def _due_in_words(due: Mapping[str, Any], now: WallMs) -> str:
    """When, which one, and what it waits for; a word of the command that gives it case data."""
    waits = awaited_in_words(due)
    told = f"{due['recording_id']} {_from_now(due['at'], now)}" + (f": {waits}" if waits else "")
    remedy = f"; `unbroken describe {due['recording_id']} --source {due['source_id']}`" if due["missing_fields"] else ""
    return ("MISSED " if due["state"] == "missed" else "") + told + remedy


def _from_now(at: str, now: WallMs) -> str:
    """An instant as people ask for it: how far from now, then which."""
    away_min = (from_rfc3339(at) - now) // 60_000
    hours, minutes = divmod(abs(away_min), 60)
    size = f"{hours} h {minutes} min" if hours else f"{minutes} min"
    return f"{f'in {size}' if away_min >= 0 else f'{size} ago'} ({at[:16].replace('T', ' ')} UTC)"
