"""StarNet from its archives: over a bad line, killed and gone on with, by parts, with hostile
members, and verified."""

import io
import itertools
import json
import os
import random
import signal
import struct
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from starnet_archives import FOLDERS, archive, archives, left, places, put, remotes, stem_hz

from timbrebench.core.errors import BenchError, MissingData, UnknownName
from timbrebench.core.fetching import Fetching, Remote, using
from timbrebench.core.inventory import Inventory
from timbrebench.datasets.starnet import derive
from timbrebench.datasets.starnet.dataset import StarNet
from timbrebench.datasets.starnet.derive import Derivers, _Process
from timbrebench.datasets.starnet.layout import selection
from timbrebench.datasets.starnet.options import Options
from timbrebench.testing import check_dataset
from timbrebench.testing.server import Fault, FaultyServer

QUICK = Fetching(timeout=0.3, tries=4, wait=0.01)


def silent(what: str, share: float) -> None:
    assert 0 <= share <= 1


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIMBREBENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return archives()


@pytest.fixture
def server(files: Mapping[str, bytes]) -> Iterator[FaultyServer]:
    with FaultyServer(files) as running, using(QUICK):
        yield running


def starnet(root: Path, server: FaultyServer, **options: Any) -> StarNet:
    return StarNet(Options(**options), root, archives=remotes(server.files, server.url))


def test_over_a_line_that_cuts_stalls_and_damages(server: FaultyServer, tmp_path: Path) -> None:
    rng = random.Random(5)
    size = min(map(len, server.files.values()))
    server.faults = [Fault(cut=rng.randrange(size // 8, size // 4)) for _ in range(9)]
    server.faults[1] = Fault(cut=size // 5, stall=True)
    server.faults[3] = Fault(flip=size - 100)  # of the first part, whose checksum is then wrong
    dataset = starnet(tmp_path / "root", server)
    dataset.prepare(silent)
    assert left(tmp_path / "root") == places()
    assert dataset.missing() == "" and dataset.verify(silent) == {}
    assert [bool(asked) for _, asked in server.asked[:5]] == [False, True, True, True, False]
    corpus = dataset.corpus()
    assert [t.id for t in corpus.tracks] == ["p1/001", "p1/002", "p2/001", "p2/002"]
    assert corpus.rate == 16000 and not corpus.notes["left_out"]
    check_dataset(dataset)


def test_the_stems_are_the_originals_at_16_khz_and_mono(
    server: FaultyServer, tmp_path: Path
) -> None:
    starnet(tmp_path, server).prepare(silent)
    for folder, piece, stem in itertools.product(FOLDERS, (1, 2), range(6)):
        samples, rate = sf.read(tmp_path / f"{folder}/{piece:03d}.{stem}.flac")
        assert (rate, samples.ndim) == (16000, 1)
        assert abs(len(samples) - (0.3 * 44100 + 7 * stem) * 16000 / 44100) <= 1
        radians = 2 * np.pi * stem_hz(folder, piece, stem) * np.arange(len(samples)) / rate
        assert np.abs(samples - 0.3 * np.sin(radians))[500:-500].max() < 1e-3  # the ends ring


def test_a_line_that_never_gets_better_ends_in_words(server: FaultyServer, tmp_path: Path) -> None:
    server.always = Fault(flip=100)
    dataset = starnet(tmp_path, server)
    with pytest.raises(BenchError, match=r"holds another md5.*--mirror"):
        dataset.prepare(silent)
    assert left(tmp_path) == set() and "prepare starnet" in dataset.missing()
    with pytest.raises(MissingData, match="not all that was asked"):
        dataset.corpus()
    server.always = Fault()
    dataset.prepare(silent)
    assert left(tmp_path) == places()


_PREPARE = """
import json, sys
from pathlib import Path
from timbrebench.core.fetching import Fetching, Remote, using
from timbrebench.datasets.starnet.dataset import StarNet
from timbrebench.datasets.starnet.options import Options
archives = {folder: Remote(*fields) for folder, fields in json.loads(sys.argv[2]).items()}
with using(Fetching(timeout=20)):
    StarNet(Options(), Path(sys.argv[1]), archives=archives).prepare(lambda what, share: None)
"""


def process(root: Path, server: FaultyServer) -> "subprocess.Popen[bytes]":
    known = {
        f: (r.name, r.url, r.size, r.checksum) for f, r in remotes(server.files, server.url).items()
    }
    return subprocess.Popen([sys.executable, "-c", _PREPARE, str(root), json.dumps(known)])


def killed_when(process: "subprocess.Popen[bytes]", there: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not there() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_killed_while_it_fetches_it_goes_on(server: FaultyServer, tmp_path: Path) -> None:
    size = len(server.files["starnet_part1.tar.gz"])
    server.faults = [Fault(cut=size // 2, stall=True)]
    part = tmp_path / "starnet_part1.tar.gz.part"
    killed_when(
        process(tmp_path, server), lambda: part.exists() and part.stat().st_size == size // 2
    )
    assert part.stat().st_size == size // 2
    assert process(tmp_path, server).wait(60) == 0
    assert server.asked[1] == ("starnet_part1.tar.gz", f"bytes={size // 2}-")
    assert server.sent == sum(map(len, server.files.values()))
    assert left(tmp_path) == places()


@pytest.mark.parametrize("count", [1, 15])
def test_killed_while_it_unpacks_it_writes_nothing_twice(
    server: FaultyServer, tmp_path: Path, count: int
) -> None:
    inventory = tmp_path / "starnet.inventory.jsonl"

    def stems() -> int:
        return inventory.read_text().count('"file"') if inventory.exists() else 0

    killed_when(process(tmp_path, server), lambda: stems() >= count)
    done = Inventory(tmp_path, "starnet").files
    before = {name: (tmp_path / name).stat() for name in done}
    assert count <= len(done)
    starnet(tmp_path, server).prepare(silent)
    assert left(tmp_path) == places()
    for name, status in before.items():
        assert os.path.samestat((tmp_path / name).stat(), status), name
    assert starnet(tmp_path, server).verify(silent) == {}
    assert server.sent == sum(map(len, server.files.values()))  # each archive once


def test_an_archive_that_is_there_is_not_fetched(server: FaultyServer, tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.mkdir()
    for name, content in server.files.items():
        (given / name).write_bytes(content)
    with using(Fetching(source=given)):
        dataset = starnet(tmp_path / "root", server)
        assert dataset.needs().download == 0
        dataset.prepare(silent)
    assert left(tmp_path / "root") == places() and not server.asked
    assert {p.name for p in given.iterdir()} == set(server.files)


@pytest.mark.parametrize("said", [True, False])
def test_an_archive_of_the_users_in_the_root_is_not_deleted(
    server: FaultyServer, tmp_path: Path, said: bool
) -> None:
    name = "starnet_part1.tar.gz"
    (tmp_path / name).write_bytes(server.files[name])
    with using(Fetching(source=tmp_path if said else None)):
        starnet(tmp_path, server, stems="1").prepare(silent)
    assert left(tmp_path) == places(stems="1") | {name}
    assert [name for name, _ in server.asked] == ["starnet_part2.tar.gz"]


def test_an_archive_that_from_gave_is_not_deleted_when_it_lies_in_the_root_later(
    server: FaultyServer, tmp_path: Path
) -> None:
    given, root = tmp_path / "given", tmp_path / "root"
    given.mkdir()
    for name, content in server.files.items():
        (given / name).write_bytes(content)
    with using(Fetching(source=given)):
        starnet(root, server, stems="1").prepare(silent)
    for name, content in server.files.items():
        (root / name).write_bytes(content)
    starnet(root, server, stems="2").prepare(silent)
    assert left(root) == places(stems="12") | set(server.files) and not server.asked


def test_a_download_that_a_kill_left_whole_is_deleted(server: FaultyServer, tmp_path: Path) -> None:
    archive = tmp_path / "starnet_part1.tar.gz"
    killed_when(process(tmp_path, server), archive.exists)
    assert archive.exists()
    starnet(tmp_path, server).prepare(silent)
    assert left(tmp_path) == places()
    assert server.sent == sum(map(len, server.files.values()))


def test_archives_may_be_kept_and_originals_too(server: FaultyServer, tmp_path: Path) -> None:
    dataset = starnet(tmp_path, server, original=True, keep_archives=True)
    dataset.prepare(silent)
    originals = {name.replace(".flac", ".wav") for name in places()}
    notes = {f"{name}.fetched.json" for name in server.files}  # for a prepare that keeps none
    assert left(tmp_path) == places() | originals | set(server.files) | notes
    assert dataset.corpus().rate == 44100 and starnet(tmp_path, server).corpus().rate == 16000
    with tarfile.open(fileobj=io.BytesIO(server.files["starnet_part1.tar.gz"])) as tar:
        member = tar.extractfile("starnet-p1/002.3.wav")
        assert member and (tmp_path / "starnet-p1/002.3.wav").read_bytes() == member.read()
    assert dataset.verify(silent) == {}


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"stems": "1,2"}, places(stems="12")),
        ({"stems": "strings+piano,clarinet"}, places(stems="13")),
        ({"tracks": "p2/001"}, places(1, folders="2")),
        ({"tracks": "001"}, places(1)),
        ({"tracks": "p1/001-002", "stems": "5"}, places(stems="5", folders="1")),
        (
            {"tracks": "p1/001,p2/001-p2/002", "stems": "0"},
            {*places(1, "0", "1"), *places(2, "0", "2")},
        ),
    ],
)
def test_only_what_is_asked_for(
    server: FaultyServer, tmp_path: Path, asked: dict[str, str], found: set[str]
) -> None:
    dataset = starnet(tmp_path, server, **asked)
    dataset.prepare(silent)
    assert left(tmp_path) == found and dataset.missing() == ""
    used = {f"starnet_part{name[9]}.tar.gz" for name in found}
    assert {name for name, _ in server.asked} == used  # the other is not even fetched
    plain = starnet(tmp_path, server)  # a run does not repeat what was asked of prepare
    assert plain.missing() == "" and plain.verify(silent) == {}
    assert sum(len(t.stems) for t in plain.corpus().tracks) == len(found)


def test_more_is_asked_for_later(server: FaultyServer, tmp_path: Path) -> None:
    starnet(tmp_path, server, stems="1", tracks="p1/001").prepare(silent)
    first = (tmp_path / "starnet-p1/001.1.flac").stat()
    starnet(tmp_path, server, stems="1,4").prepare(silent)
    assert left(tmp_path) == places(stems="14")
    assert os.path.samestat((tmp_path / "starnet-p1/001.1.flac").stat(), first)
    asked = len(server.asked)
    starnet(tmp_path, server, stems="4").prepare(silent)  # all there: nothing is fetched
    assert len(server.asked) == asked
    corpus = starnet(tmp_path, server, stems="4", tracks="p2/001-002").corpus()
    assert [t.id for t in corpus.tracks] == ["p2/001", "p2/002"]
    assert corpus.instruments == ("strings",)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"stems": "flute"}, "unknown stem of starnet: 'flute'"),
        ({"stems": "6"}, "unknown stem of starnet: '6'"),
        ({"stems": ","}, "names nothing"),
        ({"tracks": "p3/001"}, "'p3/001' is no track of starnet"),
        ({"tracks": "010-001"}, "no track of starnet"),
        ({"tracks": "1-99999999"}, "no track of starnet"),
        ({"tracks": "../001"}, "no track of starnet"),
    ],
)
def test_what_cannot_be_asked_for(asked: dict[str, str], told: str) -> None:
    with pytest.raises((BenchError, UnknownName), match=told):
        selection(Options(**asked))


# ---------------------------------------------------------------------------- hostile contents


def audio(
    samples: np.ndarray, form: str = "WAV", subtype: str = "PCM_16", rate: int = 44100
) -> bytes:
    file = io.BytesIO()
    sf.write(file, samples, rate, format=form, subtype=subtype)
    return file.getvalue()


def wav_saying(frames: int, channels: int = 2, rate: int = 44100) -> bytes:
    """A header, and a hundred bytes of what it promises."""
    size = frames * channels * 2 % 2**32
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * channels * 2 % 2**32, channels * 2, 16)
    head = b"RIFF" + struct.pack("<I", (size + 36) % 2**32) + b"WAVEfmt " + struct.pack("<I", 16)
    return head + form + b"data" + struct.pack("<I", size) + bytes(100)


NOISE = np.random.default_rng(0).uniform(-0.5, 0.5, (9000, 2))
BAD_AUDIO: dict[str, tuple[bytes, str]] = {
    "no audio": (b"#!/bin/sh\necho hello\n" * 100, "cannot be read as audio"),
    "empty": (b"", "empty"),
    "1024 channels": (audio(np.zeros((5000, 1024))), "1024 channels"),
    "NaN": (audio(NOISE * np.nan, subtype="FLOAT"), "NaN"),
    "infinite": (audio(NOISE * np.inf, subtype="FLOAT"), "infinite"),
    "beyond full scale": (audio(NOISE * 1e7, subtype="FLOAT"), "full scale"),
    "a FLAC bomb": (audio(np.zeros(70 * 60 * 4000), "FLAC", rate=4000), "over 60 minutes"),
    "hours of it": (wav_saying(2**30), "truncated"),
    "a lying header": (wav_saying(10_000_000), "truncated"),
    "a rate of 2 GHz": (wav_saying(20, rate=2_000_000_000), "rate"),
    "too short": (audio(NOISE[:100]), "at least"),
    "cut": (audio(NOISE)[:20_000], "truncated"),
}


@pytest.fixture(scope="module")
def with_bad_audio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root prepared from archives that have all of it: p1/101.1, p1/102.1, …"""

    def hostile(tar: tarfile.TarFile) -> None:
        for number, (content, _) in enumerate(BAD_AUDIO.values(), 101):
            put(tar, f"starnet-p1/{number}.1.wav", content)

    root = tmp_path_factory.mktemp("bad") / "root"
    with FaultyServer(archives(1, hostile)) as server, using(QUICK):
        dataset = starnet(root, server, stems="1")
        dataset.prepare(silent)
        asked = len(server.asked)
        dataset.prepare(silent)  # what was refused is not tried again
        assert len(server.asked) == asked and dataset.verify(silent) == {}
    return root


@pytest.mark.parametrize("case", BAD_AUDIO)
def test_bad_audio_is_left_out_with_its_reason(case: str, with_bad_audio: Path) -> None:
    assert left(with_bad_audio) == places(1, "1")
    corpus = StarNet(Options(), with_bad_audio).corpus()
    place = f"starnet-p1/{101 + list(BAD_AUDIO).index(case)}.1"
    assert BAD_AUDIO[case][1] in corpus.notes["left_out"][place]
    assert [t.id for t in corpus.tracks] == ["p1/001", "p2/001"]


def _links_and_escapes(tar: tarfile.TarFile) -> None:
    put(tar, "../002.1.wav", b"escape")
    put(tar, "/starnet-p1/003.1.wav", b"absolute")
    link = tarfile.TarInfo("starnet-p1/004.1.wav")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    tar.addfile(link)
    put(tar, "starnet-p1/001.1.wav", b"the same name again")
    put(tar, "001.1.wav", b"the same stem again")
    link = tarfile.TarInfo("starnet-p1/002.1")  # as the stem that comes after it is called here
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    tar.addfile(link)


def test_hostile_members_are_refused_one_by_one(server: FaultyServer, tmp_path: Path) -> None:
    server.files |= archives(2, _links_and_escapes)
    dataset = starnet(tmp_path / "root", server, stems="1")
    dataset.prepare(silent)
    assert left(tmp_path / "root") == places(stems="1")
    assert {p.name for p in tmp_path.iterdir()} <= {"root", "cache"}
    assert set(dataset.corpus().notes["left_out"]) == {
        f"starnet_part1.tar.gz: {name}"
        for name in (
            "../002.1.wav",
            "/starnet-p1/003.1.wav",
            "starnet-p1/004.1.wav",
            "starnet-p1/001.1.wav",
            "001.1.wav",
            "starnet-p1/002.1",
        )
    }


def test_of_a_damaged_archive_what_came_before_is_prepared(
    server: FaultyServer, tmp_path: Path
) -> None:
    """It is damaged where it is published: its checksum is right."""
    content = archive("starnet-p1", 4)
    server.files["starnet_part1.tar.gz"] = content[: len(content) // 2]
    dataset = starnet(tmp_path, server)
    dataset.prepare(silent)
    made = left(tmp_path)
    assert places(1) | places(2, folders="2") < made < places(4) | places(2)
    assert "damaged" in dataset.corpus().notes["left_out"]["starnet_part1.tar.gz"]
    assert dataset.missing() == "" and dataset.verify(silent) == {}


def test_a_process_that_is_killed_is_replaced(tmp_path: Path) -> None:
    source = tmp_path / "a.wav"
    source.write_bytes(audio(NOISE))
    one = _Process()
    try:
        assert one.ask(source, tmp_path / "a.flac")["seconds"] == pytest.approx(
            9000 / 44100, abs=1e-3
        )
        assert one.running
        one.running.kill()
        one.running.wait()
        assert one.ask(source, tmp_path / "b.flac")["seconds"]
    finally:
        one.end()


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", {"failed": "was killed"}),
        ("os.kill(os.getpid(), signal.SIGTERM)", {"failed": "was killed"}),
        ("os.abort()", {"refused": "ends its process"}),
        ("sys.exit(3)", {"refused": "ends its process"}),
        ("time.sleep(60)", {"refused": "takes too long"}),
    ],
)
def test_who_kills_a_decoder_says_nothing_of_the_audio(
    code: str, told: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash or endless work is the audio's fault; a kill from outside is not."""
    program = f"import os, signal, sys, time; sys.stdin.readline(); {code}"
    monkeypatch.setattr(derive, "_DEADLINE", 2.0)

    def start(process: _Process) -> "subprocess.Popen[str]":
        pipe, command = subprocess.PIPE, [sys.executable, "-c", program]
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)

    monkeypatch.setattr(_Process, "_start", start)
    (kind, words), one = *told.items(), _Process()
    try:
        assert words in one.ask(Path("a.wav"), Path("a.flac"))[kind]
    finally:
        one.end()


def test_killed_decoders_cost_no_stem_and_no_archive(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = starnet(tmp_path, server, stems="1")
    with monkeypatch.context() as patched:
        patched.setattr(_Process, "_answer", lambda self, asked: "")
        patched.setattr(_Process, "_was_killed", lambda self: True)
        with pytest.raises(BenchError, match=r"was killed.*run it again"):
            dataset.prepare(silent)
    assert not Inventory(tmp_path, "starnet").refused
    asked = len(server.asked)
    dataset.prepare(silent)
    assert [name for name, _ in server.asked[asked:]] == ["starnet_part2.tar.gz"]
    assert left(tmp_path) == places(stems="1")


def test_what_cannot_be_written_is_no_refusal(tmp_path: Path) -> None:
    """A full disk, or a folder in the way, goes better the next time."""
    source, results = tmp_path / "a.wav", list[dict[str, Any]]()
    source.write_bytes(audio(NOISE))
    (tmp_path / "a.flac").mkdir()
    with Derivers() as derivers:
        derivers.submit(source, tmp_path / "a.flac", results.append)
        derivers.drain()
    assert "failed" in results[0]


# ---------------------------------------------------------------------------- verify, disk


def test_verify_names_what_is_wrong_and_prepare_mends_it(
    server: FaultyServer, tmp_path: Path
) -> None:
    dataset = starnet(tmp_path, server)
    dataset.prepare(silent)
    (tmp_path / "starnet-p1/001.0.flac").unlink()
    damaged = tmp_path / "starnet-p1/002.5.flac"
    content = bytearray(damaged.read_bytes())
    content[-1] ^= 1
    damaged.write_bytes(content)
    wrong = {
        "starnet-p1/001.0.flac": "it is not there",
        "starnet-p1/002.5.flac": "its content was changed",
    }
    assert dataset.verify(silent) == wrong
    assert f"bench data prepare starnet --data-root {tmp_path}" in dataset.missing()
    asked = len(server.asked)
    starnet(tmp_path, server).prepare(silent)
    assert [name for name, _ in server.asked[asked:]] == ["starnet_part1.tar.gz"]
    assert dataset.verify(silent) == {} and left(tmp_path) == places()


def test_verify_names_an_archive_that_nothing_was_made_of(
    server: FaultyServer, tmp_path: Path
) -> None:
    dataset = starnet(tmp_path, server)
    del server.files["starnet_part2.tar.gz"]
    with pytest.raises(BenchError, match="404"):
        dataset.prepare(silent)
    assert places(folders="1") < left(tmp_path)
    told = {"starnet_part2.tar.gz": "not all that was asked for was made of it"}
    assert dataset.verify(silent) == told


def test_verify_of_parts_that_prepare_was_not_asked_for(
    server: FaultyServer, tmp_path: Path
) -> None:
    starnet(tmp_path, server, stems="1", tracks="p1/001").prepare(silent)
    assert starnet(tmp_path, server).verify(silent) == {}
    assert list(starnet(tmp_path, server, stems="0").verify(silent)) == [
        "starnet_part1.tar.gz",
        "starnet_part2.tar.gz",
    ]


def test_originals_that_were_not_kept_are_missing(server: FaultyServer, tmp_path: Path) -> None:
    starnet(tmp_path, server, stems="1", tracks="p1/001").prepare(silent)
    asked = starnet(tmp_path, server, original=True)
    assert "starnet.original=true" in asked.missing() and "--stems 1" in asked.missing()
    assert asked.verify(silent)
    starnet(tmp_path, server, stems="1", tracks="p1/001", original=True).prepare(silent)
    assert asked.missing() == "" and asked.corpus().rate == 44100


def test_verify_of_files_of_the_users_own(server: FaultyServer, tmp_path: Path) -> None:
    (tmp_path / "starnet-p1").mkdir()
    for stem in range(6):
        (tmp_path / f"starnet-p1/001.{stem}.wav").write_bytes(audio(NOISE))
    (tmp_path / "starnet-p1/002.0.wav").write_bytes(b"no audio")
    dataset = starnet(tmp_path, server)
    assert list(dataset.verify(silent)) == ["starnet-p1/002.0.wav"]
    dataset.prepare(silent)  # the second part is fetched beside them
    assert {name for name, _ in server.asked} == {"starnet_part2.tar.gz"}
    assert places(2, folders="2") < left(tmp_path)
    assert list(dataset.verify(silent)) == ["starnet-p1/002.0.wav"]  # beside what was made
    (tmp_path / "starnet-p1/002.0.wav").unlink()
    assert dataset.verify(silent) == {} and "the 6 that it did not make open" in dataset.checked()
    (tmp_path / "starnet-p1/001.3.wav").write_bytes(audio(NOISE)[:9000])
    assert list(dataset.verify(silent)) == ["starnet-p1/001.3.wav"]


def test_needs_are_told_and_too_little_disk_is_an_error_before_anything(
    server: FaultyServer, tmp_path: Path
) -> None:
    sizes = [len(server.files[f"starnet_part{n}.tar.gz"]) for n in (1, 2)]
    needs = starnet(tmp_path, server).needs()
    assert needs.download == sum(sizes)
    assert needs.disk and max(sizes) < needs.disk < 3 * sum(sizes)
    kept = starnet(tmp_path, server, keep_archives=True).needs().disk
    assert kept and kept > needs.disk
    starnet(tmp_path, server).prepare(silent)
    assert starnet(tmp_path, server).needs().download == 0
    huge = {"starnet-p1": Remote("a.tar.gz", f"{server.url}/a.tar.gz", 1 << 50, "md5:00")}
    asked = len(server.asked)
    with pytest.raises(BenchError, match=r"starnet needs .* of disk in .* are free"):
        StarNet(Options(), tmp_path / "new", archives=huge).prepare(silent)
    assert len(server.asked) == asked and not (tmp_path / "new").exists()


@pytest.mark.parametrize("asked", [{"stems": "2,5"}, {"stems": "2,5", "original": True}])
def test_what_was_made_of_other_stems_makes_no_room(tmp_path: Path, asked: dict[str, Any]) -> None:
    before = StarNet(Options(**asked), tmp_path).needs().disk
    inventory = Inventory(tmp_path, "starnet")
    for stem, form in itertools.product((0, 1, 3, 4), ("flac", "wav")):
        inventory.add(f"starnet-p1/001.{stem}.{form}", size=10**9, sha256="")
    assert StarNet(Options(**asked), tmp_path).needs().disk == before
    inventory.add("starnet-p1/001.5.flac", size=10**8, sha256="")
    after = StarNet(Options(**asked), tmp_path).needs().disk
    assert before and after == before - 10**8


@pytest.mark.parametrize("tracks", ["999", "p2/077-080"])
def test_tracks_that_are_not_there_are_told(
    server: FaultyServer, tmp_path: Path, tracks: str
) -> None:
    dataset = starnet(tmp_path, server, tracks=tracks)
    told = rf"no track {tracks}\..*p2/001 to p2/002"
    for _ in range(2):  # by looking, then from what is known
        with pytest.raises(BenchError, match=told):
            dataset.prepare(silent)
    assert len(server.asked) == (2 if tracks == "999" else 1)
    own = tmp_path / "own/starnet-p1/001.1.wav"
    own.parent.mkdir(parents=True)
    own.write_bytes(audio(NOISE))
    with pytest.raises(MissingData, match=r"no track has what is asked.*p1/001 to p1/001"):
        starnet(tmp_path / "own", server, tracks=tracks).corpus()


def test_the_real_archives_never_need_100_gb(tmp_path: Path) -> None:
    needs = StarNet(Options(), tmp_path).needs()
    assert needs.download == 13_982_371_774 + 22_483_006_727
    assert needs.disk and needs.disk < 40e9
    part = StarNet(Options(stems="1,2,4,5"), tmp_path).needs()
    assert part.disk and part.disk < needs.disk
    assert (StarNet(Options(original=True, keep_archives=True), tmp_path).needs().disk or 0) > 90e9
