"""Which of the files named to ``unbroken check`` are one recording, and which lie there to describe the others.

A folder is a recording, several files are one together, a list (HLS) is a recording of what it names. Lists and init
segments found in a folder serve the files beside them. A list's entries are looked for inside the list's folder alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from io import FileIO
from pathlib import Path
from typing import Final, NamedTuple

import typer

from pipeline.adapters.digest import open_to_read
from pipeline.adapters.media_init import Fragment, Init, look
from pipeline.cli.check_read import named_media
from pipeline.connectors.folder import Candidate, discover
from pipeline.connectors.names import text_of
from pipeline.domain.check import FileRead
from pipeline.domain.grounds import Unread
from pipeline.domain.hls_claims import Entry, Playlist, inside, read
from pipeline.domain.identity import Sha256
from pipeline.domain.listing import Held, Listing

_LISTS: Final = frozenset({".m3u8", ".m3u"})
_BOXED: Final = frozenset({".m4s", ".cmfv", ".cmfa", ".cmft", ".mp4", ".m4v", ".m4a", ".mov", ".m4f", ".init"})
_MAX_LIST_BYTES: Final = 64 << 20
"""A list of a quarter of a million entries has about 20 MB."""
_NAMED: Final = 20
_ELSEWHERE: Final = "not in the list's own folder, so not looked at: copy it beside the list"
_NO_INIT: Final = "it needs its init segment (init.mp4 or what EXT-X-MAP names): put that beside it and check again"
_INITS: Final = "several init segments beside it could describe it: put it in a folder with its own, or give its list"


class List(NamedTuple):
    """A list as it lies there. ``paths``: where each entry's file is; ``missing``: whether it was looked for in vain."""

    name: str
    path: Path
    playlist: Playlist
    paths: tuple[Path | None, ...]
    missing: tuple[bool, ...]
    given: bool

    def held(self, files: Mapping[Path, Sha256]) -> Listing:
        """The list with the files that were read."""
        rows = zip(self.playlist.entries, self.paths, self.missing, strict=True)
        held = tuple(Held(entry, files.get(path) if path else None, missing) for entry, path, missing in rows)
        return Listing(self.name, held, self.given, self.playlist.open_ends)


@dataclass(frozen=True, slots=True)
class Group:
    """Files that are one recording. ``given``: a person named them one by one. ``kept``: said to be without media if it is.
    ``inits``: what describes a file that does not describe itself; ``opaque``: why a file may not be readable as it lies."""

    name: str
    candidates: list[Candidate]
    given: bool = False
    kept: bool = False
    lists: tuple[List, ...] = ()
    unread: tuple[Unread, ...] = ()
    passed_over: tuple[Unread, ...] = ()
    inits: Mapping[Path, Path] = field(default_factory=dict)
    opaque: Mapping[Path, str] = field(default_factory=dict)

    @property
    def paths(self) -> set[Path]:
        """Everything that is read for it."""
        lists = (one.path for one in self.lists)
        return {*(one.path for one in self.candidates), *lists, *self.inits.values()}

    def listings(self, files: Mapping[Path, FileRead]) -> list[Listing]:
        """Its lists with the files that were read."""
        digests = {path: file.sha256 for path, file in files.items()}
        return [one.held(digests) for one in self.lists]

    def apart(self) -> Iterator[Group]:
        """Each of its files as a group of its own; what lies beside it still describes it."""
        for one in self.candidates:
            name = one.name if self.given else text_of(Path(self.name) / one.path.name)
            yield Group(name, [one], given=self.given, inits=self.inits, opaque=self.opaque)
        if self.unread or self.passed_over:
            yield Group(self.name, [], unread=self.unread, passed_over=self.passed_over)


def groups(paths: Sequence[Path], *, each: bool, recursive: bool, zone: tzinfo) -> Iterator[Group]:
    """What is to be judged, one recording after the other."""
    for group in _groups(paths, recursive=recursive, zone=zone):
        if each:
            yield from group.apart()
        else:
            yield group


def _groups(paths: Sequence[Path], *, recursive: bool, zone: tzinfo) -> Iterator[Group]:
    loose: dict[Path, Candidate] = {}
    for path in paths:
        if path.suffix.lower() in _LISTS and path.is_file():
            yield _of_list(path, zone)
        elif not _is_folder(path):
            loose |= {candidate.path: candidate for candidate in discover([path])}
        else:
            yield from _of_folder(path, recursive=recursive, zone=zone)
    if loose:
        names = [one.name for one in loose.values()]
        name = names[0] if len(names) == 1 else f"{len(names)} files"
        yield _described(Group(name, list(loose.values()), given=True))


def _of_folder(path: Path, *, recursive: bool, zone: tzinfo) -> Iterator[Group]:
    found = list(discover([path]))
    root = path.resolve()
    mine = [one for one in found if recursive or one.path.parent == root or one.path == root]
    below = sum(named_media(one.path) for one in found) - sum(named_media(one.path) for one in mine)
    if below:
        typer.echo(f"{text_of(path)}: media in folders below it is not looked at ({below}); -r does", err=True)
    folders: dict[Path, list[Candidate]] = {} if recursive else {root: []}
    for one in mine:
        folders.setdefault(one.path.parent if one.path != root else root, []).append(one)
    for folder, beside in folders.items():
        name = text_of((path if path.name not in ("", "..") else Path(root.name)) / folder.relative_to(root))
        yield _described(_with_lists(Group(name, beside, kept=not recursive), zone))


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


# Lists.


def _of_list(path: Path, zone: tzinfo) -> Group:
    """The recording a list names."""
    name = text_of(path.name)
    found = _read_list(path.resolve(), zone, given=True)
    if isinstance(found, str):
        return Group(name, [], unread=(Unread(name, found),))
    files = dict.fromkeys(file for file in found.paths if file is not None)
    root = path.resolve().parent
    candidates = [
        replace(candidate, name=text_of(file.relative_to(root))) for file in files for candidate in discover([file])
    ]
    elsewhere = dict.fromkeys(entry.uri for entry in found.playlist.entries if not entry.gap and not inside(entry.uri))
    unread = [Unread(text_of(uri), _ELSEWHERE) for uri in list(elsewhere)[:_NAMED]]
    if len(elsewhere) > _NAMED:
        unread.append(Unread(f"{len(elsewhere) - _NAMED} more entries", _ELSEWHERE))
    gone = sum(found.missing)
    if gone and not candidates:
        unread.append(Unread(name, f"none of the {gone} files it names is there: copy them beside it"))
    return _described(Group(name, candidates, given=True, lists=(found,), unread=tuple(unread)))


def _with_lists(group: Group, zone: tzinfo) -> Group:
    """*group* with the lists among its files taken for what they are; one that names none of the others is passed over."""
    lists: list[List] = []
    passed_over: list[Unread] = []
    others = [one for one in group.candidates if one.path.suffix.lower() not in _LISTS or one.stamp is None]
    here = {one.path for one in others}
    for one in group.candidates:
        if one.path in here:
            continue
        found = _read_list(one.path, zone, given=False)
        if isinstance(found, List) and here.isdisjoint(path for path in found.paths if path):
            found = "a list of files that are not here"
        if isinstance(found, str):
            passed_over.append(Unread(one.name, found))
        else:
            lists.append(found)
    return replace(group, candidates=others, lists=tuple(lists), passed_over=tuple(passed_over))


def _read_list(path: Path, zone: tzinfo, *, given: bool) -> List | str:
    """A list and where its files are, or why it is none."""
    try:
        with FileIO(open_to_read(str(path)), "rb") as file:
            data = file.read(_MAX_LIST_BYTES + 1)
    except OSError as exc:
        return f"cannot be read: {exc.strerror or exc}"
    if len(data) > _MAX_LIST_BYTES:
        return f"a list of more than {_MAX_LIST_BYTES >> 20} MiB: no recorder writes such"
    playlist = read(data, zone)
    if playlist.variants:
        shown = ", ".join(text_of(uri) for uri in playlist.variants[:_NAMED])
        return f"a master playlist, which names lists and no files: check one of {shown}"
    if not playlist.entries:
        return "; ".join(("a list without entries", *playlist.faults))
    places = [_place(path.parent, entry.uri) for entry in playlist.entries]
    missing = tuple(
        place is None and not entry.gap and bool(inside(entry.uri))
        for place, entry in zip(places, playlist.entries, strict=True)
    )
    paths = tuple(None if entry.gap else place for place, entry in zip(places, playlist.entries, strict=True))
    return List(text_of(path.name), path, playlist, paths, missing, given)


def _place(folder: Path, uri: str) -> Path | None:
    """The file an entry means; ``None`` if none is there. A link that leads out of the folder leads nowhere."""
    for name in inside(uri):
        try:
            found = (folder / name).resolve(strict=True)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, RuntimeError):  # it is there and cannot be looked at: said when it is read
            return folder / name
        if found.is_relative_to(folder):
            return found
    return None


# Init segments.


def _described(group: Group) -> Group:
    """*group* with what describes its fragments found, and not taken for a file of the recording itself."""
    opaque = dict(_ciphers(group.lists))
    seen = {one.path: look(one.path) for one in group.candidates if one.stamp and one.path.suffix.lower() in _BOXED}
    inits = {path: found for path, found in seen.items() if isinstance(found, Init)}
    fragments = {path: found for path, found in seen.items() if isinstance(found, Fragment)}
    if not fragments:
        return replace(group, opaque=opaque)
    mapped = dict(_maps(group.lists))
    beside = {path: found for path in {*inits, *mapped.values()} if isinstance(found := look(path), Init)}
    chosen: dict[Path, Path] = {}
    for path, fragment in fragments.items():
        fitting = [init for init, found in beside.items() if found.fits(fragment)]
        if path in mapped:
            chosen[path] = mapped[path]
        elif len(beside) == 1 or len(fitting) == 1:
            (chosen[path],) = beside if len(beside) == 1 else fitting
        else:
            opaque.setdefault(path, _INITS if fitting else _NO_INIT)
    used = set(chosen.values()) | set(inits)
    passed_over = [
        Unread(one.name, f"an init segment: it describes {count} of the files and holds no media itself")
        for one in group.candidates
        if one.path in used
        for count in [sum(init == one.path for init in chosen.values())]
    ]
    return replace(
        group,
        candidates=[one for one in group.candidates if one.path not in used],
        passed_over=(*group.passed_over, *passed_over),
        inits=chosen,
        opaque=opaque,
    )


def _maps(lists: Sequence[List]) -> Iterator[tuple[Path, Path]]:
    """Files and the init segments their lists name for them."""
    for folder, entry, path in _rows(lists):
        if entry.init and path and (init := _place(folder, entry.init)):
            yield path, init


def _ciphers(lists: Sequence[List]) -> Iterator[tuple[Path, str]]:
    for _, entry, path in _rows(lists):
        if entry.cipher and path:
            yield path, f"encrypted ({entry.cipher}): decrypt it with the key its list names, and check again"


def _rows(lists: Sequence[List]) -> Iterator[tuple[Path, Entry, Path | None]]:
    for one in lists:
        for entry, path in zip(one.playlist.entries, one.paths, strict=True):
            yield one.path.parent, entry, path
