"""A proxy in front of the real store that breaks one exchange in the way it is told, and passes on all others as they are.

It speaks just enough HTTP/1.1: one exchange a connection, bodies by Content-Length, answers to the end of the stream. Which
exchange is broken is told by the object's key and the operation, so that many cases can run through one proxy at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import parse_qs, urlsplit

Kind = Literal["429", "500", "503", "reset", "lost", "late", "slow", "cut"]
"""A status in place of the answer; a connection reset; an answer that never comes though the store did its work ("time-out
after success"); a request that reaches the store only after the client has given up; bytes in drops; bytes that end midway."""
Operation = Literal["put", "part", "complete", "head", "get", "retention", "other"]

KINDS: Final[tuple[Kind, ...]] = ("429", "500", "503", "reset", "lost", "late", "slow", "cut")
OPERATIONS: Final[tuple[Operation, ...]] = ("put", "part", "complete", "head", "get", "retention")
PATIENCE_S: Final = 20.0
DROP_S: Final = 0.02
LATE_S: Final = 0.4
"""How long a request may be under way after its client gave up: long enough for the client to look and to send again."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came; ``body`` is whole."""

    method: str
    target: str
    head: bytes
    body: bytes

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.target).query, keep_blank_values=True)

    @property
    def operation(self) -> Operation:
        """What it asks of an object; *other* for everything about buckets, listings and beginnings."""
        query = self.query
        if self.method == "PUT":
            return "part" if "partNumber" in query else "retention" if "retention" in query else "put"
        if self.method == "POST":
            return "complete" if "uploadId" in query else "other"
        if self.method == "HEAD":
            return "head"
        return "get" if self.method == "GET" and not {"uploads", "uploadId", "prefix"} & set(query) else "other"


@dataclass
class Fault:
    """Break *operation* on keys that contain *key*: after *skip* good ones, *times* in a row. ``fired`` counts."""

    key: str
    operation: Operation
    kind: Kind
    chance: random.Random
    skip: int = 0
    times: int = 1
    fired: int = 0

    def takes(self, request: Request) -> bool:
        if self.key not in request.target or request.operation != self.operation:
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.fired >= self.times:
            return False
        self.fired += 1
        return True


@dataclass
class Proxy:
    """Stands before *upstream* (host, port) on a port of its own, in a thread of its own. *tls* ends encryption here.

    *lie* may give an answer in the store's place (bytes of a whole response), given the request and the store's own
    answer, which it gets by calling the second argument.
    """

    upstream: tuple[str, int]
    tls: ssl.SSLContext | None = None
    lie: Callable[[Request, Callable[[], bytes]], bytes] | None = None
    faults: list[Fault] = field(default_factory=list)
    port: int = 0

    @contextlib.contextmanager
    def running(self) -> Iterator[Proxy]:
        """Serve while the context lasts."""
        loop, ready = asyncio.new_event_loop(), threading.Event()

        async def serve() -> None:
            server = await asyncio.start_server(self._exchange, "127.0.0.1", 0, ssl=self.tls, limit=1 << 20)
            self.port = server.sockets[0].getsockname()[1]
            ready.set()
            with contextlib.suppress(asyncio.CancelledError):
                await server.serve_forever()

        def run() -> None:
            with contextlib.suppress(asyncio.CancelledError):
                loop.run_until_complete(serving)

        serving = loop.create_task(serve())
        thread = threading.Thread(target=run, name="proxy", daemon=True)
        thread.start()
        ready.wait()
        try:
            yield self
        finally:
            loop.call_soon_threadsafe(serving.cancel)
            thread.join(5)

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            request = await _read_request(reader)
            fault = next((fault for fault in self.faults if fault.takes(request)), None)
            if fault is not None:
                await self._break(fault, request, reader, writer)
            elif self.lie is not None:
                writer.write(await asyncio.to_thread(self.lie, request, lambda: _forward_now(self.upstream, request)))
            else:
                writer.write(await self._forward(request))
            await writer.drain()
        writer.close()

    async def _break(
        self, fault: Fault, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        done_first = fault.chance.random() < 0.5
        match fault.kind:
            case "429" | "500" | "503":
                if done_first:
                    await self._forward(request)
                writer.write(_status(int(fault.kind), with_xml=fault.chance.random() < 0.5))
            case "reset":
                if done_first:
                    await self._forward(request)
                _reset(writer)
            case "lost":
                await self._forward(request)
                await _gone(reader)
            case "late":
                await _gone(reader)
                await asyncio.sleep(LATE_S * fault.chance.random())
                await self._forward(request)
            case "slow":
                await self._drip(fault, request, writer)
            case "cut":
                await self._cut(fault, request, writer)

    async def _drip(self, fault: Fault, request: Request, writer: asyncio.StreamWriter) -> None:
        answer = await self._forward(request, pause_s=DROP_S)
        size = max(1, len(answer) // 8)
        for start in range(0, len(answer), size):
            writer.write(answer[start : start + size])
            await writer.drain()
            await asyncio.sleep(DROP_S * fault.chance.random())

    async def _cut(self, fault: Fault, request: Request, writer: asyncio.StreamWriter) -> None:
        """The request's body ends midway; where there is none to speak of, the answer does."""
        if request.body:
            await self._forward(request, until=int(len(request.body) * fault.chance.random()))
        else:
            answer = await self._forward(request)
            writer.write(answer[: int(len(answer) * fault.chance.random())])
            await writer.drain()
        writer.transport.abort()

    async def _forward(self, request: Request, *, pause_s: float = 0, until: int | None = None) -> bytes:
        """The store's answer. *pause_s*: the body in eight drops; *until*: give up after so many bytes of it."""
        upstream, sink = await asyncio.open_connection(*self.upstream)
        try:
            sink.write(request.head)
            body = request.body[:until]
            size = max(1, len(body) // 8) if pause_s else max(1, len(body))
            for start in range(0, len(body), size):
                sink.write(body[start : start + size])
                await sink.drain()
                await asyncio.sleep(pause_s)
            if until is not None:
                return b""
            return await asyncio.wait_for(upstream.read(-1), PATIENCE_S)
        finally:
            sink.transport.abort() if until is not None else sink.close()


async def _read_request(reader: asyncio.StreamReader) -> Request:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    method, target, _ = lines[0].split(" ", 2)
    length = next((int(line[15:]) for line in lines if line.lower().startswith("content-length:")), 0)
    body = await reader.readexactly(length)
    kept = [line for line in lines[:-2] if not line.lower().startswith("connection:")]
    closing = "\r\n".join([*kept, "Connection: close", "", ""]).encode("latin-1")
    return Request(method, target, closing, body)


def _forward_now(upstream: tuple[str, int], request: Request) -> bytes:
    with socket.create_connection(upstream, PATIENCE_S) as sink:
        sink.sendall(request.head + request.body)
        return b"".join(iter(lambda: sink.recv(1 << 16), b""))


async def _gone(reader: asyncio.StreamReader) -> None:
    """Wait until the client has given up."""
    with contextlib.suppress(ConnectionError, TimeoutError):
        await asyncio.wait_for(reader.read(1), PATIENCE_S)


def _reset(writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def answer(status: int, body: bytes = b"", *headers: str) -> bytes:
    """A whole response."""
    lines = [f"HTTP/1.1 {status} Said", *headers, f"Content-Length: {len(body)}", "Connection: close", "", ""]
    return "\r\n".join(lines).encode() + body


def _status(status: int, *, with_xml: bool) -> bytes:
    code = {429: "SlowDown", 500: "InternalError", 503: "ServiceUnavailable"}[status]
    body = f"<Error><Code>{code}</Code><Message>said so</Message></Error>".encode() if with_xml else b""
    return answer(status, body, *(["Content-Type: application/xml"] if with_xml else []))
