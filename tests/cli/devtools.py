"""A browser that is watched while a page lives in it: what its script finds, over time (the DevTools protocol)."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.cli.browser import QUIET

START_S = 60


class Tab:
    """One page of the browser."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket, self._asked = socket, 0

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One call of the protocol and its result."""
        self._asked += 1
        await self._socket.send_json({"id": self._asked, "method": method, "params": parameters})
        while True:
            answer = await self._socket.receive_json(timeout=60)
            if answer.get("id") == self._asked:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result

    async def find(self, script: str) -> Any:
        """What *script*, an expression, is now."""
        done = await self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    async def until(self, script: str, within_s: float = 40) -> Any:
        """Wait for *script* to be true, and return it; fails with the state of the page."""
        deadline = time.monotonic() + within_s
        while not (found := await self.find(script)):
            if time.monotonic() > deadline:
                state = await self.find("JSON.stringify(document.documentElement.dataset)")
                raise AssertionError(f"never true: {script}; the page: {state}")
            await asyncio.sleep(0.1)
        return found

    async def screenshot(self) -> bytes:
        """The page as it is seen, as PNG."""
        done = await self.call("Page.captureScreenshot", format="png")
        return base64.b64decode(done["data"])


@asynccontextmanager
async def opened(program: str, folder: Path, address: str) -> AsyncIterator[Tab]:
    """*address* in a new profile; films may start by themselves."""
    command = [
        program,
        *QUIET,
        f"--user-data-dir={folder}",
        "--window-size=1200,1000",
        "--remote-debugging-port=0",
        "--autoplay-policy=no-user-gesture-required",
        "--mute-audio",
        "about:blank",
    ]
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, stdout=quiet, stderr=quiet)
    try:
        port = await asyncio.to_thread(_port, folder / "DevToolsActivePort")
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                pages = [page for page in json.loads(await answer.text()) if page["type"] == "page"]
            async with session.ws_connect(pages[0]["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                tab = Tab(socket)
                await tab.call("Page.navigate", url=address)
                yield tab
    finally:
        process.kill()
        await process.wait()


def _port(told: Path) -> int:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        lines = told.read_text("ascii").splitlines() if told.exists() else []
        if lines:
            return int(lines[0])
        time.sleep(0.1)
    raise AssertionError("the browser did not start")
