"""A list's recordings through yt-dlp itself, from a real server: kept, trimmed, cut, refused."""

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import av
import librosa
import numpy as np
import pytest
import soundfile as sf
from youtube_jobs import RATE, dataset, fetch, job, listed, silent, start

from timbrebench.cli import main
from timbrebench.core.alone import alone
from timbrebench.core.errors import BadAudio, BenchError, MissingData
from timbrebench.core.fetching import Fetching, using
from timbrebench.core.files import read_json
from timbrebench.datasets.youtube import decoding, fetcher, reasons, sound, versions
from timbrebench.datasets.youtube.dataset import YouTube
from timbrebench.datasets.youtube.options import Options
from timbrebench.testing import check_dataset


def below(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def test_a_list_becomes_a_corpus(site, tmp_path: Path, cache: Path) -> None:
    hostile = "../../<b>x</b>"
    long = site.record("/long.wav", 5.0, 440, silence=1.0)
    csv = listed(
        tmp_path,
        ("piano", hostile, long),
        ("harp", "b", site.record("/short.wav", 3.5, 330)),
        ("harp", "again", long),
        ("harp", "file", "file:///etc/passwd"),
    )
    made = dataset(tmp_path, csv)
    assert "bench data prepare youtube" in made.missing()
    made.prepare(silent)
    base = tmp_path / "root/youtube"
    titles = read_json(base / "titles.json")
    assert {of["title"] for of in titles["recordings"].values()} == {hostile, "b"}
    assert titles["seconds"] == 3.5  # all as long as the shortest
    refused = {int(line.split()[-1]): why for line, why in titles["refused"].items()}
    assert list(refused) == [4, 5]
    assert "the recording of line 2" in refused[4] and "'file'" in refused[5]
    assert read_json(base / "refused.json") == titles["refused"]
    assert below(tmp_path) - {"list.csv"} == {f"root/youtube/{name}" for name in below(base)}
    check_dataset(made)  # prepares again
    corpus = made.corpus()
    assert corpus.instruments == ("harp", "piano") and corpus.rate == RATE
    clip = corpus.load(next(t.id for t in corpus.tracks if "piano" in t.stems), "piano", RATE)
    assert clip.seconds == 3.5
    # What is trimmed begins with the tone, but for a part of the first frame.
    assert np.abs(clip.samples[2048:4096]).max() == pytest.approx(0.5, abs=0.01)
    assert made.verify(silent) == {}
    harp = next(base.glob("harp/*.flac"))
    harp.write_bytes(harp.read_bytes()[:-1] + b"x")
    assert made.verify(silent) == {str(harp): "it was changed (another sha256)"}
    before = [path for path, _ in site.asked if path.endswith(".wav")]
    made.prepare(silent)
    assert made.verify(silent) == {}
    other = dataset(tmp_path, csv, format="mp3", balance=False)
    with pytest.raises(MissingData, match="prepared with other options"):
        other.corpus()
    other.prepare(silent)
    assert [path for path, _ in site.asked if path.endswith(".wav")] == before
    found = other.corpus()
    assert {p.suffix for t in found.tracks for p in t.stems.values()} == {".mp3"}
    assert max(t.seconds for t in found.tracks) == pytest.approx(5.1, abs=0.15)
    assert not list(base.glob("*/*.flac"))


def test_from_the_command_line_a_private_host_is_asked_only_if_it_is_said(
    site, tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    csv = listed(tmp_path, ("piano", "a", site.record("/a.wav", 3.5, 440)))
    words = ["youtube", "--data-root", str(tmp_path / "root"), "-o", f"youtube.csv={csv}"]
    assert main(["data", "prepare", *words]) == 2
    told = capsys.readouterr().err
    assert "in a private network (--allow-private allows it)" in told and not site.asked
    assert main(["data", "prepare", *words, "--allow-private"]) == 0
    assert "youtube is ready: 1 tracks." in capsys.readouterr().out
    assert main(["data", "verify", *words]) == 0


def test_other_settings_make_other_files(site, tmp_path: Path, cache: Path) -> None:
    """All are cut to the same 3 s, and so by their length alone could be one another."""
    quiet = 0.03 * np.sin(2 * np.pi * 200 * np.arange(RATE) / RATE)  # 24 dB below the tone
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(5 * RATE) / RATE)
    file = io.BytesIO()
    sf.write(file, np.concatenate([quiet, tone]), RATE, format="WAV")
    csv = listed(tmp_path, ("piano", "a", site.add("/a.wav", file.getvalue())))

    def prepared(stop: bool = False, **changed: Any) -> tuple[int, int]:
        """(rate, loudest frequency of the first half second)."""

        def progress(what: str, share: float) -> None:
            if stop and what == "cutting recordings":
                raise KeyboardInterrupt

        made = dataset(tmp_path, csv, seconds=3, **changed)
        made.prepare(progress)
        (track,) = made.corpus().tracks
        samples, rate = sf.read(track.stems["piano"])
        assert len(samples) == 3 * rate
        return rate, 2 * int(np.argmax(np.abs(np.fft.rfft(samples[: rate // 2]))))

    assert prepared() == (RATE, 440)
    assert prepared(rate=44100) == (44100, 440)
    assert prepared(trim_db=30) == (RATE, 200)
    with pytest.raises(KeyboardInterrupt):
        prepared(rate=44100, stop=True)
    assert "bench data prepare" in dataset(tmp_path, csv, seconds=3, trim_db=30).missing()
    assert prepared(trim_db=30) == (RATE, 200)


def test_what_is_kept_anew_is_cut_anew(site, tmp_path: Path, cache: Path) -> None:
    csv = listed(tmp_path, ("piano", "a", site.record("/a.wav", 5.0, 440)))
    made = dataset(tmp_path, csv, seconds=3)
    made.prepare(silent)
    shutil.rmtree(tmp_path / "root/youtube/.kept")
    site.record("/a.wav", 5.0, 880)
    made.prepare(silent)
    clip = made.corpus().load(made.corpus().tracks[0].id, "piano", RATE)
    assert np.argmax(np.abs(np.fft.rfft(clip.samples[:RATE]))) == 880


def test_what_is_kept_and_was_damaged_is_fetched_anew(site, tmp_path: Path, cache: Path) -> None:
    csv = listed(tmp_path, ("piano", "a", site.record("/a.wav", 5.0, 440)))
    dataset(tmp_path, csv, seconds=3).prepare(silent)
    (kept,) = tmp_path.glob("root/youtube/.kept/*/*.flac")
    kept.write_bytes(kept.read_bytes()[:-2000])
    asked = len(site.asked)
    made = dataset(tmp_path, csv, seconds=3, format="mp3")  # which is cut of what is kept
    made.prepare(silent)
    assert len(site.asked) > asked and made.verify(silent) == {}


def test_two_processes_do_not_prepare_one_folder(site, tmp_path: Path, cache: Path) -> None:
    csv = listed(tmp_path, ("piano", "a", site.record("/a.wav", 4.0, 440)))
    with (
        alone(tmp_path / "root/youtube", "youtube"),
        pytest.raises(BenchError, match=r"another process is preparing youtube.*Wait for it"),
    ):
        dataset(tmp_path, csv).prepare(silent)
    assert site.asked == []


def test_a_private_host_is_not_asked_unless_allowed(site, tmp_path: Path, cache: Path) -> None:
    csv = listed(tmp_path, ("piano", "a", site.record("/a.wav", 4.0, 440)))
    with pytest.raises(BenchError, match=r"line 2: the address 127.0.0.1 is in a private network"):
        dataset(tmp_path, csv, allow_private=False).prepare(silent)
    assert site.asked == []


class Relay(BaseHTTPRequestHandler):
    """A proxy: hands a request on, and the answer back."""

    def do_GET(self) -> None:
        passed = {k: v for k, v in self.headers.items() if k.lower() in ("range", "if-range")}
        request = urllib.request.Request(self.path, headers=passed, method=self.command)
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(request) as answer:
            self.server.asked.append(self.path)  # type: ignore[attr-defined]
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.read())

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None: ...


def test_a_proxy_that_is_named_is_used(site, tmp_path: Path, cache: Path) -> None:
    url = site.record("/a.wav", 4.0, 440)
    csv = listed(tmp_path, ("piano", "a", url))
    with ThreadingHTTPServer(("127.0.0.1", 0), Relay) as server:
        server.asked = []  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with using(Fetching(proxy=f"http://127.0.0.1:{server.server_port}")):
            dataset(tmp_path, csv).prepare(silent)
        server.shutdown()
        assert set(server.asked) == {url}  # type: ignore[attr-defined]
    assert len(dataset(tmp_path, csv).corpus().tracks) == 1


@pytest.mark.parametrize(
    ("how", "told"),
    [
        (Fetching(proxy="http://127.0.0.1:9"), "nobody can check.*--allow-private"),
        (Fetching(mirror="http://127.0.0.1:9/"), "--mirror and --from cannot be followed"),
        (Fetching(source=Path("/nowhere")), "--mirror and --from cannot be followed"),
    ],
)
def test_ways_that_cannot_be_followed_are_told(
    how: Fetching, told: str, site, tmp_path: Path, cache: Path
) -> None:
    csv = listed(tmp_path, ("piano", "a", site.record("/a.wav", 4.0, 440)))
    with using(how), pytest.raises(BenchError, match=told):
        dataset(tmp_path, csv, allow_private=False).prepare(silent)
    assert site.asked == []


def test_a_redirect_does_not_lead_inside(site, other_site, tmp_path: Path) -> None:
    """127.0.0.1 stands for a public host here, 127.0.0.2 for one inside."""
    site.redirects["/a.wav"] = other_site.record("/secret.wav", 4.0, 440)
    answer = fetch(job(tmp_path / "f", f"{site.url}/a.wav"))
    assert answer == {
        "refused": "the address 127.0.0.2 is in a private network (--allow-private allows it)",
        "final": True,
    }
    assert site.asked and not other_site.asked


def stopped_half_way(site: Any, work: dict[str, Any]) -> int:
    """Bytes that a fetch holds which was killed in the middle."""
    site.pause = 0.02
    process = start(work)
    part = Path(work["folder"]) / "media.part"
    deadline = time.monotonic() + 60
    while not (part.exists() and part.stat().st_size > 1 << 17) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    site.pause = 0.0
    site.asked.clear()
    return part.stat().st_size


def test_a_killed_fetch_goes_on_where_it_was(site, tmp_path: Path) -> None:
    work = job(tmp_path / "f", site.record("/a.wav", 60.0, 440))
    held = stopped_half_way(site, work)
    assert 1 << 17 < held < len(site.files["/a.wav"][1])
    assert fetch(work)["kept"]["seconds"] == 60.0
    assert ("/a.wav", f"bytes={held}-") in site.asked


def test_a_file_that_changes_while_it_comes_is_begun_anew(site, tmp_path: Path) -> None:
    site.record("/b.wav", 20.0, 880)
    work = job(tmp_path / "f", site.record("/a.wav", 20.0, 440))
    site.replaced["/a.wav"] = site.files["/b.wav"][1]
    fetcher.download(work, tmp_path / "f")
    assert not site.replaced
    assert (tmp_path / "f/media").read_bytes() == site.files["/b.wav"][1]


def test_a_killed_fetch_begins_anew_with_another_version(site, tmp_path: Path) -> None:
    work = job(tmp_path / "f", site.record("/a.wav", 60.0, 440))
    stopped_half_way(site, work)
    site.record("/a.wav", 60.0, 880)
    kept = tmp_path / "f/kept" / f"{fetch(work)['kept']['name']}.flac"
    samples, _ = sf.read(kept)
    for second in (0, 30, 58):
        heard = samples[second * RATE : (second + 1) * RATE]
        assert np.argmax(np.abs(np.fft.rfft(heard))) == 880, second


@pytest.mark.parametrize(
    "changed, goes_on",
    [
        ({}, True),
        ({"tag": '"b"'}, False),
        ({"format_id": "250"}, False),
        ({"filesize": 9}, False),
        ({"total": "8"}, False),
        ({"tag": None, "modified": "Mon, 01 Jan 2024 00:00:00 GMT"}, False),
    ],
)
def test_what_is_held_must_be_of_what_is_offered(
    tmp_path: Path, changed: dict[str, Any], goes_on: bool
) -> None:
    before = {"format_id": "251", "filesize": 7, "total": "7", "tag": '"a"', "modified": None}
    versions.make_ready(tmp_path, "media", before)
    (tmp_path / "media.part").write_bytes(b"half")
    versions.make_ready(tmp_path, "media", {**before, **changed})
    assert (tmp_path / "media.part").exists() == goes_on


def test_a_sites_words_are_noted_as_they_can_be(tmp_path: Path) -> None:
    version = versions.offered(None, {"id": "a\ud800\x1b", "protocol": "m3u8_native"})
    versions.make_ready(tmp_path, "media", version)
    assert read_json(tmp_path / "version.json")["id"] == r"a\ud800\x1b"


@pytest.mark.parametrize("tag", [None, 'W/"weak"'])
def test_without_a_strong_mark_only_a_whole_file_is_gone_on_with(
    tmp_path: Path, tag: str | None
) -> None:
    version = {"format_id": "251", "filesize": 7, "tag": tag}
    versions.make_ready(tmp_path, "media", version)
    (tmp_path / "media.part").write_bytes(b"half")
    versions.make_ready(tmp_path, "media", version)
    assert not (tmp_path / "media.part").exists()
    (tmp_path / "media").write_bytes(b"whole")
    versions.make_ready(tmp_path, "media", version)
    assert (tmp_path / "media").exists()


@pytest.mark.parametrize(
    "name, changes, reason",
    [
        ("/a.wav", {"max_bytes": 100_000}, "it has over 98 KiB"),
        ("/a.wav", {"max_seconds": 2.0}, "it lasts over 0.000556 hours"),
        ("/feed", {}, "it is a playlist"),
        ("/silence.wav", {}, "it is silent"),
        ("/none.wav", {}, "HTTP Error 404"),
        ("/live.m3u8", {}, "it is live"),
        ("/disguised.mp3", {}, "it cannot be decoded"),
        ("/page", {}, "it cannot be fetched (Unsupported URL"),
    ],
)
def test_what_is_not_taken(site, tmp_path: Path, name: str, changes: Any, reason: str) -> None:
    site.record("/a.wav", 4.0, 440)
    site.record("/silence.wav", 0.0, 440, silence=2.0)
    item = f"<item><title>x</title><link>{site.url}/a.wav</link></item>"
    feed = f"<?xml version='1.0'?><rss><channel><title>t</title>{item * 3}</channel></rss>"
    site.add("/feed", feed.encode(), "application/rss+xml")
    live = b"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\na.wav\n"
    site.add("/live.m3u8", live, "application/vnd.apple.mpegurl")
    site.add("/disguised.mp3", b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "audio/mpeg")
    site.add("/page", b"<html><title>no sound</title></html>", "text/html")
    work = job(tmp_path / "f", site.url + name, **changes)
    with pytest.raises(Exception) as caught:
        fetcher._fetched(work)
    assert reason in reasons._reason(caught.value) and "\n" not in reasons._reason(caught.value)
    assert not list((tmp_path / "f").glob("kept/*"))


def test_two_addresses_of_one_name_are_two_recordings(site, tmp_path: Path) -> None:
    names = set()
    for place, hz in (("x", 440), ("y", 330)):
        work = job(tmp_path / place, site.record(f"/{place}/same.wav", 3.0, hz))
        names.add(fetcher._fetched(work)["name"])
    assert len(names) == 2


@pytest.mark.parametrize(
    "code",
    [
        "import subprocess; subprocess.run(['true'])",
        "import os; os.system('true')",
        "import os; os.posix_spawn('/bin/true', ['true'], {})",
        "import os; os.execv('/bin/true', ['true'])",
        "import socket; socket.create_connection(('127.0.0.1', 9), 1)",
        "import socket; socket.socket(socket.AF_UNIX).connect('/nowhere')",
        "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('10.0.0.1', 53))",
    ],
)
def test_hands_are_tied(code: str) -> None:
    guarded = (
        "from timbrebench.datasets.youtube.hosts import Forbidden, guard\n"
        f"guard([])\ntry:\n    {code}\nexcept Forbidden:\n    raise SystemExit(7)\n"
    )
    package = str(Path(fetcher.__file__).parents[3])
    environment = os.environ | {"PYTHONPATH": package}
    assert subprocess.run([sys.executable, "-c", guarded], env=environment).returncode == 7


# ---------------------------------------------------------------------------- sound


@pytest.mark.parametrize("length", [0, 1, 511, 512, 2048, 30_000, 44_100])
@pytest.mark.parametrize("top_db", [20.0, 60.0])
def test_trimming_is_librosas(length: int, top_db: float) -> None:
    rng = np.random.default_rng(length)
    middle = rng.uniform(-0.5, 0.5, length).astype(np.float32)
    quiet = 0.001 * rng.uniform(-1, 1, (2, 7000)).astype(np.float32)
    wave = np.concatenate([quiet[0], middle, quiet[1]])
    blocks = iter(np.array_split(wave, 13))
    _, (start, stop) = librosa.effects.trim(wave, top_db=top_db)
    assert sound.heard(blocks, top_db)[:2] == (start, stop)


def test_silence_is_heard_nowhere() -> None:
    assert sound.heard(iter([np.zeros(5000, np.float32)]), 20) == (0, 0, 0.0)
    assert sound.heard(iter([]), 20) == (0, 0, 0.0)


@pytest.mark.parametrize("format, subtype", [("FLAC", "PCM_24"), ("OGG", "VORBIS"), ("MP3", None)])
def test_stereo_at_another_rate_becomes_its_mean(
    tmp_path: Path, format: str, subtype: str | None
) -> None:
    time_s = np.arange(3 * 48000) / 48000
    left, right = np.sin(2 * np.pi * 440 * time_s), 0.5 * np.sin(2 * np.pi * 440 * time_s)
    path = tmp_path / "a"
    sf.write(path, 0.4 * np.stack([left, right], 1), 48000, format=format, subtype=subtype)
    wave = np.concatenate(list(decoding.mono_blocks(path, RATE, 100)))
    assert len(wave) == pytest.approx(3 * RATE, abs=1200)
    middle = wave[RATE : 2 * RATE]
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.3 / np.sqrt(2), rel=0.02)
    assert np.argmax(np.abs(np.fft.rfft(middle))) == 440


def test_a_video_gives_its_sound(tmp_path: Path) -> None:
    path = tmp_path / "video"
    with av.open(str(path), "w", format="mp4") as container:
        picture = container.add_stream("mpeg4", rate=10)
        picture.width = picture.height = 32
        voice = container.add_stream("aac", rate=44100, layout="mono")
        for _ in range(10):
            container.mux(picture.encode(av.VideoFrame(32, 32, "yuv420p")))
        tone = 0.4 * np.sin(2 * np.pi * 440 * np.arange(44100) / 44100).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(tone[None], format="fltp", layout="mono")
        frame.sample_rate = 44100
        container.mux(voice.encode(frame))
        container.mux([*picture.encode(), *voice.encode()])
    wave = np.concatenate(list(decoding.mono_blocks(path, RATE, 100)))
    assert len(wave) == pytest.approx(RATE, abs=1200)
    middle = wave[RATE // 4 : RATE // 4 + RATE // 2]
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.4 / np.sqrt(2), rel=0.05)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 5000,
        b"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    ],
)
def test_what_is_no_sound_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(BadAudio):
        list(decoding.mono_blocks(tmp_path / "a", RATE, 100))


def test_audio_that_exceeds_full_scale_is_brought_down(tmp_path: Path) -> None:
    tone = 2.0 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    sf.write(tmp_path / "a", tone, RATE, format="WAV", subtype="FLOAT")
    sound.keep(tmp_path / "a", tmp_path / "a.flac", RATE, 0, (100, 100))
    assert np.abs(sf.read(tmp_path / "a.flac")[0]).max() == pytest.approx(1, abs=0.001)


def test_what_is_kept_is_cut(tmp_path: Path) -> None:
    file = io.BytesIO()
    sf.write(file, 0.3 * np.sin(np.arange(5 * RATE)), RATE, format="WAV")
    (tmp_path / "a").write_bytes(file.getvalue())
    assert sound.keep(tmp_path / "a", tmp_path / "a.flac", RATE, 20, (100, 2.0)) == 2.0
    sound.cut(tmp_path / "a.flac", tmp_path / "b.flac", 1.0)
    assert sf.info(tmp_path / "b.flac").frames == RATE
    sound.cut(tmp_path / "a.flac", tmp_path / "b.mp3", 1.0)
    found, rate = sf.read(tmp_path / "b.mp3")
    assert rate == RATE and len(found) == pytest.approx(RATE, abs=2500)


# ---------------------------------------------------------------------------- what is prepared


def test_what_was_prepared_must_be_readable(tmp_path: Path, cache: Path) -> None:
    base = tmp_path / "root/youtube"
    base.mkdir(parents=True)
    made = YouTube(Options(), tmp_path / "root")
    for text in ("", "[]", json.dumps({"recordings": 1, "settings": 2})):
        (base / "titles.json").write_text(text)
        with pytest.raises(MissingData) as caught:
            made.corpus()
        assert "bench data prepare youtube" in str(caught.value)
    with contextlib.suppress(BenchError), pytest.raises(BenchError, match=r"youtube\.csv=FILE"):
        made.prepare(silent)
