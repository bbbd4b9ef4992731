"""The local stack's Ceph, past S3: what only somebody who runs it can do."""

from __future__ import annotations

import subprocess

from infra.native.layout import Layout


def ceph(program: str, *words: str) -> str:
    """What *program* says; raises ``AssertionError`` with its last words."""
    config = Layout.from_environment().path("ceph") / "ceph.conf"
    done = subprocess.run([program, "-c", str(config), *words], capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, f"{program} {' '.join(words[:3])}: {done.stderr[-500:]}"
    return done.stdout


class Quotas:
    """Quotas of buckets at the gateway."""

    def __init__(self) -> None:
        self._on: set[str] = set()

    def use_up(self, bucket: str, most_bytes: int = 1) -> None:
        """Nothing goes into *bucket* beyond *most_bytes*."""
        self._on.add(bucket)
        words = ("--quota-scope=bucket", "--bucket", bucket, "--max-size", str(most_bytes))
        ceph("radosgw-admin", "quota", "set", *words)
        ceph("radosgw-admin", "quota", "enable", "--quota-scope=bucket", "--bucket", bucket)

    def lift(self, bucket: str) -> None:
        ceph("radosgw-admin", "quota", "disable", "--quota-scope=bucket", "--bucket", bucket)
        self._on.discard(bucket)

    def lift_all(self) -> None:
        for bucket in tuple(self._on):
            self.lift(bucket)


class Disks:
    """The store's disks: how full they may be, as shares that Ceph names."""

    _SHIPPED = (("full", "0.95"), ("backfillfull", "0.9"), ("nearfull", "0.85"))

    def __init__(self) -> None:
        self._full = False

    def fill(self) -> None:
        """What they hold already is more than they may."""
        self._full = True
        for number, (name, _) in enumerate(reversed(self._SHIPPED), start=1):
            ceph("ceph", "osd", f"set-{name}-ratio", f"{number / 100_000:.5f}")

    def give_room(self) -> None:
        if self._full:
            for name, share in self._SHIPPED:
                ceph("ceph", "osd", f"set-{name}-ratio", share)
            self._full = False

    @staticmethod
    def are_full() -> bool:
        return "OSD_FULL" in ceph("ceph", "health", "detail")
