"""What mirdata's corpora share: archives fetched and unpacked as their index says, and runs."""

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from mirdata.datasets import gtzan_genre

from timbrebench.benchmarks.config import RunConfig
from timbrebench.benchmarks.plan import make_plan
from timbrebench.cli import main
from timbrebench.core.alone import alone
from timbrebench.core.errors import BenchError
from timbrebench.core.fetching import Fetching, fetch, using
from timbrebench.core.interfaces import Needs
from timbrebench.core.registry import registry
from timbrebench.datasets.gtzan.dataset import Gtzan
from timbrebench.datasets.gtzan.faults import published_split
from timbrebench.datasets.gtzan.options import Options
from timbrebench.datasets.indexed.preparing import _as_remote, unpack
from timbrebench.datasets.sampling.midi import write_parts
from timbrebench.datasets.sampling.score import Note

QUICK = Fetching(timeout=5, tries=2, wait=0.01)


def silent(what: str, share: float) -> None:
    pass


def zipped(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def record(site: Any, content: bytes, name: str = "some.zip", **placed: Any) -> SimpleNamespace:
    """An archive, or a file, on the server, as mirdata describes its own."""
    url = site.add(f"/files/{name}", content, "application/zip")
    checksum = hashlib.md5(content).hexdigest()
    given = {"destination_dir": None, "unpack_directories": None, **placed}
    return SimpleNamespace(filename=name, url=url, checksum=checksum, **given)


@pytest.mark.parametrize(
    "placed, member",
    [
        ({}, "2008/a.wav"),
        ({"unpack_directories": ["maestro-v2.0.0"]}, "maestro-v2.0.0/2008/a.wav"),
        ({"destination_dir": "2008"}, "a.wav"),
    ],
)
def test_an_archive_is_unpacked_where_mirdata_looks(
    site, tmp_path: Path, placed: dict[str, Any], member: str
) -> None:
    content = zipped(**{member: b"sound", "readme.txt": b"x", "../out.wav": b"x"})
    archive = record(site, content, **placed)
    with using(QUICK):
        unpack(["2008/a.wav"], [archive], tmp_path / "home", silent)
    assert (tmp_path / "home/2008/a.wav").read_bytes() == b"sound"
    files = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert files == [tmp_path / "home/2008/a.wav"]  # the archive is gone, and nothing else came
    site.asked.clear()
    with using(QUICK):
        unpack(["2008/a.wav"], [archive], tmp_path / "home", silent)
    assert site.asked == []
    (tmp_path / "home/2008/a.wav").write_bytes(b"noise")
    with using(QUICK):  # what is broken is fetched again
        unpack(["2008/a.wav"], [archive], tmp_path / "home", silent, {"2008/a.wav"})
    assert (tmp_path / "home/2008/a.wav").read_bytes() == b"sound"


def test_for_a_file_that_is_there_by_itself_no_archive_is_fetched(site, tmp_path: Path) -> None:
    both = {"a.wav": b"sound", "about.json": b"{}"}
    archive = record(site, zipped(**both))
    single = record(site, b"{}", "about.json")
    home = tmp_path / "home"
    with using(QUICK):
        unpack(both, [archive, single], home, silent)
        assert [path for path, _ in site.asked] == ["/files/some.zip"]  # which has both
        (home / "about.json").unlink()
        unpack(both, [archive, single], home, silent)
    assert [path for path, _ in site.asked] == ["/files/some.zip", "/files/about.json"]
    assert {p.name: p.read_bytes() for p in home.iterdir()} == both
    (home / "about.json").unlink()
    (tmp_path / "about.json").write_bytes(b"{}")
    with using(Fetching(source=tmp_path)):
        unpack(both, [archive, single], home, silent)
    assert {p.name: p.read_bytes() for p in home.iterdir()} == both and len(site.asked) == 2
    assert (tmp_path / "about.json").exists()


def test_a_file_that_its_archive_lacks_is_fetched_by_itself(site, tmp_path: Path) -> None:
    wanted = ["a.wav", "about.json"]
    remotes = [record(site, zipped(**{"a.wav": b"x"})), record(site, b"{}", "about.json")]
    with using(QUICK):
        unpack(wanted, remotes, tmp_path, silent)
    assert {p.name for p in tmp_path.iterdir()} == set(wanted)


@pytest.mark.parametrize("said", [True, False])
def test_an_archive_of_the_users_is_not_deleted(site, tmp_path: Path, said: bool) -> None:
    archive = record(site, zipped(**{"a.wav": b"sound"}))
    with using(QUICK):  # the same download was made here before, and is gone
        unpack(["a.wav"], [archive], tmp_path, silent)
    (tmp_path / "a.wav").unlink()
    (tmp_path / "some.zip").write_bytes(zipped(**{"a.wav": b"sound"}))
    with using(Fetching(source=tmp_path if said else None, tries=1)):
        unpack(["a.wav"], [archive], tmp_path, silent)
    assert {p.name for p in tmp_path.iterdir()} == {"a.wav", "some.zip"}


def test_a_download_is_not_deleted_once_from_names_it(site, tmp_path: Path) -> None:
    archive = record(site, zipped(**{"a.wav": b"sound"}))
    with using(QUICK):
        fetch(_as_remote(archive), tmp_path, passing=True)
    with using(Fetching(source=tmp_path)):
        unpack(["a.wav"], [archive], tmp_path, silent)
    assert {p.name for p in tmp_path.iterdir()} == {"a.wav", "some.zip"}


def test_names_of_two_systems_are_the_same(site, tmp_path: Path) -> None:
    archive = record(site, zipped(**{"Kr\u0323ti e\u0301/a.wav": b"sound"}))
    with using(QUICK):
        unpack(
            ["K\u1e5bti \u00e9/a.wav".replace("K\u1e5b", "Kr\u0323")], [archive], tmp_path, silent
        )
    assert [p.read_bytes() for p in tmp_path.rglob("*.wav")] == [b"sound"]


def gtzan_index(root: Path, *ids: str) -> list[str]:
    """The index's paths of those excerpts, of which nothing is there."""
    names = [f"gtzan_genre/genres/classical/{id}.wav" for id in ids]
    tracks = {id: {"audio": [name, None]} for id, name in zip(ids, names, strict=True)}
    (root / "indexes").mkdir(parents=True)
    index = {"version": "1.0", "tracks": tracks}
    (root / "indexes/gtzan_genre_index_1.0.json").write_text(json.dumps(index))
    (root / "gtzan_genre/gtzan_genre/genres").mkdir(parents=True)
    return names


def test_what_an_archive_does_not_give_is_told_and_not_fetched_again(
    site, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    there, link, gone = gtzan_index(tmp_path, *(f"classical.0000{n}" for n in range(3)))
    file, sound = io.BytesIO(), io.BytesIO()
    sf.write(sound, np.sin(np.arange(3 * 22050)), 22050, format="WAV")
    with tarfile.open(fileobj=file, mode="w") as tar:
        whole = tarfile.TarInfo(there.removeprefix("gtzan_genre/"))
        whole.size = len(sound.getvalue())
        tar.addfile(whole, io.BytesIO(sound.getvalue()))
        linked = tarfile.TarInfo(f"./{link.removeprefix('gtzan_genre/')}")
        linked.type, linked.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(linked)
    archive = record(site, file.getvalue(), destination_dir="gtzan_genre")
    monkeypatch.setitem(gtzan_genre.REMOTES, "all", archive)
    for _ in range(2):
        assert main(["data", "prepare", "gtzan", "--data-root", str(tmp_path)]) == 1
        told = capsys.readouterr()
        assert told.out == "gtzan is ready: 1 tracks.\n"
        assert f"left out: {link}: it is a link\n" in told.err
        assert f"left out: {gone}: its archive does not have it\n" in told.err
        assert len(site.asked) == 1
    assert not list(tmp_path.rglob("some.zip*"))


def test_what_will_be_downloaded_is_asked_of_the_server(
    site, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = gtzan_index(tmp_path, "classical.00000")
    content = zipped(**{"genres/classical/classical.00000.wav": b"sound"})
    archive = record(site, content, destination_dir="gtzan_genre")
    monkeypatch.setitem(gtzan_genre.REMOTES, "all", archive)
    dataset, home = Gtzan(Options(), tmp_path), tmp_path / "gtzan_genre"
    assert dataset.needs() == Needs(len(content))
    (home / "some.zip.part").write_bytes(content[:30])
    assert dataset.needs() == Needs(len(content) - 30)
    (home / "some.zip.part").unlink()
    site.tells_length = False
    assert dataset.needs() == Needs(0, None, "of some.zip the size is not known")
    (tmp_path / "some.zip").write_bytes(content)
    with using(Fetching(source=tmp_path)):
        assert dataset.needs() == Needs(0)
    (home / names[0]).parent.mkdir(parents=True)
    (home / names[0]).write_bytes(b"sound")
    assert dataset.needs() == Needs(0)
    assert Gtzan(Options(), None).needs() == Needs()


def test_an_index_of_the_users_serves_a_root_that_is_new(
    site, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    gtzan_index(tmp_path / "other", "classical.00000")
    index = tmp_path / "other/indexes/gtzan_genre_index_1.0.json"
    sound = io.BytesIO()
    sf.write(sound, np.sin(np.arange(3 * 22050)), 22050, format="WAV")
    content = zipped(**{"genres/classical/classical.00000.wav": sound.getvalue()})
    archive = record(site, content, destination_dir="gtzan_genre")
    monkeypatch.setitem(gtzan_genre.REMOTES, "all", archive)
    for root, said in (("given", ["-o", f"gtzan.index={index}"]), ("placed", [])):
        (tmp_path / root / "indexes").mkdir(parents=True)
        if not said:
            shutil.copy(index, tmp_path / root / "indexes")
        assert main(["data", "prepare", "gtzan", "--data-root", str(tmp_path / root), *said]) == 0
        assert f"gtzan: {len(content) // 1024} KiB to download." in capsys.readouterr().err
    assert (tmp_path / "placed/indexes" / index.name).read_bytes() == index.read_bytes()


def test_prepare_fetches_nothing_that_is_there(shelf, tmp_path: Path) -> None:
    ids = ("classical.00000", "classical.00011", "classical.00030")
    tracks = {id: {"audio": f"gtzan_genre/genres/classical/{id}.wav"} for id in ids}
    shelf.place("gtzan_genre", "gtzan_genre_index_1.0.json", tracks)
    dataset = Gtzan(Options(), shelf.root)
    with using(Fetching(mirror="http://127.0.0.1:9", tries=1, timeout=1)):
        dataset.prepare(silent)
    assert len(dataset.corpus().tracks) == 3


def test_two_processes_do_not_prepare_one_corpus(tmp_path: Path, cache: Path) -> None:
    gtzan_index(tmp_path, "classical.00000")
    with alone(tmp_path, "gtzan"), pytest.raises(BenchError, match="another process is preparing"):
        Gtzan(Options(), tmp_path).prepare(silent)


BAD_INDEXES = {
    "no JSON": "{",
    "a list": "[]",
    "no tracks": '{"version": "1"}',
    "no UTF-8": b"\xff\xfe",
    "much nested": "[" * 100_000,
    "a track without files": '{"tracks": {"classical.00000": null}}',
    "no pair": '{"tracks": {"classical.00000": {"audio": null}}}',
    "one of two": '{"tracks": {"classical.00000": {"audio": ["a.wav"]}}}',
    "a number": '{"tracks": {"classical.00000": {"audio": [1, null]}}}',
    "a NUL": '{"tracks": {"classical.00000": {"audio": ["a\\u0000.wav", null]}}}',
    "a half character": '{"tracks": {"classical.00000": {"audio": ["\\ud800.wav", null]}}}',
    "no kind that is read": '{"tracks": {"classical.00000": {"beats": ["a", "b"]}}}',
}


@pytest.mark.parametrize("case", BAD_INDEXES)
@pytest.mark.parametrize("command", ["prepare", "info", "verify"])
def test_a_broken_index_is_one_line(
    tmp_path: Path, cache: Path, capsys: Any, case: str, command: str
) -> None:
    gtzan_index(tmp_path, "classical.00000")
    index, content = tmp_path / "bad.json", BAD_INDEXES[case]
    index.write_bytes(content if isinstance(content, bytes) else content.encode())
    words = ["--data-root", str(tmp_path), "-o", f"gtzan.index={index}"]
    assert main(["data", command, "gtzan", *words]) == 2
    told = capsys.readouterr().err.strip()
    assert f"{index} cannot be read as an index of mirdata" in told and "\n" not in told


@pytest.mark.parametrize(
    "name, tracks, said",
    [
        ("guitarset", {"x": {"audio_mic": ["a.wav", None]}}, "no track from 'x'"),
        ("gtzan", {"classical.0": {"audio": [None, None]}}, "has no track"),
        ("maestro", {"x": {"audio": [None, None], "midi": [None, None]}}, "has no track"),
        ("saraga", {"x": {"audio-mix": ["a.mp3", None]}}, "can be used"),
    ],
)
def test_a_strange_index_is_one_line(
    tmp_path: Path, cache: Path, capsys: Any, name: str, tracks: Any, said: str
) -> None:
    marker = {
        "guitarset": "audio_mono-mic",
        "gtzan": "gtzan_genre/genres",
        "maestro": "2018",
        "saraga": "saraga1.5_carnatic",
    }[name]
    (tmp_path / marker).mkdir(parents=True)
    index = tmp_path / "index.json"
    index.write_text(json.dumps({"tracks": tracks}))
    where = ["--data-root", str(tmp_path), "-o", f"{name}.index={index}"]
    assert main(["data", "info", name, *where]) == 2
    assert said in capsys.readouterr().err


def test_mirdata_leaves_the_root_logger_alone() -> None:
    code = (
        "import logging; from timbrebench.datasets.gtzan.dataset import SOURCE\n"
        "from timbrebench.datasets.indexed.library import dataset_of\n"
        "from pathlib import Path\n"
        "dataset_of(SOURCE, Path('.'))\n"
        "print(logging.root.handlers, logging.root.level)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"[] {30}"


def bench(*words: object, cache: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "timbrebench", *map(str, words)],
        capture_output=True,
        text=True,
        env=os.environ | {"TIMBREBENCH_CACHE": str(cache)},
        timeout=280,
    )
    assert "Traceback" not in done.stdout + done.stderr
    return done


@pytest.mark.parametrize(
    "name, options",
    [("gtzan", {"genre": "country"}), ("guitarset", {}), ("maestro", {}), ("saraga", {})],
)
def test_a_run_on_one_clip_is_impossible_with_the_reason(
    data_root: Path, cache: Path, name: str, options: dict[str, str]
) -> None:
    config = RunConfig(
        methods=("ddim",),
        controls=False,
        dataset=name,
        data_root=str(data_root / "mirdata"),
        options={name: options},
    )
    (cell,) = make_plan(config, registry()).cells
    assert cell.impossible.startswith("no test track has ")


def gtzans(shelf: Any) -> list[str]:
    split = published_split()
    ids = [id for id in sorted(split) if id.startswith("classical")]
    chosen = [next(id for id in ids if split[id] == part) for part in ("train", "valid", "test")]
    tracks = {id: {"audio": f"gtzan_genre/genres/classical/{id}.wav"} for id in chosen}
    shelf.place("gtzan_genre", "gtzan_genre_index_1.0.json", tracks)
    return ["--methods", "ddim"]


def guitarsets(shelf: Any) -> list[str]:
    """An excerpt of each of three players, who are in a split each."""
    ids = [f"0{player}_BN1-129-Eb_comp" for player in range(3)]
    kinds = ("audio_hex_cln", "audio_hex", "jams")
    tracks = {
        id: {
            "audio_mic": f"audio_mono-mic/{id}_mic.wav",
            "audio_mix": f"audio_mono-pickup_mix/{id}_mix.wav",
            **{kind: f"elsewhere/{id}.{kind}" for kind in kinds},
        }
        for id in ids
    }
    shelf.place("guitarset", "guitarset_index_1.1.0.json", tracks)
    return ["--methods", "ddim"]


def saragas(shelf: Any) -> list[str]:
    """A song of each of three artists."""
    tracks = {}
    for number, artist in enumerate(("Asha", "Balan", "Chitra")):
        start = f"saraga1.5_carnatic/At Arkay by {artist}/{artist}/{artist}"
        names = ["vocal", "violin", "ghatam", "mridangam-left", "mridangam-right", "vocal-s"]
        stems = {f"audio-{name}": f"{start}.multitrack-{name}.mp3" for name in names}
        rest = ("ctonic", "pitch", "pitch-vocal", "tempo", "sama", "sections", "phrases")
        others = {name: f"{start}.{name}.txt" for name in (*rest, "metadata")}
        tracks[f"{number}_{artist}"] = {"audio-mix": f"{start}.mp3.mp3", **stems, **others}
    shelf.place("saraga_carnatic", "saraga_carnatic_index_1.5.json", tracks)
    return ["--methods", "ddim"]


def maestros(shelf: Any) -> list[str]:
    """A performance in each split, with the MIDI that another instrument plays in time with it."""
    parts = ("train", "validation", "test")
    home = shelf.root / "maestro"
    for key, part in enumerate(parts, 60):
        notes = [Note(0.2 + n / 2, 0.4, key + n, 90) for n in range(5)]
        write_parts(home / f"2008/{part}.midi", {"": notes})
    tracks = {f"2008/{p}": {"midi": f"2008/{p}.midi", "audio": f"2008/{p}.wav"} for p in parts}
    shelf.place("maestro", "maestro_index_2.0.0.json", tracks)
    about = [{"midi_filename": f"2008/{part}.midi", "split": part} for part in parts]
    (home / "maestro-v2.0.0.json").write_text(json.dumps(about))
    return ["--methods", "palette", "-o", "maestro.renders=harp", "--tasks", "piano:harp"]


TINY = {
    "ddim": ("widths=8/16", "seconds=1.28", "steps=2"),
    "palette": ("widths=8/16", "batch=2", "steps=2"),
}


@pytest.mark.acceptance
@pytest.mark.parametrize(
    "name, place, task",
    [
        ("gtzan", gtzans, "generate:classical"),
        ("guitarset", guitarsets, "generate:acoustic_guitar"),
        ("saraga", saragas, "generate:carnatic"),
        ("maestro", maestros, "piano:harp"),
    ],
)
def test_a_method_is_trained_on_a_corpus_in_the_layout(
    shelf, tmp_path: Path, cache: Path, name: str, place: Callable[[Any], list[str]], task: str
) -> None:
    words = place(shelf)
    if name == "maestro":  # the only one of them that is paired, once its renders are made
        bench(*("data", "prepare", name, "--data-root", shelf.root, *words[2:4]), cache=cache)
    method = words[1]
    done = bench(
        *("run", "--dataset", name, "--data-root", shelf.root, *words),
        *("--no-controls", "--steps", "3", "--metrics", "fad_logmel", "--precision", "fp32"),
        *(word for option in TINY[method] for word in ("-o", f"{method}.{option}")),
        *("--out", tmp_path / "run"),
        cache=cache,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [json.loads(line) for line in (tmp_path / "run/scores.jsonl").read_text().splitlines()]
    found = {row["task"]: row for row in rows if row["metric"] == "fad_logmel"}
    assert set(found) == {task} and found[task]["status"] == "ok"
    trained = list((tmp_path / "run").rglob("*.safetensors"))
    assert trained, "nothing was trained"
