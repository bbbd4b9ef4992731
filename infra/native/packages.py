"""Programs the stack and the tests need: found, installed with apt, or named with the command that installs them."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from infra.native.daemon import StackError

NEEDED = {
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
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
"""What the tests of pages can look with; nothing else needs one."""
_BROWSER = "chromium"
_HAN_FONT = "fonts-wqy-zenhei"
"""Chinese letters in 7 MB."""
_HAN_FONTS = ("*[Cc][Jj][Kk]*", "*wqy*", "*Han*Sans*", "*arphic*")
JAVA_LEAST = 17
_JAVAS = ("openjdk-17-jre-headless", "openjdk-21-jre-headless", "openjdk-25-jre-headless")
"""Distributions carry one or two of these; the first that apt knows is taken."""
_POLICY = Path("/usr/sbin/policy-rc.d")
_OURS = "#!/bin/sh\n# unbroken: no service starts while we install\nexit 101\n"


@cache
def java() -> str | None:
    """A Java new enough for the broker, on the PATH or where distributions put them; ``None`` when there is none."""
    on_path = shutil.which("java")
    for program in [*([on_path] if on_path else []), *map(str, sorted(Path("/usr/lib/jvm").glob("*/bin/java")))]:
        said = subprocess.run([program, "-version"], capture_output=True, text=True, check=False).stderr
        found = re.search(r'version "(\d+)', said)
        if found and int(found[1]) >= JAVA_LEAST:
            return program
    return None


def missing(programs: Sequence[str] = tuple(NEEDED)) -> list[str]:
    """The packages that would bring the programs not found, each once."""
    return sorted({NEEDED[program] for program in programs if shutil.which(program) is None})


def install() -> list[str]:
    """Install what is missing; returns the packages. Raises :class:`StackError` with the exact command when we may not."""
    packages = missing()
    if not packages and java():
        return []
    _apt_or_name([*packages, *([] if java() else [f"a Java {JAVA_LEAST} or newer"])])
    prefix = _privilege([*packages, *([] if java() else _JAVAS[:1])])
    with _services_stay_down(prefix):
        _apt(prefix, "update", "-qq")
        packages += [] if java() else [_java_package()]
        _apt(prefix, "install", "-y", "-qq", "--no-install-recommends", *packages)
    java.cache_clear()
    return packages


def browser() -> str | None:
    """A browser for the tests of pages."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def install_for_tests() -> list[str]:
    """Install what only the tests need and is missing: a browser, and Chinese letters for it; as :func:`install`."""
    letters = any(any(Path("/usr/share/fonts").rglob(pattern)) for pattern in _HAN_FONTS)
    packages = [*([] if browser() else [_BROWSER]), *([] if letters else [_HAN_FONT])]
    if not packages:
        return []
    _apt_or_name(packages)
    prefix = _privilege(packages)
    _apt(prefix, "update", "-qq")
    if _BROWSER in packages and not _offered(_BROWSER):  # Ubuntu has it as a snap alone, which containers cannot run
        raise StackError(f"no {_BROWSER} is among this system's packages; put one of {', '.join(BROWSERS)} on PATH")
    _apt(prefix, "install", "-y", "-qq", "--no-install-recommends", *packages)
    return packages


def _apt_or_name(packages: Sequence[str]) -> None:
    if shutil.which("apt-get") is None:
        raise StackError(f"missing programs; install these with your package manager: {', '.join(packages)}")


def _offered(package: str) -> bool:
    return subprocess.run(["apt-cache", "show", package], capture_output=True, check=False).returncode == 0


def _java_package() -> str:
    for package in _JAVAS:
        if _offered(package):
            return package
    raise StackError(f"no Java {JAVA_LEAST} or newer is among this system's packages; install one and put it on PATH")


def _apt(prefix: Sequence[str], *arguments: str) -> None:
    done = subprocess.run(
        [*prefix, "apt-get", *arguments],
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise StackError(f"apt-get {arguments[0]} failed: {(done.stderr or done.stdout).strip()[-800:]}")


def _privilege(packages: Sequence[str]) -> list[str]:
    if os.geteuid() == 0:
        return []
    if (
        shutil.which("sudo")
        and subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0
    ):
        return ["sudo", "-n", "DEBIAN_FRONTEND=noninteractive"]
    raise StackError(
        "missing programs, and neither root nor sudo without a password; run: "
        f"sudo apt-get update && sudo apt-get install -y --no-install-recommends {' '.join(packages)}"
    )


@contextlib.contextmanager
def _services_stay_down(prefix: Sequence[str]) -> Iterator[None]:
    """Some packages start a service of their own; a policy-rc.d of ours prevents it while we install, and only then.

    One of another's making is left alone; one of ours left by a killed install is taken over. Under sudo the services may
    start: they use the usual ports, which are not ours.
    """
    if prefix or (_POLICY.exists() and _POLICY.read_text() != _OURS):
        yield
        return
    _POLICY.write_text(_OURS)
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink(missing_ok=True)
