"""``unbroken worker media|ledger|all``: run the stages until told to stop."""

from __future__ import annotations

import subprocess
import sys
from enum import StrEnum

import typer

from pipeline.settings import Settings


class Which(StrEnum):
    """The two consumer groups, apart so that a slow media file never stalls the ledger, and both together."""

    MEDIA = "media"
    LEDGER = "ledger"
    ALL = "all"


def register(app: typer.Typer) -> None:
    """Add the ``worker`` command."""
    app.command("worker")(worker)


def worker(which: Which) -> None:
    """Run a worker. It checks topics, store and lock first and refuses to run with a message that says what differs."""
    if which is Which.ALL:
        raise typer.Exit(_both())
    # Faust takes a second to import; the other commands should not pay for it.
    from pipeline.app import run_worker

    run_worker(which.value, Settings())


def _both() -> int:
    """Both workers as child processes; when one ends, the other is told to, and its exit code is ours."""
    children = [
        subprocess.Popen([sys.executable, "-m", "pipeline.cli", "worker", name]) for name in (Which.MEDIA, Which.LEDGER)
    ]
    return wait_for_both(children)


def wait_for_both(children: list[subprocess.Popen[bytes]]) -> int:
    """Wait until one child ends or a signal arrives, end the other, and return the first failing exit code."""
    import signal

    def forward(signum: int, _frame: object) -> None:
        for child in children:
            child.send_signal(signum)

    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, forward)
    while all(child.poll() is None for child in children):
        try:
            children[0].wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            continue
    for child in children:
        if child.poll() is None:
            child.terminate()
    return max((abs(child.wait()) for child in children), default=0)
