"""The file of ``unbroken verify --resume FILE``: what an unfinished run has verified, so that it can be gone on with.

JSON lines: first what the run looks at, then each recording that was done, its revisions and the answers. A recording
with a FAIL is not noted: it is looked at again. So is one that got another revision meanwhile. A line that a dying
process left half written counts as not there. When the run is through, the file is removed: the next run begins anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.domain.errors import Malformed, Misconfigured
from pipeline.domain.verify import Item
from pipeline.wire import codec


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    source: str
    recording: str
    revisions: tuple[int, ...]
    items: tuple[Item, ...]


class ResumeFile:
    """:class:`pipeline.steps.verify.Finished` in a file. Raises ``Misconfigured`` for a file of another run, or of none."""

    def __init__(self, path: Path, run: Mapping[str, Any]) -> None:
        self._path = path
        self._done: dict[tuple[str, str], _Done] = {}
        try:
            known = path.read_bytes() if path.exists() else b""
            whole = known[: known.rfind(b"\n") + 1]
            if known and not whole:
                raise ValueError("no line that ends")
            self._read(whole, run)
            self._file = path.open("r+b" if known else "xb")
            self._file.truncate(len(whole))
            self._file.seek(len(whole))
        except OSError as exc:
            raise Misconfigured(f"the file to resume from cannot be used: {exc.strerror} ({path})") from exc
        except (ValueError, KeyError, TypeError, Malformed) as exc:
            raise Misconfigured(f"expected a file of an unfinished run, found another one: {exc} ({path})") from exc
        if not whole:
            self._write({"run": run})

    def _read(self, whole: bytes, run: Mapping[str, Any]) -> None:
        lines = [json.loads(line) for line in whole.splitlines()]
        if lines and lines[0]["run"] != run:
            raise Misconfigured(
                f"the file to resume from is of another run: expected {run}, found {lines[0]['run']} ({self._path}); "
                "name another file, or remove it to begin anew"
            )
        for line in lines[1:]:
            done = codec.load_state(_Done, line)
            self._done[done.source, done.recording] = done

    def __len__(self) -> int:
        return len(self._done)

    def answers(self, source: str, recording: str, revisions: Sequence[int]) -> Sequence[Item] | None:
        done = self._done.get((source, recording))
        return done.items if done is not None and done.revisions == tuple(revisions) else None

    def keep(self, source: str, recording: str, revisions: Sequence[int], items: Sequence[Item]) -> None:
        if any(item.result == "fail" for item in items):
            return
        done = _Done(source=source, recording=recording, revisions=tuple(revisions), items=tuple(items))
        self._write(asdict(done))

    def _write(self, line: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(line, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n")
        self._file.flush()

    def close(self, *, finished: bool) -> None:
        """Put the file away; *finished*: the run is through and there is nothing to go on with."""
        self._file.close()
        if finished:
            self._path.unlink(missing_ok=True)
