"""``python -m pipeline.demo``: the main job, once, on real services and footage whose faults are known.

Needs the local stack (``make up``) and its environment (``infra/local.env``); ``make demo`` does both first. Ends the
workers it started, leaves the stack up, and exits 1 if anything planted was not found, 2 if the job could not be run.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rich.console import Console
from rich.markup import escape

from pipeline.adapters.objects_s3 import open_store
from pipeline.demo import report
from pipeline.demo.footage import Shot, shoot
from pipeline.demo.locks import lock_view
from pipeline.demo.masters import encoded_masters
from pipeline.demo.stand import Stand, StandFailed, port_offset
from pipeline.demo.truth import Truth, differences
from pipeline.domain.errors import UnbrokenError
from pipeline.domain.time import WallMs, from_rfc3339
from pipeline.settings import WORKER_PORTS, Settings

_PAGE = "check.html"
WAIT_S = 90
"""How long the result may take after the last import."""


def main() -> int:
    """Run the demo; returns the exit code."""
    console = Console(width=100 if not sys.stdout.isatty() else min(100, Console().width), highlight=False)
    if not os.environ.get("UNBROKEN_STORE_ACCESS_KEY"):
        console.print("the stack's settings are missing: run `make demo`, or export infra/local.env first")
        return 2
    folder = Settings().state.absolute() / "demo"
    stand = Stand(folder=folder, prefix="demo", ports=WORKER_PORTS)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the workers are ended, too
    began = time.monotonic()
    try:
        with _alone(folder):
            wrong = _run(console, stand)
    except (StandFailed, UnbrokenError) as exc:
        console.print("[bold red]the demo could not be run[/]:", escape(str(exc)), soft_wrap=True)
        return 2
    except KeyboardInterrupt:
        console.print("stopped; nothing that was taken in is lost, and the stack stays up")
        return 130
    finally:
        _end_workers(console, stand)
    _where_next(console, stand)
    if wrong:
        console.print(f"\n[bold red]{wrong} of the planted faults were not reported as planted[/]")
        return 1
    console.print(f"\n[bold green]everything planted was found[/], in {time.monotonic() - began:.0f} s")
    return 0


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the stand for this process; raises :class:`StandFailed` naming the one that has it."""
    with (folder / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            lock.seek(0)
            raise StandFailed(f"another demo is running (pid {lock.read() or 'unknown'}), let it end first") from exc
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _run(console: Console, stand: Stand) -> int:
    """The whole job; returns how many plants were not found as planted."""
    run = secrets.token_hex(2)
    with _step(console, "topics, buckets, workers"):
        stand.prepare()
        for which in stand.ports:
            stand.start(which)
    with _step(console, f"footage of run {run}, from a real encoder"):
        cache = encoded_masters(stand.folder)
        shutil.rmtree(stand.folder / "footage", ignore_errors=True)
        shots = shoot(cache, stand.folder / "footage", WallMs(time.time_ns() // 1_000_000), run)
    with _step(console, "workers ready"):
        for which in stand.ports:
            stand.ready(which)
    today = datetime.now(UTC).date().isoformat()
    for shot in shots:
        with _step(console, f"import {len(shot.files)} file(s) of {shot.source_id}"):
            stand.announce_window(shot)
            stand.bring_in(shot, shot.files, today)
    late = next(shot for shot in shots if shot.late)
    with _step(console, f"{late.source_id}: its session has ended and is archived"):
        before = _wait_archived(stand, late.truths[0])
    with _step(console, f"import {len(late.late)} late file(s) of {late.source_id}"):
        stand.bring_in(late, late.late, today)
    with _step(console, "result"):
        reports = _wait(stand, [truth for shot in shots for truth in shot.truths])
    with _step(console, "the same footage checked without a server: a page for people"):
        footage = os.path.relpath(stand.folder / "footage")
        stand.call("check", "-r", footage, "--report", str(stand.folder / _PAGE), allowed=(0, 1, 3, 4))
    return _show(console, stand, shots, before, reports)


def _show(
    console: Console,
    stand: Stand,
    shots: Sequence[Shot],
    before: Mapping[str, Any],
    reports: Mapping[str, dict[str, Any]],
) -> int:
    """Print the tables; returns how many plants were not found as planted."""
    console.print()
    settings = stand.settings()
    store = open_store(settings)
    late = next(shot for shot in shots if shot.late)
    truths = [truth for shot in shots for truth in shot.truths]
    for truth in truths:
        if found := reports.get(truth.recording_id):
            report.show_recording(console, found, lock_view(store, settings, truth))
    rows = [row for truth in truths for row in _rows(truth, reports.get(truth.recording_id))]
    rows.append(_late_row(late, before, reports.get(late.truths[0].recording_id)))
    report.show_planted(console, rows)
    for truth in truths:
        for line in differences(truth, reports.get(truth.recording_id)):
            console.print(f"[red]{truth.recording_id}[/] {line}")
    return sum(not row.right for row in rows)


def _rows(truth: Truth, found: Mapping[str, Any] | None) -> list[report.Row]:
    whole = not differences(truth, found)
    rows = []
    for plant in truth.plants:
        seen = report.evidence(plant, found)
        rows.append(report.Row(planted=plant.what, found=seen or "not found", right=whole and seen is not None))
    return rows


def _late_row(late: Shot, before: Mapping[str, Any], after: Mapping[str, Any] | None) -> report.Row:
    """The late file's gap was there when the session ended, and is not there any more."""
    gap = late.late_gap
    assert gap is not None
    then, now = (
        [g for g in state["gaps"] if abs(from_rfc3339(g["start"]) - gap.start) <= gap.tolerance_ms]
        for state in (before, after or {"gaps": []})
    )
    found = f"{report.gap_text(then[0])}; closed by it" if then else "no gap before it came"
    return report.Row(
        planted="bwc: one file after the session had ended", found=found, right=bool(then) and not now and bool(after)
    )


def _wait_archived(stand: Stand, truth: Truth) -> Mapping[str, Any]:
    """Wait until the recording is closed and archived for the first time; its report then."""
    deadline = time.monotonic() + WAIT_S
    while True:
        found = stand.recordings().get(truth.recording_id)
        if found is not None and found["chain"]["closed"] and found["archive"]["state"] == "archived":
            return found
        if time.monotonic() > deadline:
            raise StandFailed(f"{truth.recording_id} is not archived after {WAIT_S} s: {found}")
        time.sleep(0.5)


def _wait(stand: Stand, truths: Sequence[Truth]) -> dict[str, dict[str, Any]]:
    """Ask until every report equals the truth or the time is over; the last reports either way."""
    deadline = time.monotonic() + WAIT_S
    while True:
        reports = stand.recordings()
        done = not any(differences(truth, reports.get(truth.recording_id)) for truth in truths)
        if done or time.monotonic() > deadline:
            return reports
        time.sleep(0.5)


@contextmanager
def _step(console: Console, what: str) -> Iterator[None]:
    """One line for one step, with its time."""
    began = time.monotonic()
    yield
    console.print(f"  {what:<72} [dim]{time.monotonic() - began:5.1f} s[/]")


def _end_workers(console: Console, stand: Stand) -> None:
    began = time.monotonic()
    codes = stand.stop()
    bad = {which: code for which, code in codes.items() if code != 0}
    if codes:
        console.print(f"  {'workers ended':<72} [dim]{time.monotonic() - began:5.1f} s[/]")
    if bad:
        console.print(f"[red]workers did not end cleanly: {bad}, see {stand.folder}[/]")


def _where_next(console: Console, stand: Stand) -> None:
    """Write the stand's variables to a file and say what to look at."""
    variables = stand.folder / "env"
    ours = {name: value for name, value in os.environ.items() if name.startswith("UNBROKEN_")} | stand.variables
    lines = [f"{name}={shlex.quote(value)}\n" for name, value in sorted(ours.items())]
    variables.write_text("".join([*lines, f'PATH={shlex.quote(str(Path(sys.executable).parent))}:"$PATH"\n']), "utf-8")
    shown = Path(os.path.relpath(variables))
    query = quote("sum by (stage, result) (last_over_time(unbroken_events_total[1h])) > 0")
    prometheus = f"http://127.0.0.1:{19090 + port_offset()}/graph?g0.tab=1&g0.expr={query}"
    console.print("\n[bold]Where to look next[/]")
    console.print(f"  take the demo's place     set -a; . {shown}; set +a", soft_wrap=True)
    console.print(f"  the footage, as a page    {os.path.relpath(stand.folder / _PAGE)}", soft_wrap=True)
    console.print("  any recording             unbroken recordings ID")
    console.print("  the archive               unbroken store list")
    console.print("  a worker's metrics        unbroken worker ledger &")
    console.print(f"                            curl -s 127.0.0.1:{stand.ports['ledger']}/metrics | grep ^unbroken_")
    console.print("  Prometheus, by stage      " + prometheus, soft_wrap=True)
    console.print(f"  the workers' logs         {os.path.relpath(stand.folder)}/worker-*.log", soft_wrap=True)
    console.print("  stop the stack            make down")


if __name__ == "__main__":
    raise SystemExit(main())
