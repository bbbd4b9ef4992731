"""``python3 -m infra.native up|down|status|install``."""

from __future__ import annotations

import json
import os
import sys
import time

from infra.native import kafka, monitoring, packages, store
from infra.native.daemon import (
    Daemon,
    StackError,
    require_free,
    resident_bytes,
    start,
    stop,
    supervisor_pid,
    wait_ready,
)
from infra.native.layout import ROOT, Layout

_PATIENCE_S = 90


def daemons(layout: Layout) -> list[Daemon]:
    """Every daemon, in order of start; writes configurations, fetches and formats what is not there yet."""
    return [*store.prepare(layout), *kafka.prepare(layout), *monitoring.prepare(layout)]


def up(layout: Layout) -> int:
    """Install, start and wait; one line per service. Again is harmless, and mends a half-started try."""
    installed = packages.install()
    if installed:
        print(f"installed {' '.join(installed)}")
    began = time.monotonic()
    all_of_them = daemons(layout)
    for daemon in all_of_them:
        if supervisor_pid(daemon) is None and daemon.name != "ceph-osd":
            require_free(daemon.port, daemon.name)
    for daemon in all_of_them:
        if daemon.name == "ceph-osd":
            wait_ready(all_of_them[0], _PATIENCE_S)
            store.make_osd(layout)
        if daemon.name == "radosgw":
            wait_ready(all_of_them[1], _PATIENCE_S)
        start(daemon)
    for daemon in all_of_them:
        wait_ready(daemon, _PATIENCE_S)
        print(
            f"{daemon.name:<13} ready  port {daemon.port}  pid {supervisor_pid(daemon)}  {time.monotonic() - began:.1f} s"
        )
    keys = local_environment()
    store.make_user(layout, keys["UNBROKEN_STORE_ACCESS_KEY"], keys["UNBROKEN_STORE_SECRET_KEY"])
    return 0


def down(layout: Layout) -> int:
    """End everything we started, newest first; what others started on the same ports is left alone."""
    if not layout.state.exists():
        print("nothing of ours is running")
        return 0
    ended = [daemon.name for daemon in reversed(daemons(layout)) if stop(daemon)]
    print(f"stopped {', '.join(ended)}" if ended else "nothing of ours is running")
    return 0


def status(layout: Layout, as_json: bool) -> int:
    """A line per service: running, ready, port, memory, log. Exit 1 when something is down."""
    known = daemons(layout) if not packages.missing() and layout.state.exists() else []
    ready = {daemon.name: supervisor_pid(daemon) is not None and daemon.ready() for daemon in known}
    if as_json:
        print(json.dumps([_row(daemon, ready[daemon.name]) for daemon in known], indent=2))
    for daemon in known if not as_json else ():
        state = "ready" if ready[daemon.name] else "starting" if supervisor_pid(daemon) else "down"
        print(f"{daemon.name:<13} {state:<9} port {daemon.port:<6} {resident_bytes(daemon) >> 20:>5} MiB  {daemon.log}")
    if not known and not as_json:
        print("the stack was never started here; run `make up`")
    return 0 if known and all(ready.values()) else 1


def _row(daemon: Daemon, ready: bool) -> dict[str, object]:
    return {
        "service": daemon.name,
        "pid": supervisor_pid(daemon),
        "ready": ready,
        "port": daemon.port,
        "resident_bytes": resident_bytes(daemon),
        "log": str(daemon.log),
    }


def local_environment() -> dict[str, str]:
    """``infra/local.env`` as a mapping."""
    lines = (ROOT / "infra/local.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def main(arguments: list[str]) -> int:
    layout = Layout.from_environment()
    try:
        match arguments:
            case ["up"]:
                return up(layout)
            case ["down"]:
                return down(layout)
            case ["status", *rest]:
                return status(layout, "--json" in rest)
            case ["install"]:
                print(f"installed {' '.join(packages.install()) or 'nothing: all programs are here'}")
                return 0
            case _:
                print(__doc__, file=sys.stderr)
                return 2
    except StackError as exc:
        print(f"stack: {exc}", file=sys.stderr)
        return 1
    except PermissionError as exc:
        print(
            f"stack: not allowed: {exc}; run as the user who owns {os.environ.get('UNBROKEN_STATE', '.unbroken')}",
            file=sys.stderr,
        )
        return 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
