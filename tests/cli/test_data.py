"""``bench data``, on a dataset of a stranger's: StarNet's with small archives from a bad server."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path

import pytest
from starnet_archives import archives, left, places, remotes

from timbrebench.cli import main
from timbrebench.testing import tiny_corpus
from timbrebench.testing.server import Fault, FaultyServer

_PLUGIN = """
import json, os
from pathlib import Path
from timbrebench.core.fetching import Remote
from timbrebench.core.hookspecs import hookimpl
from timbrebench.core.interfaces import DatasetInfo
from timbrebench.datasets.starnet.options import Options

def make(options, root):
    from timbrebench.datasets.starnet.dataset import StarNet
    known = json.loads(os.environ["ARCHIVES"])
    return StarNet(options, root, archives={f: Remote(*fields) for f, fields in known.items()})

@hookimpl
def timbrebench_datasets():
    return [DatasetInfo("tiny", "StarNet made small", "tinynet:make", Options,
                        licence="CC0", citation="nobody", size="1 MB to download")]
"""


class Bench:
    """The command line with the plugin, in a process."""

    def __init__(self, folder: Path, server: FaultyServer) -> None:
        site, self.root = folder / "site", folder / "root"
        info = site / "tinynet-1.0.dist-info"
        info.mkdir(parents=True)
        (site / "tinynet.py").write_text(_PLUGIN)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tinynet\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[timbrebench]\nplugin = tinynet\n")
        known = {f: astuple(r) for f, r in remotes(server.files, server.url).items()}
        path = os.pathsep.join([str(site), *filter(None, sys.path)])
        self.env = os.environ | {
            "PYTHONPATH": path,
            "ARCHIVES": json.dumps(known),
            "TIMBREBENCH_CACHE": str(folder / "cache"),
        }

    def start(self, *words: object) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "timbrebench", "data", *map(str, words)]
        command += ["--data-root", str(self.root)]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=self.env)

    def __call__(self, *words: object, code: int = 0) -> tuple[str, str]:
        """(standard output, standard error)"""
        process = self.start(*words)
        out, err = process.communicate(timeout=120)
        assert process.returncode == code, out + err
        assert "Traceback" not in err
        return out, err


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with FaultyServer(archives()) as running:
        yield running


@pytest.fixture
def bench(tmp_path: Path, server: FaultyServer) -> Bench:
    return Bench(tmp_path, server)


def test_prepared_verified_damaged_mended_and_listed(bench: Bench, server: FaultyServer) -> None:
    server.faults = [Fault(cut=1000)]
    out, err = bench("prepare", "tiny", "--stems", "clarinet,piano")
    assert "tiny is ready: 4 tracks." in out
    assert "to download, at most" in err and "of disk in" in err
    assert left(bench.root) == places(stems="15")
    damaged = bench.root / "starnet-p1/002.5.flac"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    out, _ = bench("verify", "tiny", code=1)
    assert "starnet-p1/002.5.flac: its content was changed" in out
    mend = f"bench data prepare tiny --data-root {bench.root} --stems clarinet,piano"
    assert f"Mend it: {mend}" in out
    bench(*mend.split()[2:4], *mend.split()[-2:])
    assert left(bench.root) == places(stems="15")
    told = "tiny: nothing is wrong; each file has the size and SHA-256 that prepare wrote down."
    assert told in bench("verify", "tiny")[0]
    [after] = [r for r in json.loads(bench("list", "--json")[0]) if r["name"] == "tiny"]
    assert (after["licence"], after["citation"]) == ("CC0", "nobody")
    assert after["state"] == "there" and after["there"].startswith("8 files, ")


def test_from_a_folder_a_mirror_and_by_tracks(
    bench: Bench, server: FaultyServer, tmp_path: Path
) -> None:
    given = tmp_path / "given"
    given.mkdir()
    name = "starnet_part1.tar.gz"
    (given / name).write_bytes(server.files[name])
    bench("prepare", "tiny", "--from", given, "--tracks", "p1/001")
    assert left(bench.root) == places(1, folders="1") and not server.asked
    with FaultyServer(server.files) as mirror:
        bench("prepare", "tiny", "--mirror", f"{mirror.url}/some/", "--tracks", "p2/001")
        assert [name for name, _ in mirror.asked] == ["starnet_part2.tar.gz"]
    assert left(bench.root) == places(1) and not server.asked


def test_interrupted_it_leaves_whole_files_and_goes_on(bench: Bench, server: FaultyServer) -> None:
    size = len(server.files["starnet_part2.tar.gz"])
    server.faults = [Fault(), Fault(cut=size // 2, stall=True)]
    process, part = bench.start("prepare", "tiny"), bench.root / "starnet_part2.tar.gz.part"
    deadline = time.monotonic() + 60
    while not (part.exists() and part.stat().st_size == size // 2) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130 and "Interrupted." in err
    expected = places(folders="1") | {part.name, f"{part.name}.json"}
    assert left(bench.root) == expected
    bench("prepare", "tiny")
    assert left(bench.root) == places()
    assert server.sent == sum(map(len, server.files.values()))


def test_what_was_left_out_is_told(bench: Bench, server: FaultyServer, tmp_path: Path) -> None:
    from starnet_archives import put

    server.files |= archives(1, lambda tar: put(tar, "starnet-p1/009.1.wav", b"no audio" * 99))
    _, err = Bench(tmp_path / "other", server)("prepare", "tiny", "--stems", "1", code=1)
    assert "left out: starnet-p1/009.1: it cannot be read as audio" in err


def test_where_no_file_is_whole_each_is_named(bench: Bench, server: FaultyServer) -> None:
    bench("prepare", "tiny", "--stems", "1", "--tracks", "p1/001")
    (made,) = bench.root.glob("starnet-p1/*.flac")
    made.write_bytes(b"no audio")
    out, _ = bench("verify", "tiny", code=1)
    assert "starnet-p1/001.1.flac: " in out and "Mend it: bench data prepare tiny" in out


def test_no_command_mends_files_of_the_users_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], cache: Path
) -> None:
    tiny_corpus(tmp_path / "data")
    (tmp_path / "data/bell/broken.wav").write_text("no audio")
    assert main(["data", "verify", "folder", "--data-root", str(tmp_path / "data")]) == 1
    told = capsys.readouterr().out
    assert "bell/broken.wav: it cannot be read as audio" in told
    assert "left out" in told and "Mend it:" not in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("prepare", "starnett"), "Did you mean starnet"),
        (("verify", "starnett"), "Did you mean starnet"),
        (("prepare", "starnet", "--from", "/no/such"), "--from /no/such: there is no such"),
        (("prepare", "starnet", "--from", __file__), "of a dataset it is a folder"),
        (("prepare", "starlet", "--stems", "1"), "unknown option of starlet: 'stems'"),
        (("prepare", "starnet", "--stems", "flute"), "unknown stem of starnet: 'flute'"),
        (("prepare", "starnet", "--tracks", "x"), "'x' is no track of starnet"),
        (("prepare", "starnet"), "was not told where it is"),
        (("verify", "starnet"), "was not told where it is"),
        (("prepare", "pann", "--mirror", "ftp://x"), "no http(s) address"),
        (("prepare", "pann", "--proxy", "x:1"), "a proxy is http"),
        (("prepare", "pann", "--from", __file__), "its sha256 is"),
        (("prepare", "pann", "--stems", "1"), "the weights of pann have no options"),
        (("prepare", "vggish", "--allow-private"), "the weights of vggish have no options"),
        (("verify", "pann", "-o", "pann.x=1"), "the weights of pann have no options"),
        (("prepare", "starlet", "--allow-private"), "unknown option of starlet: 'allow_private'"),
        (("list", "-o", "starnett.stems=1"), "Did you mean starnet"),
        (("info", "starlet", "-o", "starlett.x=1"), "Did you mean starlet"),
        (
            ("spectrograms", "starlet", "--root", "x", "--out", "y", "-o", "starlett.x=1"),
            "Did you mean starlet",
        ),
    ],
    ids=lambda v: " ".join(v)[:50] if isinstance(v, tuple) else "",
)
def test_mistakes_are_one_line(
    words: tuple[str, ...],
    told: str,
    capsys: pytest.CaptureFixture[str],
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("TIMBREBENCH_DATA", raising=False)
    assert main(["data", *words]) == 2
    err = capsys.readouterr().err.strip()
    assert told in err and "\n" not in err


def test_weights_are_verified_too(capsys: pytest.CaptureFixture[str], cache: Path) -> None:
    assert main(["data", "verify", "vggish"]) == 1
    assert "Mend it: bench data prepare vggish" in capsys.readouterr().out
