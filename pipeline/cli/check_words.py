"""The words of ``unbroken check`` for people, in every language it speaks: data, and how a count or a length is said.

A language is one :class:`Words`; leaving a word out is a type error. ``one|many`` in a word is chosen by its ``count``.
Names of files are put into words as values and are never read as words themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, NamedTuple

from pipeline.cli.terms import TERMS
from pipeline.domain.check import Basis, Observation, Untested, UntestedWhy, unopened_in_short
from pipeline.domain.findings import Evidence, FindingKind, Level
from pipeline.domain.probe import MediaKind, StreamKind
from pipeline.domain.recording import Verdict
from pipeline.domain.statement import Language
from pipeline.domain.time import ClockOrigin, WallMs

_SHOWN_NAMES: Final = 3
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Kind(NamedTuple):
    """A kind of finding: its name, what was expected, and what was found, the first whose values are all known."""

    name: str
    expected: str
    found: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """One language. A name says where the word stands; groups of words are by what they name."""

    tag: str
    title: str
    made: str
    made_at: str
    made_with: str
    software: str
    policy: str
    summary: str
    nothing: str
    recording: str
    verdict: str
    contents: str
    happened: str
    when: str
    sure: str
    untested: str
    timeline: str
    findings: str
    files: str
    passed_over: str
    how_to_read: str
    not_proven: str
    headline: Mapping[Verdict, str]
    gaps: str
    others: str
    others_of: str
    no_time: str
    length_error: str
    missing: str
    length: str
    file_count: str
    comma: str
    colon: str
    more_below: str
    more_unread: str
    clock_error: str
    timed_story: str
    recorded_at: str
    recorded_times: str
    unknown_time: str
    give_or_take: str
    no_error: str
    gap_story: str
    other_story: str
    further: str
    between: str
    inside: str
    repeats: str
    stream: str
    no_place: str
    place_within: str
    to: str
    expected: str
    found: str
    level: str
    kind: str
    place: str
    evidence_column: str
    number: str
    technical: str
    cut: str
    whole: str
    not_one_file: str
    files_row: str
    files_together: str
    legend: str
    zoom_in: str
    zoom_out: str
    zoom_all: str
    zoom_help: str
    no_timeline: str
    mark: str
    span_title: str
    file_name: str
    size: str
    container: str
    reader: str
    start: str
    end: str
    duplicate: str
    files_cut: str
    digests: str
    basis_one: str
    basis: str
    basis_origin: str
    reasons: Mapping[str, str]
    other_reason: str
    joined: str
    hours: str
    minutes: str
    seconds: str
    read_these: tuple[str, ...]
    proves_not: tuple[str, ...]
    verdicts: Mapping[Verdict, str]
    levels: Mapping[Level, str]
    evidence: Mapping[Evidence, str]
    streams: Mapping[StreamKind, str]
    media: Mapping[MediaKind, str]
    kinds: Mapping[FindingKind, Kind]
    why_untested: Mapping[UntestedWhy, str]
    clocks: Mapping[Evidence, str]
    origins: Mapping[ClockOrigin, str]


def say(word: str, **values: object) -> str:
    """A word with its values in their places.

    >>> say("{count} gap|{count} gaps", count=1200)
    '1,200 gaps'
    """
    one, _, many = word.partition("|")
    spoken = {name: f"{value:,}" if isinstance(value, int) else value for name, value in values.items()}
    return (many if many and values.get("count") != 1 else one).format(**spoken)


def length(words: Words, ms: int) -> str:
    """A length of time to the millisecond: nothing is rounded, since one frame decides."""
    seconds, rest = divmod(ms, 1000)
    if seconds < 60:
        return say(words.seconds, s=f"{seconds}.{rest:03d}")
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    spoken = say(words.minutes, m=minutes, s=f"{seconds:02d}.{rest:03d}")
    return say(words.hours, h=hours, rest=spoken) if hours else spoken


def local(at: WallMs, zone: tzinfo) -> datetime:
    """An instant on the clocks of a zone."""
    return (_EPOCH + timedelta(milliseconds=at)).astimezone(zone)


def clock(at: WallMs, since: WallMs | None, zone: tzinfo) -> str:
    """Clock time to the millisecond, with the date where it is another day than *since*."""
    moment = local(at, zone)
    same = since is not None and local(since, zone).date() == moment.date()
    return moment.strftime("%H:%M:%S" if same else "%Y-%m-%d %H:%M:%S") + f".{at % 1000:03d}"


def untested(words: Words, item: Untested) -> str:
    """What the verdict says nothing about, as a sentence."""
    more = len(item.files) - _SHOWN_NAMES
    names = ", ".join(item.files[:_SHOWN_NAMES]) + (say(words.further, count=more) if more > 0 else "")
    size = say(words.seconds, s=f"{(item.size_ms or 0) // 1000}.{(item.size_ms or 0) % 1000:03d}")
    word = words.why_untested[item.why]
    return say(word, count=item.how_many, files=names, size=size, reason=reason(words, item.reason))


def rests_on(words: Words, bases: Sequence[Basis]) -> Iterator[str]:
    """What places the files in time, a sentence for each kind of basis."""
    for basis in bases:
        word = words.basis_one if sum(one.files for one in bases) == 1 else words.basis
        spoken = say(word, count=basis.files, clock=words.clocks[basis.evidence])
        if basis.origin is not None:
            error = length(words, basis.error_ms or 0)
            spoken += say(words.basis_origin, origin=words.origins[basis.origin], error=error)
        yield spoken


def reason(words: Words, text: str) -> str:
    """Why a file was not opened or is no media, in this language, or else in the system's own words."""
    for pattern, said in words.reasons.items():
        if (match := re.match(pattern, text)) is not None:
            return say(said, **match.groupdict())
    return say(words.other_reason, reason=text)


def found(words: Words, item: Observation) -> str:
    """What was found, said from the numbers of the finding."""
    values = {"size": None if item.size_ms is None else length(words, item.size_ms), "many": item.how_many}
    known = {name: value for name, value in values.items() if value is not None}
    for sentence in words.kinds[item.kind].found[:-1]:
        if all(f"{{{name}}}" not in sentence for name in values.keys() - known.keys()):
            return say(sentence, count=item.how_many, **known)
    return words.kinds[item.kind].found[-1]


ENGLISH: Final = Words(
    tag="en",
    title="Are these recordings whole?",
    made="How this page was made",
    made_at="Made at",
    made_with="By the command",
    software="Software",
    policy="Judged by policy",
    summary="Recordings",
    nothing="Nothing to judge: there are no media files there.",
    recording="Recording",
    verdict="Verdict",
    contents="On this page",
    happened="What happened",
    when="When",
    sure="How sure this is",
    untested="What could not be tested",
    timeline="Timeline",
    findings="All findings",
    files="Files",
    passed_over="Files that are no media, passed over",
    how_to_read="How to read this page",
    not_proven="What this page does not prove",
    headline={
        "continuous": "no interruption was found in {span}, {files}",
        "interrupted": "{what}, {files}",
        "degraded": "no time is missing altogether in {span}, but some of it was recorded badly; {files}",
        "not_testable": "whether anything is missing cannot be told; {files}",
        "unreadable": "none of the files could be read; {files}",
    },
    gaps="{count} gap, {missing} of {span} missing|{count} gaps, {missing} of {span} missing",
    others="{count} other interruption|{count} other interruptions",
    others_of="{count} × “{kind}”",
    no_time="time unknown",
    length_error="; its length may be off by up to {error}",
    missing="missing {size}",
    file_count="{count} file|{count} files",
    comma=", ",
    colon=": ",
    more_below="{count} more interruption, in the table below.|{count} more interruptions, in the table below.",
    more_unread="{count} more, which the JSON output lists",
    clock_error="clock times ± {error}",
    timed_story="{kind}, from {start} to {end}: {found}{place}. This rests on {evidence}.",
    length="{span} from the first sample to the last, {covered} of it recorded",
    recorded_at="{start} to {end} ({zone})",
    recorded_times="Clock times come from {origin}; {error}.",
    unknown_time="At an unknown time; {covered} recorded.",
    give_or_take="all of them may be off by {error}",
    no_error="as exact as written",
    gap_story="From {start} to {end}, {size} of recording are missing{place}. This rests on {evidence}.",
    other_story="{kind}: {found}{place}. This rests on {evidence}.",
    further=" and {count} more",
    between="between {after} and {file}",
    inside="in {file}",
    repeats="{file} repeats {after}",
    stream="{kind} {number}",
    no_place="place unknown",
    place_within="within {when}",
    to="{start} to {end}",
    expected="Expected",
    found="Found",
    level="Weight",
    kind="Finding",
    place="Where",
    evidence_column="Rests on",
    number="No.",
    technical="Technically: expected {expected}; found {found}",
    cut="The {shown} gravest of {count} findings; the JSON output lists all.",
    whole="whole recording",
    not_one_file="No file could be judged.",
    files_row="{count} file|{count} files",
    files_together=" The {count} files are drawn together where they touch.",
    legend="Solid: recorded. Hatched and dashed: missing. Numbers: the rows under “All findings”. Bars of files alternate in shade.",
    zoom_in="Zoom in",
    zoom_out="Zoom out",
    zoom_all="Show all",
    zoom_help="Ctrl and wheel, or + and - on the keyboard, zoom; 0 shows all; arrow keys and the scroll bar move.",
    no_timeline="No timeline: nothing places these files on a clock.",
    mark="Finding {number}: {kind}, {when}",
    span_title="{name}: {start} to {end}",
    file_name="File",
    size="Size (bytes)",
    container="Container",
    reader="Read by",
    start="From",
    end="To",
    duplicate="repeat of a file before it",
    files_cut="Shown are {shown} of {count} files: the first, and those with a finding or beside a gap. All are in the list of digests below.",
    digests="SHA-256 of all {count} files, as sha256sum writes them",
    basis_one="{count} file: the time stamps of its own samples, where its format keeps any",
    basis="{count} file: order, and gaps between files, by {clock}|{count} files: order, and gaps between files, by {clock}",
    basis_origin="; clock times from {origin}, give or take {error}",
    reasons={},
    other_reason="{reason}",
    joined="; ",
    hours="{h} h {rest}",
    minutes="{m} min {s} s",
    seconds="{s} s",
    read_these=(
        "The verdict comes first. Interrupted: time that should be recorded is not. Degraded: every moment is recorded by "
        "something, but not well. Continuous: neither was found. Not testable and unreadable: the files cannot tell.",
        "The first bar of the timeline is the whole recording; the bars under it are its streams (picture, sound) and its files. "
        "Hatched is missing. A number leads to the row of the table that explains it.",
        "What a finding rests on says how sure it is, strongest first: an identity the recorder wrote into the files; its "
        "numbers; the time stamps inside the files, which size a gap to one picture; clock times, which are as exact as the clock.",
        "Times are clock times in the zone named beside them, to the millisecond. Where they may be off, all of them are off together: "
        "the length of a gap by time stamps does not suffer from it.",
    ),
    proves_not=(
        "That the picture shows what happened: a covered lens or a frozen picture has perfect time stamps.",
        "That nobody altered the files. The SHA-256 beside each file says which bytes were judged, and shows any later change.",
        "That the recorder's clock was right, or what happened before the first sample and after the last.",
        "Why something is missing: a gap may have a good reason, which is not in the files.",
    ),
    verdicts=TERMS["en"].verdicts,
    levels={"interruption": "Interruption", "degradation": "Degradation", "note": "Note"},
    evidence={
        "identity": "an identity and stream time the recorder wrote into the files (exact)",
        "sequence": "the recorder's own numbers (exact, but without a length)",
        "media_clock": "the time stamps inside the files (exact to one picture)",
        "wall_clock": "clock times alone (as exact as the clock)",
        "bytes": "the bytes of the file themselves (certain)",
        "totals": "totals compared (certain, but the place is unknown)",
        "none": "nothing: it says what could not be judged",
    },
    streams={"video": "picture", "audio": "sound", "other": "other stream"},
    media={"timed": "recording", "photo": "still picture", "unreadable": "unreadable"},
    kinds={
        "gap": Kind("Gap", "recording that runs on", ("{size} missing", "something missing")),
        "partial_gap": Kind(
            "Gap in one stream",
            "every stream to run on",
            ("one stream is silent for {size} while another runs", "one stream is silent"),
        ),
        "dropped_frames": Kind(
            "Dropped frames",
            "an even rhythm",
            ("about {many} frames missing, {size} in all", "single frames are missing"),
        ),
        "packet_loss": Kind(
            "Lost packets",
            "transport packets without a hole in their count",
            ("{many} packets missing", "packets missing"),
        ),
        "overlap": Kind(
            "Overlap", "each moment once", ("{size} recorded more than once", "some of it recorded more than once")
        ),
        "duplicate": Kind(
            "Repeated file", "each file once", ("the same bytes as another file", "the same bytes as another file")
        ),
        "out_of_order": Kind(
            "Out of order",
            "the latest last",
            ("{many} parts of the file behind later ones", "a file of an earlier time"),
        ),
        "timestamp_reset": Kind(
            "Time stamps start anew",
            "time stamps that run on",
            (
                "they step back by {size}; what lies between is not known",
                "they start anew {many} times, without a hole in the clock times",
                "they start anew",
            ),
        ),
        "clock_step": Kind(
            "Clock or dates wrong",
            "a clock that only advances, and dates that can be right",
            ("the clock steps by {size} while the recording runs on", "clock times or file dates that cannot be right"),
        ),
        "clock_drift": Kind(
            "Clock drifts",
            "a clock that keeps time",
            ("it gains or loses {size} in all", "it does not keep time"),
        ),
        "hidden_loss": Kind(
            "Hidden loss",
            "as much recording as time passed",
            ("{size} passed that the time stamps do not tell of", "less recording than time passed"),
        ),
        "truncated": Kind(
            "Cut off", "a file that is whole to its end", ("{size} of its end missing", "its end is missing")
        ),
        "uneven_ends": Kind(
            "Streams of unequal length",
            "streams of one length",
            ("one begins or ends {size} apart from another", "streams of unequal length"),
        ),
        "empty_stream": Kind("Empty stream", "something in each declared stream", ("nothing in it", "nothing in it")),
        "declared_discontinuity": Kind(
            "Announced break",
            "no break",
            ("{many} announced by the recorder itself", "announced by the recorder itself"),
        ),
        "format_change": Kind(
            "Format changes", "one format throughout", ("another format from here on", "another format from here on")
        ),
        "missing_sequence": Kind(
            "Missing numbers", "numbers without a hole", ("{many} missing from the count", "numbers missing")
        ),
        "reader_disagreement": Kind(
            "Readers disagree", "two readers that find the same", ("they differ", "they differ")
        ),
        "unreadable": Kind(
            "Unreadable file", "a file that can be read", ("nothing in it can be read", "nothing in it can be read")
        ),
        "not_testable": Kind(
            "Not testable",
            "something to judge by",
            ("time stamps, pictures or dates that tell nothing", "time stamps, pictures or dates that tell nothing"),
        ),
    },
    why_untested={
        "no_media": "anything: there is no media file here",
        "unread": "{files}: {reason}",
        "unreadable": "{files}: copy again from the device and check again; keep the original medium",
        "photo": "{files}: a still picture has no length to test",
        "untimed": "{files}: something in it has no time stamps to judge by, or hardly a frame",
        "unplaced": "what lies between {count} of the files: nothing places them in time",
        "wall_clock": "holes of up to {size} between files: only a wall clock places them, and it is no more exact",
        "stamps_alone": "when it was recorded: copying changed the files' dates; their stamps tell what lies between them, not the day",
        "dates_alone": "whether the files' dates are the recorder's: copying may change them, and nothing else places some files",
        "dates_wrong": "what lies between the files: their dates do not fit each other or the time stamps; copying may have changed them",
        "uncorroborated": "whether the time stamps are the recorder's: no other clock confirms them, so a piece cut out and the rest stamped anew would not show",
        "outside": "what happened before the first sample and after the last: no file can tell",
    },
    clocks={
        "identity": "the identity and stream time their recorder wrote into them",
        "media_clock": "the clock of their own time stamps, which runs on from file to file",
        "wall_clock": "wall clock alone, each file's stamps begin anew",
        "none": "nothing: no plausible time is known",
    },
    origins={
        "file_name": "the files' names",
        "container": "the time inside the files",
        "file_system": "the files' dates, which copying may change",
        "recorder": "the recorder",
        "dock": "the dock",
        "operator": "a person",
        "playlist": "the playlist beside the files",
        "media": "the recorder's clock inside the files",
    },
)

CHINESE: Final = Words(
    tag="zh-Hans",
    title="录像连续性检查报告",
    made="本报告的生成",
    made_at="生成时间",
    made_with="所用命令",
    software="软件版本",
    policy="判定规则版本",
    summary="各段录像",
    nothing="没有可检查的内容：所给位置没有音视频文件。",
    recording="录像",
    verdict="结论",
    contents="本页内容",
    happened="发生了什么",
    when="时间",
    sure="可靠程度",
    untested="未能检查的内容",
    timeline="时间轴",
    findings="全部发现",
    files="文件",
    passed_over="不是音视频、未检查的文件",
    how_to_read="如何阅读本报告",
    not_proven="本报告不能证明什么",
    headline={
        "continuous": "在 {span}内未发现中断，{files}",
        "interrupted": "{what}，{files}",
        "degraded": "{span}内没有完全缺失的时间，但部分内容记录不完好；{files}",
        "not_testable": "无法判断是否有缺失；{files}",
        "unreadable": "所有文件均无法读取；{files}",
    },
    gaps="{count} 处缺失，{span}中共缺 {missing}",
    others="另有 {count} 处中断",
    others_of="另有 {count} 处“{kind}”",
    no_time="时间不明",
    length_error="；其长度误差可达 {error}",
    missing="缺 {size}",
    file_count="{count} 个文件",
    comma="，",
    colon="：",
    more_below="另有 {count} 处中断，见下表。",
    more_unread="另有 {count} 项，见 JSON 输出",
    clock_error="时刻误差 ±{error}",
    timed_story="{kind}，{start} 至 {end}：{found}{place}。依据：{evidence}。",
    length="从第一个采样到最后一个采样共 {span}，其中已录 {covered}",
    recorded_at="{start} 至 {end}（{zone}）",
    recorded_times="时刻取自{origin}；{error}。",
    unknown_time="录制时间不明；已录 {covered}。",
    give_or_take="所有时刻可能整体偏差 {error}",
    no_error="与所记载的同样精确",
    gap_story="{start} 至 {end}，缺失 {size}的录像{place}。依据：{evidence}。",
    other_story="{kind}：{found}{place}。依据：{evidence}。",
    further=" 等，另有 {count} 个",
    between="位于 {after} 与 {file} 之间",
    inside="位于 {file} 之内",
    repeats="{file} 与 {after} 重复",
    stream="{kind} {number}",
    no_place="位置不明",
    place_within="在 {when} 之内",
    to="{start} 至 {end}",
    expected="应有情况",
    found="实际情况",
    level="程度",
    kind="发现",
    place="位置",
    evidence_column="依据",
    number="序号",
    technical="技术原文（英文）：expected {expected}; found {found}",
    cut="共 {count} 项发现，此处列出最严重的 {shown} 项；JSON 输出中列有全部。",
    whole="整段录像",
    not_one_file="没有任何文件可供判定。",
    files_row="{count} 个文件",
    files_together="{count} 个文件中相接的合并绘制。",
    legend="实心：已录制。斜线加虚线框：缺失。编号：对应“全部发现”中的行。文件条以深浅交替区分。",
    zoom_in="放大",
    zoom_out="缩小",
    zoom_all="显示全部",
    zoom_help="按住 Ctrl 滚动滚轮，或按键盘 + 和 - 缩放；按 0 显示全部；方向键和滚动条可左右移动。",
    no_timeline="没有时间轴：没有任何依据能确定这些文件的时刻。",
    mark="第 {number} 项发现：{kind}，{when}",
    span_title="{name}：{start} 至 {end}",
    file_name="文件名",
    size="大小（字节）",
    container="封装格式",
    reader="读取程序",
    start="起",
    end="止",
    duplicate="与前面的文件重复",
    files_cut="共 {count} 个文件，此处列出 {shown} 个：最前面的，以及有发现或与缺失相邻的。全部文件见下面的摘要值清单。",
    digests="全部 {count} 个文件的 SHA-256（sha256sum 格式）",
    basis_one="{count} 个文件：依据其自身采样的时间戳（其格式存有时间戳时）",
    basis="{count} 个文件：先后次序以及文件之间的缺失，依据{clock}",
    basis_origin="；时刻取自{origin}，误差 ±{error}",
    reasons={
        "0 bytes": "0 字节：请从设备重新复制；若设备上也是空的，则当时没有录到内容",
        "changed while": "读取过程中文件发生变化：请待录像机录完或复制完成后再检查",
        "gone since": "文件在找到之后又消失了：存储卡或硬盘还在吗？",
        "a link took": "文件在找到之后被链接取代：请直接给出链接所指的文件",
        "permission denied": "没有读取权限：请授予当前用户读取权限",
        "the medium cannot": "此存储介质在本机无法读取：请复制能读出的部分，并保留存储卡",
        "not there": "文件已不存在",
        "not found": "没有找到",
        "a symbolic link": "不跟随符号链接，请直接给出文件",
        "not a regular file": "不是普通文件",
        "its path is too long": "路径过长，本系统无法打开",
        "not media by": "从文件名和文件开头看都不是音视频",
        "a thumbnail": "缩略图，不是录像",
        "a note macOS": "macOS 在文件旁写下的附注，不是录像",
        "a preview copy": "预览副本，不是录像",
        "unfinished": "从文件名看尚未完成",
        "not in the list's own folder": "不在播放列表所在的文件夹内，未检查：请复制到播放列表旁边",
        "none of the (?P<files>[0-9]+) files it names": "所列的 {files} 个文件都不在：请复制到播放列表旁边",
        "it needs its init segment": "缺少初始化片段（init.mp4 或 EXT-X-MAP 所指的文件）：请放到旁边后再检查",
        "several init segments": "旁边有多个可能适用的初始化片段：请与它自己的放在单独的文件夹中，或给出其播放列表",
        "an init segment: it describes (?P<files>[0-9]+)": "初始化片段：说明其中 {files} 个文件，本身没有音视频内容",
        "a list of files that are not here": "播放列表，所列文件不在此处",
        "a list of more than (?P<size>[0-9]+) MiB": "超过 {size} MiB 的播放列表：没有录像机会写出这样的列表",
        "a master playlist, .*: check one of (?P<names>.*)": "主播放列表，只列出其他播放列表：请检查其中之一：{names}",
        "a list without entries": "没有条目的播放列表",
        r"encrypted \((?P<cipher>.*)\)": "已加密（{cipher}）：请用播放列表所指的密钥解密后再检查",
    },
    other_reason="无法读取，系统原文：{reason}",
    joined="；",
    hours="{h} 小时 {rest}",
    minutes="{m} 分 {s} 秒",
    seconds="{s} 秒",
    read_these=(
        "先看结论。有中断：应当录制的时间没有录到。质量下降：每一刻都有某种记录，但不完好。连续：两者均未发现。"
        "无法检查、无法读取：文件本身不能说明。",
        "时间轴第一行是整段录像，下面各行依次是其中的各路内容（画面、声音）和各个文件。斜线部分为缺失。点击编号可跳到表中说明它的那一行。",
        "“依据”说明可靠程度，由强到弱：录像机写入文件的标识；录像机自己的编号；文件内的时间戳，可将缺失长度精确到一帧；时刻，只与时钟同样精确。",
        "所有时刻均为所注时区的时刻，精确到毫秒。若时刻有偏差，则全部一起偏差：按时间戳得出的缺失长度不受影响。",
    ),
    proves_not=(
        "不能证明画面真实反映了现场：镜头被遮挡或画面冻结时，时间戳仍然完好。",
        "不能证明文件未被改动。每个文件旁的 SHA-256 说明检查的是哪些字节，此后的任何改动都会显现。",
        "不能证明录像机的时钟准确，也不能说明第一个采样之前和最后一个采样之后发生了什么。",
        "不能说明缺失的原因：缺失可能有正当理由，但理由不在文件之中。",
    ),
    verdicts=TERMS["zh"].verdicts,
    levels={"interruption": "中断", "degradation": "质量下降", "note": "提示"},
    evidence={
        "identity": "录像机写入文件的标识和流时间（精确）",
        "sequence": "录像机自己的编号（准确，但不含时长）",
        "media_clock": "文件内的时间戳（精确到一帧）",
        "wall_clock": "仅有时刻（与时钟同样精确）",
        "bytes": "文件的字节本身（确定）",
        "totals": "总量比较（确定，但位置不明）",
        "none": "无依据：说明哪些内容无法判定",
    },
    streams={"video": "画面", "audio": "声音", "other": "其他流"},
    media={"timed": "录像或录音", "photo": "照片", "unreadable": "无法读取"},
    kinds={
        "gap": Kind("缺失", "录制持续不断", ("缺失 {size}", "有缺失")),
        "partial_gap": Kind("单路缺失", "各路内容持续不断", ("其中一路缺失 {size}，其他仍在录制", "其中一路缺失")),
        "dropped_frames": Kind("丢帧", "节奏均匀", ("约缺 {many} 帧，共 {size}", "个别帧缺失")),
        "packet_loss": Kind("丢包", "传输包计数没有空缺", ("缺 {many} 个传输包", "缺传输包")),
        "overlap": Kind("重叠", "每一刻只录一次", ("有 {size}重复录制", "部分时间重复录制")),
        "duplicate": Kind("重复文件", "每个文件只有一份", ("与另一文件字节完全相同", "与另一文件字节完全相同")),
        "out_of_order": Kind("次序颠倒", "最新的在最后", ("文件内有 {many} 处排在更晚的部分之后", "文件的时间更早")),
        "timestamp_reset": Kind(
            "时间戳重新开始",
            "时间戳持续递增",
            ("时间戳倒退 {size}，其间情况不明", "时间戳重新开始 {many} 次，时刻上没有空缺", "时间戳重新开始"),
        ),
        "clock_step": Kind(
            "时钟或日期有误",
            "时钟只向前走，日期合乎情理",
            ("录制持续，时钟却跳变 {size}", "时刻或文件日期不可能正确"),
        ),
        "clock_drift": Kind("时钟漂移", "时钟走时准确", ("累计快慢相差 {size}", "走时不准")),
        "hidden_loss": Kind(
            "隐性缺失", "录制长度与流逝时间一致", ("有 {size}流逝而时间戳未反映", "录制长度少于流逝的时间")
        ),
        "truncated": Kind("文件被截断", "文件完整到结尾", ("结尾缺失 {size}", "结尾缺失")),
        "uneven_ends": Kind("各路长度不一", "各路长度一致", ("其中一路的起止与其他相差 {size}", "各路长度不一")),
        "empty_stream": Kind("空的流", "所声明的每一路都有内容", ("没有内容", "没有内容")),
        "declared_discontinuity": Kind(
            "录像机声明的间断", "没有间断", ("录像机自己声明了 {many} 处", "录像机自己声明")
        ),
        "format_change": Kind("格式改变", "格式始终一致", ("从此处起格式不同", "从此处起格式不同")),
        "missing_sequence": Kind("编号缺失", "编号连续", ("编号中缺 {many} 个", "编号有缺")),
        "reader_disagreement": Kind("读取结果不一致", "两种读取方式结果一致", ("结果不同", "结果不同")),
        "unreadable": Kind("文件无法读取", "文件可以读取", ("其中没有可读取的内容", "其中没有可读取的内容")),
        "not_testable": Kind(
            "无法检查", "有可供判定的依据", ("时间戳、画面或日期不能说明问题", "时间戳、画面或日期不能说明问题")
        ),
    },
    why_untested={
        "no_media": "全部内容：此处没有音视频文件",
        "unread": "{files}：{reason}",
        "unreadable": "{files}：请从设备重新复制后再检查，并保留原始存储介质",
        "photo": "{files}：照片没有时长，无从检查连续性",
        "untimed": "{files}：其中有内容没有可用的时间戳，或几乎没有画面帧",
        "unplaced": "其中 {count} 个文件之间的内容：没有任何依据能确定它们的时刻",
        "wall_clock": "文件之间不超过 {size}的空缺：只有时刻可依，而时刻的精度仅此而已",
        "stamps_alone": "录制日期：复制改变了文件日期；时间戳能说明文件之间的情况，但不能说明是哪一天",
        "dates_alone": "文件日期是否为录像机所写：复制可能改变日期，而部分文件没有其他依据",
        "dates_wrong": "文件之间的内容：文件日期彼此不符，或与时间戳不符，可能是复制改变了日期",
        "uncorroborated": "时间戳是否为录像机所写：没有别的时钟佐证，若剪去一段并改写其后的时间戳，无从发现",
        "outside": "第一个采样之前和最后一个采样之后发生了什么：任何文件都不能说明",
    },
    clocks={
        "identity": "录像机写入文件的标识和流时间",
        "media_clock": "文件自身的时间戳，它在文件之间连续计数",
        "wall_clock": "时刻，因为每个文件的时间戳都重新开始",
        "none": "不明：没有可信的时间",
    },
    origins={
        "file_name": "文件名",
        "container": "文件内部记载的时间",
        "file_system": "文件日期（复制可能改变它）",
        "recorder": "录像机",
        "dock": "采集站",
        "operator": "人工说明",
        "playlist": "文件旁的播放列表",
        "media": "文件内的录像机时钟",
    },
)

WORDS: Final[Mapping[Language, Words]] = {"en": ENGLISH, "zh": CHINESE}


def not_tested(words: Words, items: Sequence[Untested], most: int) -> list[str]:
    """A line for each; of files that were not opened, at most *most* and how many more there are."""
    unopened, more, others = unopened_in_short(items, most)
    counted = [say(words.more_unread, count=more)] if more else []
    return [*(untested(words, item) for item in unopened), *counted, *(untested(words, item) for item in others)]
