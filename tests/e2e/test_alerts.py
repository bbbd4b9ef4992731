"""Alerts as people get them: a day of article 9 in a minute, on real Kafka, store, Prometheus and Alertmanager.

Each is seen twice by the receiver: firing, and resolved when its chapter of the runbook says that it is over. Long, so it
runs with ``make alerts`` only.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pipeline.connectors.announcer import announcing
from pipeline.demo.stand import Stand
from pipeline.domain.annotation import Annotation
from pipeline.domain.identity import SourceId
from pipeline.domain.schedule import Schedule, WeekdayHours, ZoneOffset
from pipeline.domain.time import WallMs, to_rfc3339
from pipeline.settings import Settings
from tests.e2e.conftest import Film, shorten
from tests.e2e.monitor import Monitor
from tests.faults.proxy import Proxy, Request, answer

pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif("UNBROKEN_ALERT_TRIALS" not in os.environ, reason="four minutes; `make alerts`"),
]

DAY_S = 60
PORTS = {"media": 19151, "ledger": 19152}
UNIT = "alert-trials"
MINUTE = DAY_S + 15
"""A deadline and the grace, the sweep and the scrapes after it."""


@dataclass
class Store:
    """The real store as the ledger worker sees it, in one of three moods."""

    mood: str = "honest"

    def __call__(self, request: Request, ask: Callable[[], bytes]) -> bytes:
        if self.mood == "away":
            return answer(503)
        if self.mood == "forgetful" and "retention" in request.query and request.method == "PUT":
            return answer(200)  # says that a shorter lock is fine
        return ask()


@dataclass
class Quick(Stand):
    """An installation whose deadline is a minute and whose ledger reaches the store through a proxy."""

    store_url: str = ""
    more: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        shorten(self, DAY_S)

    @property
    def variables(self) -> dict[str, str]:
        return {**super().variables, "UNBROKEN_SWEEP_S": "1", **self.more}

    def start(self, which: str) -> None:
        self.more = {"UNBROKEN_STORE_URL": self.store_url} if which == "ledger" else {}
        super().start(which)
        self.more = {}


@dataclass
class Trial:
    """Everything one run needs."""

    stand: Quick
    monitor: Monitor
    store: Store
    scratch: Path

    def bring_in(self, name: str, *words: str) -> str:
        """A second of film that nobody has seen, whose end is now; returns its recording's id."""
        made = self.scratch / f"{name}.ts"
        pattern = f"testsrc=size=160x120:rate=10:duration=2,hue=h={secrets.randbelow(360)}"
        command = [
            "ffmpeg",
            "-v",
            "error",
            "-y",
            "-f",
            "lavfi",
            "-i",
            pattern,
            "-metadata",
            f"title={secrets.token_hex(8)}",
        ]
        subprocess.run([*command, "-c:v", "libx264", "-preset", "ultrafast", str(made)], check=True)
        recording = f"{name}-{secrets.token_hex(3)}"
        about = ("--source", f"bwc-{name}", "--unit", UNIT, "--kind", "body_camera", "--recording", recording)
        self.stand.call("import", str(made), *about, *words)
        return recording

    def state_of(self, recording: str) -> str:
        """What the deadline of *recording* says, with its cause."""
        found = self.stand.recordings().get(recording, {}).get("deadline") or {}
        return f"{found.get('state')} {found.get('cause') or ''}".strip()


@pytest.fixture
def trial(tmp_path: Path) -> Iterator[Trial]:
    url = urlsplit(Settings().store_url)
    store = Store()
    with ExitStack() as stack:
        proxy = stack.enter_context(Proxy((url.hostname or "", url.port or 80), lie=store).running())
        stand = Quick(
            folder=tmp_path / "stand",
            prefix=f"alert{secrets.token_hex(3)}",
            ports=PORTS,
            store_url=f"http://127.0.0.1:{proxy.port}",
        )
        stand.prepare()
        stack.callback(stand.stop)
        monitor = stack.enter_context(Monitor(tmp_path / "monitor", list(stand.ports.values()), shrink=86400 // DAY_S))
        yield Trial(stand, monitor, store, tmp_path)


CASE = ("--case-name", "a case", "--party", "a party", "--recorded-date", "2026-11-24")


def test_a_day_of_alerts_is_heard_and_ends(trial: Trial, film: Film) -> None:
    stand, monitor = trial.stand, trial.monitor

    # A store that lets locks be shortened is not trusted; when it does not any more, it is.
    trial.store.mood = "forgetful"
    for which in PORTS:
        stand.start(which)
    for which in PORTS:
        stand.ready(which)
    mistrusted = monitor.wait_for("UnbrokenStoreMistrusted", "firing", 60)
    trial.store.mood = "honest"
    monitor.wait_for("UnbrokenStoreMistrusted", "resolved", 90)

    # A camera on duty says nothing, until a pause is stated. A gap of the hall is unexplained, until one is.
    camera = _on_duty(stand, f"hall-{secrets.token_hex(3)}")
    hall = next(shot for shot in film() if shot.window is not None)
    stand.bring_in(hall, (*hall.files, *hall.late), "2026-11-24")
    undescribed = trial.bring_in("undescribed")
    silent = monitor.wait_for("UnbrokenCameraSilent", "firing", 60, unit=UNIT)
    gap = monitor.wait_for("UnbrokenUnexplainedGap", "firing", 90, unit=hall.unit)
    _pause(stand, camera, int(time.time() * 1000) - 3_600_000, int(time.time() * 1000) + 3_600_000)
    stand.announce_window(hall)
    monitor.wait_for("UnbrokenCameraSilent", "resolved", 60, unit=UNIT)
    monitor.wait_for("UnbrokenUnexplainedGap", "resolved", 60, unit=hall.unit)

    # Nobody describes a recording: at risk before, missed after, and late once somebody does.
    risk = monitor.wait_for("UnbrokenDeadlineAtRisk", "firing", MINUTE, unit=UNIT, source_kind="body_camera")
    missed = monitor.wait_for("UnbrokenDeadlineMissed", "firing", MINUTE, unit=UNIT, cause="metadata")
    monitor.wait_for("UnbrokenDeadlineAtRisk", "resolved", 60, unit=UNIT, source_kind="body_camera")
    monitor.wait_for("UnbrokenDeadlineMissed", "resolved", 60, unit=UNIT, cause="metadata")
    stand.call("describe", undescribed, "--source", "bwc-undescribed", *CASE)
    monitor.wait(lambda: trial.state_of(undescribed).startswith("late"), 30, "late")

    # The store goes away over a deadline: that is the cause, and the first stage that needs it waits.
    trial.store.mood = "away"
    time.sleep(5)  # the ledger believes in an outage after a minute, which is this recording's deadline
    stored = trial.bring_in("stored-nowhere", *CASE)
    outage = monitor.wait_for("UnbrokenDeadlineMissed", "firing", MINUTE + 30, unit=UNIT, cause="store")
    waiting = monitor.wait_for("UnbrokenPartitionWaiting", "firing", 30, stage="stitch")
    trial.store.mood = "honest"
    monitor.wait(lambda: trial.state_of(stored).startswith("late"), 60, "late")
    monitor.wait_for("UnbrokenPartitionWaiting", "resolved", 60, stage="stitch")

    assert risk.at < missed.at
    assert {heard.receiver for heard in (mistrusted, missed, outage)} == {"woken"}
    assert {heard.receiver for heard in (silent, gap, waiting)} == {"desk"}


def test_a_dead_worker_and_a_dead_prometheus_are_noticed_and_no_miss_is_forgotten(trial: Trial) -> None:
    stand, monitor = trial.stand, trial.monitor
    for which in PORTS:
        stand.start(which)
    for which in PORTS:
        stand.ready(which)
    monitor.wait(lambda: "UnbrokenStoreMistrusted" not in monitor.firing(), 60, "store that is trusted")

    # The tracker dies over a deadline: it is recorded all the same.
    forgotten = trial.bring_in("forgotten")
    monitor.wait(lambda: trial.state_of(forgotten) != "None", 30, "a deadline")
    stand.kill("ledger")
    down = monitor.wait_for("UnbrokenWorkerDown", "firing", 60)
    silence = "UnbrokenDeadlineTrackerSilent"
    monitor.wait(lambda: silence in monitor.firing(), 60, f"{silence}, which the dead worker explains and so inhibits")
    over = time.monotonic() + DAY_S

    # Meanwhile Prometheus dies: the watchdog is heard no more, and again when it is back.
    before = _still_coming(monitor)
    monitor.end("prometheus")
    time.sleep(15)
    without = _still_coming(monitor)
    monitor.run_prometheus()
    after = monitor.wait(lambda: _still_coming(monitor), 60, "watchdog")

    time.sleep(max(0, over - time.monotonic()))
    stand.start("ledger")
    stand.ready("ledger")
    monitor.wait(lambda: trial.state_of(forgotten).startswith("missed"), 60, "miss of what was due while nobody looked")
    monitor.wait_for("UnbrokenWorkerDown", "resolved", 60)
    monitor.wait(lambda: silence not in monitor.firing(), 60, "worker that watches the deadlines")

    assert down.receiver == "woken"
    assert (before, without, after) == (True, False, True)
    assert {heard.receiver for heard in monitor.heard if heard.alert == "UnbrokenWatchdog"} == {"dead-man"}


def _still_coming(monitor: Monitor) -> bool:
    """Whether the watchdog was heard within two of its intervals."""
    return any(
        heard.alert == "UnbrokenWatchdog" and heard.status == "firing" and heard.at > time.monotonic() - 12
        for heard in monitor.heard
    )


def _on_duty(stand: Quick, name: str) -> SourceId:
    """State that a camera has to record around the clock, from now on."""
    source = SourceId(name)
    now = WallMs(int(time.time() * 1000))
    hours = tuple(WeekdayHours(weekday=day, from_minute=0, to_minute=1440) for day in range(1, 8))
    schedule = Schedule(
        source_kind="cctv",
        valid_from=now,
        weekly=hours,
        offsets=(ZoneOffset(since=WallMs(0), minutes=480),),
        silent_after_s=5,
    )
    said = Annotation(
        annotation_id=f"hours-{name}",
        kind="schedule",
        source_id=source,
        made_at=now,
        made_by="a test",
        unit=UNIT,
        schedule=schedule,
    )

    async def say() -> None:
        async with announcing(stand.settings()) as announcer:
            await announcer.annotation(said)

    asyncio.run(say())
    return source


def _pause(stand: Quick, source: str, start: int, end: int) -> None:
    when = ("--start", to_rfc3339(WallMs(start)), "--end", to_rfc3339(WallMs(end)))
    stand.call("schedule", "--source", source, *when, "--reason", "repair")
