"""The object store: Ceph's S3 gateway with one monitor and one OSD, kept small.

Without authentication between the daemons, which is acceptable on loopback only. ``osd_crush_update_on_start=false``:
without it a restarted OSD sometimes refuses with "wrong fsid". One copy of everything: this store is for trying and testing.
"""

from __future__ import annotations

import shutil
import subprocess
import urllib.error
import urllib.request
import uuid
from pathlib import Path

from infra.native.daemon import Daemon, StackError, listening, require_space
from infra.native.layout import Layout

BLOCK_BYTES = 16 << 30
"""Size of the OSD's sparse file: it takes only what is written."""
NEEDED_BYTES = 4 << 30
"""Free space asked for before the first start: the demonstration and the tests write about 2 GiB."""


def daemons(layout: Layout) -> list[Daemon]:
    """Monitor, OSD and gateway, in order of start; nothing is written before their ``make``."""
    folder = layout.path("ceph")
    config = folder / "ceph.conf"
    common = ("-c", str(config), "-f")
    return [
        Daemon(
            "ceph-mon",
            ("ceph-mon", *common, "-i", "a"),
            folder,
            layout.ceph_monitor,
            lambda: listening(layout.ceph_monitor),
            make=lambda: _make_monitor(layout, folder, config),
        ),
        Daemon(
            "ceph-osd",
            ("ceph-osd", *common, "-i", "0"),
            folder,
            layout.ceph_osd[0],
            lambda: "osd: 1 osds: 1 up" in _status(config),
            after=("ceph-mon",),
            make=lambda: _make_osd(folder, config),
        ),
        Daemon(
            "radosgw",
            ("radosgw", *common, "-n", "client.rgw"),
            folder,
            layout.store,
            lambda: _answers(layout.store),
            after=("ceph-osd",),
        ),
    ]


def _make_osd(folder: Path, config: Path) -> None:
    """Make the OSD's data once; needs the monitor."""
    if (folder / "osd.made").exists():
        return
    shutil.rmtree(folder / "osd", ignore_errors=True)
    (folder / "osd").mkdir()
    identity = _identity(folder / "osd.uuid")
    _run("ceph", "-c", str(config), "--connect-timeout", "20", "osd", "new", identity)
    _run("ceph-osd", "-c", str(config), "-i", "0", "--mkfs", "--osd-uuid", identity)
    _run("ceph", "-c", str(config), "osd", "crush", "add", "osd.0", "1.0", "root=default", "host=localhost")
    (folder / "osd.made").touch()


def make_user(layout: Layout, access_key: str, secret_key: str) -> None:
    """Make the S3 user with the keys of ``local.env``; again is harmless."""
    folder = layout.folder("ceph")
    if (folder / "user.made").exists():
        return
    config = str(folder / "ceph.conf")
    known = subprocess.run(
        ["radosgw-admin", "-c", config, "user", "info", "--uid", "unbroken"], capture_output=True, check=False
    )
    if known.returncode != 0:
        _run(
            "radosgw-admin", "-c", config, "user", "create", "--uid", "unbroken", "--display-name", "unbroken",
            "--access-key", access_key, "--secret-key", secret_key,
        )  # fmt: skip
    (folder / "user.made").touch()


def _make_monitor(layout: Layout, folder: Path, config: Path) -> None:
    """Write the configuration; make the monitor's data once, and with it everything that depends on it anew."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "mon.made").exists():
        require_space(folder, NEEDED_BYTES, "the object store")
    layout.run.mkdir(parents=True, exist_ok=True, mode=0o700)
    config.write_text(_config(layout, folder))
    address = f"v1:127.0.0.1:{layout.ceph_monitor}"
    if (folder / "mon.made").exists():
        _move_monitor(folder, config, address)
        return
    shutil.rmtree(folder / "mon", ignore_errors=True)
    shutil.rmtree(folder / "osd", ignore_errors=True)
    for leftover in ("osd.made", "user.made", "monmap"):
        (folder / leftover).unlink(missing_ok=True)
    (folder / "mon").mkdir()
    _run("monmaptool", "--create", "--fsid", _identity(folder / "fsid"), "--addv", "a", address, str(folder / "monmap"))
    _run("ceph-mon", "-c", str(config), "--mkfs", "-i", "a", "--monmap", str(folder / "monmap"))
    (folder / "mon.made").touch()


def _move_monitor(folder: Path, config: Path, address: str) -> None:
    """Give the monitor its new address when the ports have moved since it was made: its own map names the old one."""
    monmap = str(folder / "monmap")
    if f" {address}/0 " in _run("monmaptool", "--print", monmap):
        return
    _run("monmaptool", "--rm", "a", monmap)
    _run("monmaptool", "--addv", "a", address, monmap)
    _run("ceph-mon", "-c", str(config), "-i", "a", "--inject-monmap", monmap)


def _identity(path: Path) -> str:
    if not path.exists():
        path.write_text(str(uuid.uuid4()))
    return path.read_text()


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode != 0:
        raise StackError(f"{' '.join(command[:6])} failed: {(done.stderr or done.stdout).strip()[-600:]}")
    return done.stdout


def _status(config: Path) -> str:
    done = subprocess.run(
        ["ceph", "-c", str(config), "--connect-timeout", "3", "-s"], capture_output=True, text=True, check=False
    )
    return done.stdout


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=3):
            return True
    except urllib.error.HTTPError:
        return True
    except (OSError, ValueError):
        return False


def _config(layout: Layout, folder: Path) -> str:
    low, high = layout.ceph_osd
    return f"""[global]
fsid = {_identity(folder / "fsid")}
mon_host = v1:127.0.0.1:{layout.ceph_monitor}
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
ms_bind_msgr2 = false
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_port_min = {low}
ms_bind_port_max = {high}
osd_pool_default_size = 1
osd_pool_default_min_size = 1
mon_allow_pool_size_one = true
osd_pool_default_pg_num = 8
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
osd_crush_update_on_start = false
mon_max_pg_per_osd = 500
mon_data_avail_warn = 2
mon_data_avail_crit = 1
osd_objectstore = bluestore
bluestore_block_size = {BLOCK_BYTES}
osd_memory_target = 939524096
osd_mon_shutdown_timeout = 1
run_dir = {layout.run}
admin_socket = {layout.run}/$name.asok
log_file = {folder}/$name.ceph.log
mon_data = {folder}/mon
osd_data = {folder}/osd
rgw_frontends = beast endpoint=127.0.0.1:{layout.store}
rgw_thread_pool_size = 64
rgw_gc_obj_min_wait = 60
rgw_gc_processor_period = 60
rgw_gc_processor_max_time = 60
"""
