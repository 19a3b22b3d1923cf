"""Hostile recordings and sites: each guard of the fetcher is tried by what it is there for."""

import contextlib
import errno
import io
import os
import re
import shlex
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile as sf
from test_starnet_getting import BAD_AUDIO, wav_saying
from youtube_jobs import RATE, dataset, fetch, job, listed, silent
from yt_dlp.networking import common
from yt_dlp.networking._urllib import UrllibRH

from timbrebench.core.errors import BadAudio, BenchError
from timbrebench.core.files import read_json, write_json
from timbrebench.core.options import describe, resolve
from timbrebench.datasets.youtube import fetcher, reasons, sound
from timbrebench.datasets.youtube.dataset import YouTube
from timbrebench.datasets.youtube.keeping import Keeper, NotKept, _hash
from timbrebench.datasets.youtube.options import Options

TONE = 0.4 * np.sin(2 * np.pi * 440 * np.arange(8 * RATE) / RATE)


def encoded(form: str, samples: np.ndarray = TONE, rate: int = RATE, subtype: Any = None) -> bytes:
    file = io.BytesIO()
    sf.write(file, samples, rate, format=form, subtype=subtype)
    return file.getvalue()


def packed(form: str, codec: str, rate: int = 48000, seconds: int = 8) -> bytes:
    """A tone in a container that libsndfile does not write."""
    file = io.BytesIO()
    tone = 0.4 * np.sin(2 * np.pi * 440 * np.arange(seconds * rate) / rate).astype(np.float32)
    with av.open(file, "w", format=form) as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(tone[None], format="fltp", layout="mono")
        frame.sample_rate = rate
        for fitting in av.AudioResampler(format=stream.format).resample(frame):
            container.mux(stream.encode(fitting))
        container.mux(stream.encode(None))
    return file.getvalue()


def flipped(content: bytes, count: int = 10) -> bytes:
    """The same with some bytes of its middle turned over."""
    damaged = bytearray(content)
    for at in np.random.default_rng(0).integers(len(content) // 4, len(content) * 3 // 4, count):
        damaged[at] ^= 0xFF
    return bytes(damaged)


def cut(content: bytes) -> bytes:
    return content[: len(content) * 5 // 8]


def to_a_pipe() -> bytes:
    """A WAV whose sizes its writer did not know."""
    content = bytearray(encoded("WAV"))
    content[4:8] = content[40:44] = b"\xff" * 4
    return bytes(content)


# ---------------------------------------------------------------------------- sound

FFMPEGS = {  # what the table of StarNet's, read by libsndfile, is called by FFmpeg
    "no audio": "it cannot be decoded",
    "empty": "it cannot be decoded",
    "1024 channels": "it cannot be decoded",
    "a FLAC bomb": "it lasts over 1 hours",
    "hours of it": "it is silent",  # 2^32 bytes, which its header says as 0
}
BAD: dict[str, tuple[bytes, str]] = {
    name: (content, FFMPEGS.get(name, reason))
    for name, (content, reason) in BAD_AUDIO.items()
    if name != "too short"  # it is refused when it is heard: test_youtube.py
} | {
    "9 channels": (encoded("WAV", np.tile(TONE[:, None], 9)), "9 channels at a rate of 22050 Hz"),
    "a rate of 1 kHz": (encoded("WAV", rate=1000), "1 channels at a rate of 1000 Hz"),
    "a rate of 500 kHz": (wav_saying(25, rate=500_000), "2 channels at a rate of 500000 Hz"),
    "one infinite channel": (
        encoded("WAV", np.stack([TONE, np.full_like(TONE, -np.inf)], 1), subtype="FLOAT"),
        "it holds NaN or infinite samples",
    ),
    "one NaN": (
        encoded("WAV", np.where(np.arange(len(TONE)) == 99_999, np.nan, TONE), subtype="DOUBLE"),
        "it holds NaN or infinite samples",
    ),
    "another rate on the way, AAC": (
        packed("adts", "aac") + packed("adts", "aac", 24000),
        "its rate changes on the way",
    ),
    "another rate on the way, MP3": (
        encoded("MP3", rate=44100) + encoded("MP3", rate=22050),
        "its rate changes on the way",
    ),
    "a list that names a file": (b"ffconcat version 1.0\nfile good.wav\n", "it cannot be decoded"),
    "a WAV cut": (cut(encoded("WAV")), "it is truncated: 220"),
    "an AIFF cut": (cut(encoded("AIFF")), "it is truncated: 220"),
    "a FLAC cut": (cut(encoded("FLAC")), "it is truncated or damaged"),
    "an Ogg cut": (cut(encoded("OGG", subtype="VORBIS")), "its last page is missing"),
    "an MP3 cut": (cut(encoded("MP3")), "s of audio where its header says 8"),
    "a WebM cut": (cut(packed("webm", "libopus")), "s of audio where its header says 8.01 s"),
    "an MP4 cut": (cut(packed("mp4", "aac")), "it cannot be decoded"),
    "a FLAC damaged": (flipped(encoded("FLAC")), "s of audio where its header says 8 s"),
    "a WebM damaged": (flipped(packed("webm", "libopus"), 300), "s of audio where its header says"),
    "an MP4 damaged": (flipped(packed("mp4", "aac")), "it is damaged: "),
    "AAC damaged": (flipped(packed("adts", "aac")), "it is damaged: "),
}


def kept(folder: Path, content: bytes, top_db: float = 0.0) -> float:
    (folder / "a").write_bytes(content)
    return sound.keep(folder / "a", folder / "kept/a.flac", RATE, top_db, (3600, 1800))


@pytest.mark.parametrize("case", BAD)
def test_bad_audio_is_refused(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content, reason = BAD[case]
    monkeypatch.chdir(tmp_path)
    Path("good.wav").write_bytes(encoded("WAV"))
    with pytest.raises(BadAudio) as caught:
        kept(tmp_path, content)
    assert reason in caught.value.reason
    assert not list((tmp_path / "kept").glob("*"))


@pytest.mark.parametrize(
    "content",
    [
        encoded("WAV"),
        encoded("WAV", np.tile(TONE[:, None], 8)),
        to_a_pipe(),
        encoded("FLAC"),
        encoded("OGG", subtype="VORBIS"),
        encoded("MP3"),
        packed("webm", "libopus"),
        packed("matroska", "libmp3lame"),
        packed("mp4", "aac"),
        packed("adts", "aac"),
        packed("mpegts", "aac"),
        flipped(encoded("MP3"), 1),  # the odd frame
        encoded("MP3", TONE[: 4 * RATE]) + encoded("MP3", np.stack([TONE[: 4 * RATE]] * 2, 1)),
    ],
)
def test_good_audio_is_not(tmp_path: Path, content: bytes) -> None:
    assert kept(tmp_path, content) == pytest.approx(8, abs=0.2)


# ---------------------------------------------------------------------------- sites


def refusal(work: dict[str, Any]) -> dict[str, Any]:
    """What a fetch answers, made in this process."""
    with pytest.raises(Exception) as caught:
        fetcher._fetched(work)
    return reasons.told(caught.value, [], work)


@pytest.mark.parametrize("case", ["NaN", "9 channels", "a WAV cut", "a WebM damaged"])
def test_bad_audio_of_a_site_is_refused_for_good(site, case: str, tmp_path: Path) -> None:
    content, reason = BAD[case]
    answer = refusal(job(tmp_path / "f", site.add("/a.wav", content)))
    assert reason in answer["refused"] and answer["final"]


def test_a_body_without_length_and_end_is_refused(site, tmp_path: Path) -> None:
    site.endless.add("/a.wav")
    site.tells_length = False
    work = job(tmp_path / "f", site.record("/a.wav", 4, 440), max_bytes=1 << 20)
    assert refusal(work) == {"refused": "it has over 1 MiB", "final": True}
    assert (tmp_path / "f/media.part").stat().st_size < 8 << 20


def test_what_is_said_to_be_too_long_is_not_begun(site, tmp_path: Path) -> None:
    """Nor is it the disk that lacks room for it."""
    work = job(tmp_path / "f", site.record("/a.wav", 4, 440), max_bytes=100_000)
    assert refusal(work) == {"refused": "it has over 98 KiB", "final": True}
    assert not list((tmp_path / "f").glob("media*"))


def test_a_page_without_end_is_refused(site, tmp_path: Path) -> None:
    site.endless.add("/page")
    url = site.add("/page", b"<html>" + b"x" * 100_000, "text/html")
    answer = fetch(job(tmp_path / "f", url, memory=400 << 20))
    assert answer == {"refused": "it needs over 400 MiB of memory", "final": True}


@pytest.mark.parametrize("redirected", [True, False])
def test_a_site_names_no_file_of_this_machine(site, tmp_path: Path, redirected: bool) -> None:
    secret = tmp_path / "secret.wav"
    secret.write_bytes(encoded("WAV"))
    page = f"<html><title>t</title><body><audio src='{secret.as_uri()}'></audio></body></html>"
    url = site.add("/page", page.encode(), "text/html")
    if redirected:
        site.redirects["/page"] = secret.as_uri()
    answer = refusal(job(tmp_path / "f", url))
    assert "file://" in answer["refused"] and "--" not in answer["refused"]
    assert not list((tmp_path / "f").glob("media*"))


def test_nothing_asks_by_what_the_guard_does_not_see(
    site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As yt-dlp's handler of curl_cffi would, if that is installed."""
    used = []

    class CurlCFFIRH(UrllibRH):
        def _send(self, request: Any) -> Any:
            used.append(request.url)
            return super()._send(request)

    monkeypatch.setitem(common._REQUEST_HANDLERS, "CurlCFFI", CurlCFFIRH)
    prefer = lambda handler, _: 9999 if handler.RH_KEY == "CurlCFFI" else 0  # noqa: E731
    common._RH_PREFERENCES.add(prefer)
    try:
        assert fetcher._fetched(job(tmp_path / "f", site.record("/a.wav", 4, 440)))
    finally:
        common._RH_PREFERENCES.remove(prefer)
    assert site.asked and not used


# ---------------------------------------------------------------------------- limits


def test_a_fetcher_cannot_write_a_file_without_end(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom timbrebench.datasets.youtube import fetcher\n"
        "fetcher._limit({'memory': 3 << 30, 'max_bytes': 1 << 20})\n"
        f"with open({str(tmp_path / 'a')!r}, 'wb') as file:\n"
        "    file.truncate(2 << 30)\n"
        "    try:\n        file.truncate(3 << 30)\n"
        "    except OSError as error:\n        sys.exit(error.errno)\n"
    )
    package = str(Path(fetcher.__file__).parents[3])
    environment = os.environ | {"PYTHONPATH": package}
    ended = subprocess.run([sys.executable, "-c", code], env=environment)
    assert ended.returncode == errno.EFBIG


def test_a_fetcher_ends_with_who_started_it(site, tmp_path: Path) -> None:
    site.pause = 60.0
    work = job(tmp_path / "f", site.record("/a.wav", 4, 440))
    code = (
        "import sys\nsys.path.append(sys.argv[1])\n"
        "from youtube_jobs import start\nfrom timbrebench.core.files import read_json\n"
        "from pathlib import Path\nprocess = start(read_json(Path(sys.argv[2])))\n"
        "print(process.pid, flush=True)\nprocess.wait()\n"
    )
    start_of = tmp_path / "work.json"
    write_json(start_of, work)
    folder = str(Path(__file__).parent)
    package = str(Path(fetcher.__file__).parents[3])
    parent = subprocess.Popen(
        [sys.executable, "-c", code, folder, str(start_of)],
        env=os.environ | {"PYTHONPATH": package},
        stdout=subprocess.PIPE,
    )
    assert parent.stdout
    child = int(parent.stdout.readline())
    wait_for(lambda: bool(site.asked))
    parent.kill()
    parent.communicate()
    wait_for(lambda: not is_running(child))


def wait_for(condition: Any) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


# ---------------------------------------------------------------------------- all together


def page_of(site: Any, title: str, sound_at: str) -> str:
    """The address of a page that describes a recording so."""
    told = f'"@context":"https://schema.org","@type":"VideoObject","name":"{title}"'
    script = f'<script type="application/ld+json">{{{told},"contentUrl":"{sound_at}"}}</script>'
    return site.add("/page", f"<html><head>{script}</head></html>".encode(), "text/html")


def test_a_hostile_list_is_prepared(site, tmp_path: Path, cache: Path) -> None:
    """Of all its rows the good ones are taken, however many bad ones there are."""
    site.pause = 0.04
    page = page_of(site, r"bad \ud800 \u001b[31m title", site.record("/a.wav", 10, 440))
    silence = site.record("/silence.wav", 0, 440, silence=4)
    cut_off = f"{site.url}/away.wav"  # for now
    rows = [("piano", "a", page), ("piano", "b", silence), ("piano", "c", cut_off)]
    csv = listed(tmp_path, *rows)
    csv.write_text(csv.read_text() + "\n" + "x\n" * 15_000)
    fetching = tmp_path / "root/youtube/.fetching"
    for url in (cut_off, "http://127.0.0.1/of/another/list"):
        (fetching / _hash(url)).mkdir(parents=True)
        (fetching / _hash(url) / "media.part").write_bytes(b"RIFF")
    told: list[tuple[str, float]] = []
    made = dataset(tmp_path, csv, seconds=5, rows=7, deadline=100)
    tracemalloc.start()
    made.prepare(lambda what, share: told.append((what, share)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20
    titles = read_json(tmp_path / "root/youtube/titles.json")
    (of,) = titles["recordings"].values()
    assert of["site_title"] == r"bad \ud800 \x1b[31m title"
    assert titles["refused"]["list.csv, line 3"] == "it is silent"
    assert titles["refused"]["list.csv, line 10002"] == "it has no title and no url"
    assert titles["refused"]["list.csv"].startswith("5002 more rows were refused")
    # What may be gone on with stays, of what is listed.
    assert [path.name for path in fetching.iterdir()] == [_hash(cut_off)]
    moving = [share for what, share in told if re.fullmatch(r"fetching 1 of 3: .* of .*/s.*", what)]
    assert len(set(moving)) > 1 and all(0 <= share <= 1 / 3 for share in moving)
    assert [share for _, share in told[: len(moving)]] == sorted(s for _, s in told[: len(moving)])


def test_what_mends_is_what_prepared(site, tmp_path: Path, cache: Path) -> None:
    csv = listed(tmp_path, ("piano", "a b", site.record("/a.wav", 5, 440)))
    changed = {"seconds": 4.5, "format": "mp3", "balance": False, "rate": 16000, "trim_db": 30.0}
    made = dataset(tmp_path, csv, max_mib=7, deadline=100, **changed)
    words = made.again()
    assert words[::2] == ("-o",) * 9 and Options(**resolved(words)) == made.options
    assert shlex.join(words) in made.missing() and "--data-root" in made.missing()
    made.prepare(silent)
    (track,) = made.corpus().tracks
    before = made.corpus().fingerprint
    track.stems["piano"].unlink()
    # By who names only what the corpus depends on, and no list:
    checking = YouTube(Options(**changed), tmp_path / "root")
    assert list(checking.verify(silent).values()) == ["it is not there"]
    mending = YouTube(Options(**resolved(checking.again())), tmp_path / "root")
    assert mending.options == made.options
    mending.prepare(silent)
    assert made.verify(silent) == {} and made.corpus().fingerprint == before
    # Of another list it tells nothing that was allowed for this one.
    (tmp_path / "other").mkdir()
    other = YouTube(
        Options(csv=str(listed(tmp_path / "other", ("harp", "b", "http://x.org"))), **changed),
        tmp_path / "root",
    )
    assert "another list" in other.missing() and "allow_private" not in other.missing()


def resolved(words: tuple[str, ...]) -> dict[str, Any]:
    """The options that a command line says."""
    given = dict(word.removeprefix("youtube.").split("=", 1) for word in words[1::2])
    return resolve("youtube", describe(Options), {}, given)


def keeper_of(folder: Path, **options: Any) -> Keeper:
    return Keeper(folder / "base", Options(allow_private=True, **options))


def test_no_plugin_and_no_program_of_the_users_is_run(
    site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fragments, which yt-dlp would have ffmpeg mend, if there is one."""
    ran = tmp_path / "ran"
    plugin = tmp_path / "lib/yt_dlp_plugins/extractor/own.py"
    plugin.parent.mkdir(parents=True)
    plugin.write_text(f"open({str(ran)!r}, 'w').close()\n")
    for name in ("ffmpeg", "ffprobe"):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\ntouch {ran}\necho ffmpeg version 6.0\n")
        program.chmod(0o755)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "lib"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    site.add("/0.ts", packed("mpegts", "aac", seconds=4), "video/mp2t")
    head = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:5\n#EXT-X-PLAYLIST-TYPE:VOD\n"
    fragments = f"{head}#EXTINF:4.0,\n0.ts\n#EXT-X-ENDLIST\n"
    url = site.add("/a.m3u8", fragments.encode(), "application/vnd.apple.mpegurl")
    kept = keeper_of(tmp_path).keep(url, silent)
    assert kept["seconds"] == pytest.approx(4, abs=0.05) and not ran.exists()


def test_a_full_disk_ends_the_work_before_a_download(
    site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import collections, shutil\n"
        "shutil.disk_usage = lambda _: collections.namedtuple('_', 'total used free')(9, 9, 9)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(BenchError, match=r"the recording needs .* where 9 B are free\. Make room"):
        keeper_of(tmp_path).keep(site.record("/a.wav", 4, 440), silent)
    assert not list(tmp_path.rglob("media*"))


@pytest.mark.parametrize(
    "error, answer",
    [
        (reasons.Unfit("it is live"), {"refused": "it is live", "final": True}),
        (BadAudio("media", "it is silent"), {"refused": "it is silent", "final": True}),
        (ValueError("\x1b[2J\ud800\u202e"), "it cannot be fetched (\\x1b[2J\\ud800\\u202e)"),
        (ValueError("ERROR: [generic] a: No\nway"), "it cannot be fetched (No)"),
        (ValueError(), "it cannot be fetched (ValueError)"),
        (
            OSError(errno.ENOSPC, "full"),
            {"stop": "F cannot be written to: No space left on device."},
        ),
        (ValueError("[Errno 28] No space left on device"), "it cannot be fetched ("),
    ],
)
def test_what_is_told_of_an_error(error: Exception, answer: str | dict[str, Any]) -> None:
    """Only our own judgement is for good; a site's words end nothing and hold no controls."""
    told = reasons.told(error, [], {"folder": "F"})
    if isinstance(answer, dict):
        assert told.keys() == answer.keys()
        assert all(str(told[key]).startswith(str(value)) for key, value in answer.items())
    else:
        assert told["refused"].startswith(answer) and told["refused"].isprintable()
        assert told["final"] is False


@pytest.mark.parametrize(
    "left, final, stays",
    [
        (["media.part"], False, True),
        (["media.part"], True, False),
        (["media", "job.json"], True, False),
        (["job.json", "version.json"], False, False),
    ],
)
def test_only_what_may_be_gone_on_with_stays(
    tmp_path: Path, left: list[str], final: bool, stays: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper, folder = keeper_of(tmp_path), tmp_path / "base/.fetching" / _hash("http://a")
    folder.mkdir(parents=True)
    for name in left:
        (folder / name).write_bytes(b"x")
    answer = {"refused": "why", "final": final}
    monkeypatch.setattr("timbrebench.datasets.youtube.keeping._fetch", lambda *_: answer)
    with pytest.raises(NotKept, match="why"):
        keeper.keep("http://a", silent)
    assert folder.exists() == stays
