"""A copied archive: the buckets as folders side by side, keys as file names. Read only; a copy has no versions and no locks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from pipeline.domain.errors import Misconfigured, ObjectMissing
from pipeline.domain.landing import ObjectRef
from pipeline.ports import Layers, ObjectStat


class FolderObjects:
    """The reading half of :class:`pipeline.ports.ObjectStore` over a folder. Names in a copy are a stranger's: one that
    leads out of the folder is missing, and so is what is no file."""

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise Misconfigured(
                f"expected s3 or a folder with the copied buckets, found no folder of that name ({root})"
            )
        self._root = root

    def records(self) -> str:
        """Name of the copied records bucket, the installation's prefix included; raises ``Misconfigured`` unless there is one."""
        found = sorted(path.parent.name for path in self._root.glob("*records/recordings") if path.is_dir())
        if len(found) != 1:
            raise Misconfigured(
                f"expected one copied bucket of records, found {', '.join(found) or 'none'} "
                f"({self._root}/records/recordings)"
            )
        return found[0]

    def stat(self, bucket: str, key: str, version_id: str | None = None) -> ObjectStat:
        return self._stat(bucket, key, self._path(bucket, key), version_id or "")

    def open(self, ref: ObjectRef) -> AbstractContextManager[BinaryIO]:
        return self._path(ref.bucket, ref.key).open("rb")

    def read(self, bucket: str, key: str, limit_bytes: int = 64 << 20) -> bytes:
        path = self._path(bucket, key)
        if path.stat().st_size > limit_bytes:
            raise ValueError(f"expected at most {limit_bytes} bytes, found {path.stat().st_size} ({bucket}/{key})")
        return path.read_bytes()

    def list(self, bucket: str, prefix: str) -> Iterator[ObjectStat]:
        top = self._root / bucket
        files = ((path.relative_to(top).as_posix(), path) for path in (top / prefix).rglob("*") if path.is_file())
        for key, path in sorted(files):
            yield self._stat(bucket, key, path, "")

    def layers(self, bucket: str, prefix: str) -> Iterator[Layers]:  # noqa: ARG002  # a copy has no versions
        return iter(())

    def _path(self, bucket: str, key: str) -> Path:
        parts = PurePosixPath(bucket, key).parts
        path = self._root.joinpath(*parts)
        try:
            if not {"..", "/"} & set(parts) and path.is_file():
                return path
        except OSError as exc:
            raise ObjectMissing(f"the copy's object cannot be read: {exc.strerror} ({bucket}/{key})") from exc
        raise ObjectMissing(f"the copy does not hold this object ({bucket}/{key})")

    def _stat(self, bucket: str, key: str, path: Path, version_id: str) -> ObjectStat:
        return ObjectStat(
            bucket=bucket,
            key=key,
            version_id=version_id,
            size_bytes=path.stat().st_size,
            sha256=None,
            lock_mode="none",
            retain_until=None,
            legal_hold=False,
        )
