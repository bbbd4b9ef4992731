"""``unbroken check`` in English."""

from __future__ import annotations

from typing import Final

from pipeline.cli.check_words import Kind, Words
from pipeline.cli.terms import TERMS

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
