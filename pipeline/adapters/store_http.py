"""The store's HTTP connections: what the client's library would let pass here counts as no answer.

1. Nothing is repeated and every wait ends: retries hide failures and repeat writes. Who retries is decided above.
2. An answer whose headers end midway is none. Python's ``http.client`` takes the headers that came before the connection
   broke for all there were; of a HEAD answer the digest and the lock would be missing, as if the store held something else.
3. A site's own certificate authority, when given, is the only one believed.
"""

from __future__ import annotations

import http.client
import ssl
from pathlib import Path
from typing import Any, Final

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from pipeline.domain.errors import Misconfigured

CONNECT_TIMEOUT_S: Final = 5
READ_TIMEOUT_S: Final = 60
_CONNECTIONS: Final = 32


def open_pool(ca_file: Path | None, read_timeout_s: float = READ_TIMEOUT_S) -> urllib3.PoolManager:
    """A pool that connects at first use; raises ``Misconfigured`` for a file that holds no certificates."""
    try:
        trusted = ssl.create_default_context(cafile=str(ca_file)) if ca_file else None
    except OSError as exc:  # ssl.SSLError is one
        raise Misconfigured(
            f"UNBROKEN_STORE_CA_FILE is a PEM file of certificates, found {exc.strerror or exc} ({ca_file})"
        ) from exc
    pool = urllib3.PoolManager(
        maxsize=_CONNECTIONS,
        retries=False,
        timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=read_timeout_s),
        ssl_context=trusted,
    )
    pool.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
    return pool


class _LastLine:
    """A response's stream while its head is read; remembers the line that ended it."""

    def __init__(self, file: Any) -> None:
        self.file = file
        self.last = b""

    def readline(self, limit: int = -1) -> bytes:
        self.last = self.file.readline(limit)
        return self.last

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)


class _WholeHead(http.client.HTTPResponse):
    """A response whose head ends with its empty line, or none."""

    def begin(self) -> None:
        head = _LastLine(self.fp)
        self.fp: Any = head
        super().begin()
        if self.fp is head:
            self.fp = head.file
        if head.last not in (b"\r\n", b"\n"):
            raise http.client.RemoteDisconnected("the answer's headers ended midway")


class _Connection(HTTPConnection):
    response_class = _WholeHead


class _SecureConnection(HTTPSConnection):
    response_class = _WholeHead


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _SecureConnection
