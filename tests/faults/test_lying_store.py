"""A store that says one thing and does another is found out: by the probe, and by whoever looks at what the store holds.

The liar is the real store behind a proxy that tells one lie; whatever it does not lie about is the real thing.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import pytest

from pipeline.adapters.buckets import apply_buckets
from pipeline.adapters.objects_s3 import PART_BYTES, S3Objects, open_store
from pipeline.adapters.worm_s3 import look_at_store
from pipeline.domain.errors import NotLocked, ObjectDiffers, ObjectMissing
from pipeline.domain.facts import unreadable
from pipeline.domain.landing import ObjectRef
from pipeline.domain.probe import MediaFacts
from pipeline.settings import Settings
from pipeline.steps.probe import ProbeStep
from tests.adapters.objects_contract import ref, sha, soon
from tests.adapters.s3 import own_settings, short_policy
from tests.builders import landed, policy
from tests.faults.proxy import Proxy, Request, answer

pytestmark = pytest.mark.stack

Ask = Callable[[], bytes]


class Lie(Protocol):
    def __call__(self, request: Request, ask: Ask) -> bytes: ...


class Deletes:
    """Takes the lock, and deletes anyway."""

    def __init__(self) -> None:
        self.gone = set[str]()

    def __call__(self, request: Request, ask: Ask) -> bytes:
        version = request.query.get("versionId", [""])[0]
        if request.method == "DELETE" and version:
            self.gone.add(version)
            return answer(204)
        return answer(404) if version in self.gone else ask()


class StaleHead:
    """Answers about an object what was so when it was first asked."""

    def __init__(self) -> None:
        self.first = dict[str, bytes]()

    def __call__(self, request: Request, ask: Ask) -> bytes:
        if request.operation != "head":
            return ask()
        said = ask()
        return self.first.setdefault(request.target, said) if b" 200 " in said[:20] else said


def forgets(request: Request, ask: Ask) -> bytes:
    """Knows the object and no longer has its bytes."""
    body = b"<Error><Code>NoSuchKey</Code></Error>"
    return answer(404, body, "Content-Type: application/xml") if request.operation == "get" else ask()


def other_bytes(request: Request, ask: Ask) -> bytes:
    """Gives back bytes of which one bit fell over."""
    said = ask()
    if request.operation != "get" or not said or said.endswith(b"\r\n\r\n"):
        return said
    return said[:-1] + bytes([said[-1] ^ 1])


class UnlockedParts:
    """Stores what came in parts without a lock."""

    def __init__(self) -> None:
        self.keys = set[str]()

    def __call__(self, request: Request, ask: Ask) -> bytes:
        key = urlsplit(request.target).path
        if request.operation == "part":
            self.keys.add(key)
        said = ask()
        if request.operation == "head" and key in self.keys:
            return re.sub(rb"(?i)x-amz-object-lock-[^\r]*\r\n", b"", said)
        return said


def unchecked(request: Request, ask: Ask) -> bytes:
    """Takes bytes that are not what their signed digest says."""
    signed = re.search(rb"(?i)x-amz-content-sha256: (\w+)", request.head)
    if request.operation == "put" and signed and signed[1].decode() != hashlib.sha256(request.body).hexdigest():
        return answer(200, b"", 'ETag: "x"')
    return ask()


def other_clock(_request: Request, ask: Ask) -> bytes:
    """Lives an hour ahead, when locks are over."""
    return re.sub(rb"(?i)\r\nDate: [^\r]*", b"\r\nDate: Thu, 01 Jan 2037 00:00:00 GMT", ask())


@contextmanager
def lying(honest: Settings, lie: Lie) -> Iterator[Settings]:
    """The installation as it is with a store that tells *lie*."""
    url = urlsplit(honest.store_url)
    with Proxy((url.hostname or "", url.port or 80), lie=lie).running() as proxy:
        yield honest.model_copy(update={"store_url": f"http://127.0.0.1:{proxy.port}"})


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("lies")
    settings = own_settings(folder, short_policy(folder))
    apply_buckets(settings)
    return settings


def honestly(_request: Request, ask: Ask) -> bytes:
    return ask()


@pytest.mark.parametrize(
    ("lie", "named"),
    [
        (honestly, set()),
        (Deletes(), {"delete of a locked version", "the same with the bypass header"}),
        (StaleHead(), {"lock made longer"}),
        (forgets, {"old version after a plain delete"}),
        (other_bytes, {"old version after another is put over it", "old version after a plain delete"}),
        (UnlockedParts(), {"default retention on a multi-part upload"}),
        (unchecked, {"bytes other than the signed digest"}),
        (other_clock, {"clock"}),
    ],
    ids=lambda part: getattr(part, "__name__", type(part).__name__) if callable(part) else "",
)
def test_the_probe_fails_a_store_that_lies(honest: Settings, lie: Lie, named: set[str]) -> None:
    with lying(honest, lie) as settings:
        report, _ = look_at_store(settings)

    found = {item.name for item in report.wrong}
    assert named <= found
    assert bool(named) == bool(found)


@pytest.fixture
def key() -> str:
    return f"lies/{secrets.token_hex(6)}"


def test_a_put_believes_no_stale_answer_about_its_lock(honest: Settings, key: str) -> None:
    with lying(honest, StaleHead()) as settings:
        store = open_store(settings)
        store.put_bytes(settings.originals, key, b"x", sha(b"x"), retain_until=soon(2))

        with pytest.raises(NotLocked, match="the lock was not extended"):
            store.put_bytes(settings.originals, key, b"x", sha(b"x"), retain_until=soon(60))


def test_a_large_file_stored_without_lock_is_not_stored(honest: Settings, key: str, tmp_path: Path) -> None:
    path = tmp_path / "large.mp4"
    path.write_bytes(secrets.token_bytes(PART_BYTES + 1))
    digest = sha(path.read_bytes())
    with lying(honest, UnlockedParts()) as settings, pytest.raises(NotLocked, match="found none"):
        open_store(settings).put_file(settings.originals, key, path, digest, retain_until=soon(5))


class Reader:
    """A media probe that says nothing of the file."""

    version = "1/test"

    async def facts(self, path: Path, tolerance: object) -> MediaFacts:
        return unreadable("for the test")


def read_back(store: S3Objects, stored: ObjectRef) -> None:
    """As the media worker does with every original before anything is chained."""
    step = ProbeStep(store, Reader(), policy(), "test")
    asyncio.run(step.step(landed(object=stored)))


@pytest.mark.parametrize(
    ("lie", "error"),
    [(honestly, None), (other_bytes, ObjectDiffers), (forgets, ObjectMissing), (Deletes(), ObjectMissing)],
)
def test_reading_back_finds_what_the_store_does_not_hold(
    honest: Settings, key: str, lie: Lie, error: type[Exception] | None
) -> None:
    with lying(honest, lie) as settings:
        store = open_store(settings)
        stored = ref(store.put_bytes(settings.originals, key, b"evidence", sha(b"evidence"), retain_until=soon(5)))
        if isinstance(lie, Deletes):
            store._client.remove_object(stored.bucket, stored.key, version_id=stored.version_id)

        if error is None:
            read_back(store, stored)
        else:
            with pytest.raises(error):
                read_back(store, stored)
