"""``python3 -m infra.native COMMAND``

up [SERVICE...]   install what is missing, start, wait until ready (ceph-mon ceph-osd radosgw kafka prometheus alertmanager)
down              end everything `up` started
status [--json]   a line per service; exit 1 when one is down
install [tests]   install what is missing, start nothing; tests: what only they need, a browser
env               the variables of infra/local.env for this stack, to be sourced

UNBROKEN_STATE: folder of all state (default .unbroken). UNBROKEN_PORT_OFFSET: added to every port, for a second stack
(multiples of 1000). UNBROKEN_KAFKA_VERSION: another broker than the pinned one.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence

from infra.native import kafka, monitoring, packages, store
from infra.native.daemon import (
    Daemon,
    StackError,
    child_pid,
    require_free,
    resident_bytes,
    stale,
    start,
    stop,
    supervisor_pid,
    wait_ready,
)
from infra.native.layout import Layout

_PATIENCE_S = 90


def daemons(layout: Layout) -> list[Daemon]:
    """Every daemon, in order of start; reading this list changes nothing."""
    return [*store.daemons(layout), *kafka.daemons(layout), *monitoring.daemons(layout)]


def up(layout: Layout, names: Sequence[str] = ()) -> int:
    """Install, start and wait; one line per service. Again is harmless, and mends a half-started try."""
    installed = packages.install()
    if installed:
        print(f"installed {' '.join(installed)}")
    known = {daemon.name: daemon for daemon in daemons(layout)}
    if unknown := set(names) - set(known):
        raise StackError(f"no such service: {' '.join(sorted(unknown))}; there are {' '.join(known)}")
    wanted = _with_needs(known, names or list(known))
    with _alone(layout):
        _start(known, wanted)
        if "radosgw" in wanted:
            keys = layout.environment()
            store.make_user(layout, keys["UNBROKEN_STORE_ACCESS_KEY"], keys["UNBROKEN_STORE_SECRET_KEY"])
    return 0


def _with_needs(known: dict[str, Daemon], names: Sequence[str]) -> list[str]:
    """*names* and what they stand on, in order of start."""
    wanted = set(names)
    for daemon in reversed(known.values()):
        if daemon.name in wanted:
            wanted |= set(daemon.after)
    return [name for name in known if name in wanted]


def _start(known: dict[str, Daemon], wanted: Sequence[str]) -> None:
    began = time.monotonic()
    # Every port is looked at before anything is made: a refusal leaves nothing half done.
    for name in wanted:
        if note := stale(known[name]):
            print(note)
        if supervisor_pid(known[name]) is None:
            require_free(known[name])
    for name in wanted:
        for needed in known[name].after:
            wait_ready(known[needed], _PATIENCE_S)
        known[name].make()
        start(known[name])
    for name in wanted:
        wait_ready(known[name], _PATIENCE_S)
        print(
            f"{name:<13} ready  port {known[name].port}  pid {child_pid(known[name])}  {time.monotonic() - began:.1f} s",
            flush=True,
        )


@contextlib.contextmanager
def _alone(layout: Layout) -> Iterator[None]:
    """One `up` or `down` per stack at a time: a second one waits, then finds the work done."""
    layout.state.mkdir(parents=True, exist_ok=True)
    with (layout.state / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another `up` or `down` is at work on this stack; waiting for it", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def down(layout: Layout) -> int:
    """End everything we started, newest first; what others started on the same ports is left alone."""
    if not layout.state.exists():
        print("nothing of ours is running")
        return 0
    with _alone(layout):
        ended = [daemon.name for daemon in reversed(daemons(layout)) if stop(daemon)]
    print(f"stopped {', '.join(ended)}" if ended else "nothing of ours is running")
    return 0


def status(layout: Layout, as_json: bool) -> int:
    """A line per service: running, ready, port, memory, log. Exit 1 when something is down."""
    known = daemons(layout)
    ready = {daemon.name: supervisor_pid(daemon) is not None and daemon.ready() for daemon in known}
    if as_json:
        print(json.dumps([_row(daemon, ready[daemon.name]) for daemon in known], indent=2))
    elif not layout.state.exists():
        print("the stack was never started here; run `make up`")
    else:
        for daemon in known:
            state = "ready" if ready[daemon.name] else "starting" if supervisor_pid(daemon) else "down"
            resident_mib = resident_bytes(daemon) >> 20
            print(f"{daemon.name:<13} {state:<9} port {daemon.port:<6} {resident_mib:>5} MiB  {daemon.log}")
    return 0 if all(ready.values()) else 1


def _row(daemon: Daemon, ready: bool) -> dict[str, object]:
    return {
        "service": daemon.name,
        "pid": child_pid(daemon),
        "supervisor_pid": supervisor_pid(daemon),
        "ready": ready,
        "port": daemon.port,
        "resident_bytes": resident_bytes(daemon),
        "log": str(daemon.log),
    }


def main(arguments: list[str]) -> int:
    try:
        return _command(Layout.from_environment(), arguments)
    except StackError as exc:
        print(f"stack: {exc}", file=sys.stderr)
    except BrokenPipeError:
        # Who read our lines has gone, as `| head` does; what was asked for is done or will be on the next call.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except PermissionError as exc:
        print(f"stack: not allowed: {exc}; the state folder belongs to another user", file=sys.stderr)
    except OSError as exc:
        print(f"stack: {exc}", file=sys.stderr)
    return 1


def _command(layout: Layout, arguments: list[str]) -> int:
    match arguments:
        case ["up", *names]:
            return up(layout, names)
        case ["down"]:
            return down(layout)
        case ["status", *rest] if rest in ([], ["--json"]):
            return status(layout, bool(rest))
        case ["install"]:
            print(f"installed {' '.join(packages.install()) or 'nothing: all programs are here'}")
        case ["install", "tests"]:
            if installed := packages.install_for_tests():
                print(f"installed {' '.join(installed)}")
        case ["env"]:
            print("\n".join(f"{name}={value}" for name, value in layout.environment().items()))
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
