"""Programs the stack needs: found, installed with apt, or named with the command that installs them."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from infra.native.daemon import StackError

NEEDED = {
    "java": "openjdk-17-jre-headless",
    "mvn": "maven",
    "radosgw": "radosgw",
    "ceph-mon": "ceph-mon",
    "ceph-osd": "ceph-osd",
    "ceph": "ceph-common",
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "ffmpeg": "ffmpeg",
}
_POLICY = Path("/usr/sbin/policy-rc.d")


def missing(programs: Sequence[str] = tuple(NEEDED)) -> list[str]:
    """The packages that would bring the programs not found, each once."""
    return sorted({NEEDED[program] for program in programs if shutil.which(program) is None})


def install() -> list[str]:
    """Install what is missing; returns the packages. Raises :class:`StackError` with the exact command when we may not."""
    packages = missing()
    if not packages:
        return []
    if shutil.which("apt-get") is None:
        raise StackError(f"missing programs; install these packages with your package manager: {' '.join(packages)}")
    prefix = _privilege(packages)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with _services_stay_down(prefix):
        for arguments in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *packages]):
            done = subprocess.run(
                [*prefix, "apt-get", *arguments], env=environment, capture_output=True, text=True, check=False
            )
            if done.returncode != 0:
                raise StackError(f"apt-get {arguments[0]} failed: {(done.stderr or done.stdout).strip()[-800:]}")
    return packages


def _privilege(packages: Sequence[str]) -> list[str]:
    if os.geteuid() == 0:
        return []
    if (
        shutil.which("sudo")
        and subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0
    ):
        return ["sudo", "-n", "DEBIAN_FRONTEND=noninteractive"]
    raise StackError(f"missing programs; run: sudo apt-get install -y --no-install-recommends {' '.join(packages)}")


@contextlib.contextmanager
def _services_stay_down(prefix: Sequence[str]) -> Iterator[None]:
    """Some packages start a service of their own; a policy-rc.d of ours prevents it while we install, and only then."""
    if prefix or _POLICY.exists():
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink(missing_ok=True)
