"""A browser without a screen: what a page becomes in it, on a screen of a size or on paper."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from infra.native import packages

QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
)
_PROBE = "document.documentElement.dataset.measured = JSON.stringify((() => {%s})());"


class Browser:
    """One program, a new profile for each page."""

    def __init__(self, program: str, folder: Path) -> None:
        self.program, self.folder = program, folder

    def open(self, page: Path, *wish: str, width_px: int = 1200, height_px: int = 900) -> str:
        """Open *page* with the program's options *wish*; what it prints."""
        profile = f"--user-data-dir={self.folder / f'profile-{len(list(self.folder.iterdir()))}'}"
        size = f"--window-size={width_px},{height_px}"
        command = [self.program, *QUIET, profile, size, *wish, page.as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def measure(self, page: Path, script: str, width_px: int = 1200) -> Any:
        """What *script* returns in *page*, let in past the page's own guard by its digest."""
        probe = _PROBE % script
        digest = base64.b64encode(hashlib.sha256(probe.encode()).digest()).decode()
        text = page.read_text("utf-8").replace("script-src ", f"script-src 'sha256-{digest}' ")
        changed = self.folder / f"measured-{page.name}"
        changed.write_text(text.replace("</body>", f"<script>{probe}</script></body>"), "utf-8")
        found = re.search(r'data-measured="([^"]*)"', self.open(changed, "--dump-dom", width_px=width_px))
        assert found, "the probe did not run"
        return json.loads(found[1].replace("&quot;", '"').replace("&amp;", "&"))


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Browser:
    """Never skipped: a page nobody looked at is not tested."""
    program = packages.browser()
    if program is None:
        pytest.fail(
            f"no browser: `python3 -m infra.native install tests` installs one, or put {packages.BROWSERS} on PATH"
        )
    return Browser(program, tmp_path_factory.mktemp("browser"))
