"""A user's mistakes: one line that says what, where and the next step; exit code 2."""

import os
import subprocess
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from timbrebench.cli import main
from timbrebench.testing import tiny_corpus

RATE = 16000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A paired corpus as the ``folder`` dataset reads it."""
    tiny_corpus(tmp_path / "data")
    return tmp_path / "data"


def failing(capsys: pytest.CaptureFixture[str], *words: object, code: int = 2) -> str:
    """The one line that a command line which must fail prints."""
    assert main([str(w) for w in words]) == code
    told = capsys.readouterr().err.strip()
    assert told.startswith("Error: ") and "\n" not in told and "Traceback" not in told
    return told


NAMES = [
    (("run", "--methods", "palett"), ("method 'palett'", "palette")),
    (("run", "--dataset", "starlett"), ("dataset 'starlett'", "starlet")),
    (("run", "--methods", "copy", "--metrics", "jacard"), ("metric 'jacard'", "jaccard")),
    (("run", "--methods", "copy", "--vocoder", "grifinlim"), ("vocoder", "griffinlim")),
    (("run", "--methods", "copy", "-o", "starlet.peices=3"), ("peices", "pieces")),
    (("run", "--methods", "copy", "-o", "starlet.pieces=many"), ("starlet.pieces", "whole number")),
    (("run", "--methods", "copy", "-o", "starlet.pieces=0"), ("starlet.pieces", "1..")),
    (("run", "--methods", "copy", "-o", "starlte.pieces=3"), ("starlte", "starlet")),
    (("run", "--methods", "copy", "-o", "pieces"), ("PLUGIN.OPTION=VALUE", "bench info")),
    (("run", "--methods", "copy", "--tasks", "clarinett:strings"), ("clarinett", "clarinet")),
    (("run", "--methods", "copy", "--tasks", "singel"), ("singel", "single")),
    (("run", "--methods", "copy", "--tasks", "piano:piano"), ("same instrument",)),
    (("run", "--methods", "copy", "--tasks", "a:b:c"), ("'a:b:c'", "source:target")),
    (("run", "--methods", "copy[x"), ("bracket",)),
    (("run", "--methods", "copy:here"), ("nothing behind a colon",)),
    (("run", "--methods", "files:/no/such/folder"), ("/no/such/folder",)),
    (("run", "--methods", "copy", "--preset", "quik"), ("quik", "quick")),
    (("run", "--methods", "copy", "--precision", "fp16"), ("fp16", "bf16")),
    (("run", "--methods", "copy", "--seeds", "one"), ("--seeds", "'one'")),
    (("run", "--methods", "copy", "--steps", "ten"), ("'ten'", "steps")),
    (("run", "--methods", "copy", "--steps", "-5"), ("-5 steps",)),
    (("run", "--methods", "copy", "--steps", "5", "--flops", "1e9"), ("--steps and --flops",)),
    (("run", "--methods", "copy", "--max-seconds", "0.01"), ("--max-seconds",)),
    (("run", "--methods", "copy", "--stall", "-1"), ("--stall", "more than 0")),
    (("run", "--methods", "copy", "--stall", "nan"), ("--stall is nan",)),
    (("run", "--methods", "copy", "--deadline", "0"), ("--deadline", "more than 0")),
    (("run", "--methods", "copy", "--checkpoint-seconds", "-5"), ("--checkpoint-seconds",)),
    (("run", "--config", "/no/such/bench.toml"), ("/no/such/bench.toml",)),
    (("run", "--methods", "copy", "--split", "test=nope"), ("nope",)),
    (("list", "method"), ("kind 'method'", "methods")),
    (("info", "pallete"), ("pallete", "palette")),
    (("data", "prepare", "starnett"), ("starnett", "starnet")),
    (("rnu",), ("command 'rnu'", "run")),
]


@pytest.mark.parametrize(("words", "told"), NAMES, ids=lambda v: " ".join(v)[:60])
def test_a_wrong_word_names_itself_and_the_nearest(
    words: tuple[str, ...], told: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    message = failing(capsys, *words)
    for part in told:
        assert part in message


def test_missing_and_empty_data_say_where_to_get_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TIMBREBENCH_DATA", raising=False)
    told = failing(capsys, "run", "--dataset", "starnet")
    assert "zenodo.org/records/6917099" in told and "--data-root" in told
    told = failing(capsys, "run", "--dataset", "starnet", "--data-root", tmp_path)
    assert str(tmp_path) in told
    told = failing(capsys, "run", "--dataset", "folder", "--data-root", tmp_path / "nowhere")
    assert "nowhere" in told


def test_a_folder_that_is_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (("report", tmp_path), ("clean", tmp_path), ("show", "x", "--run", tmp_path)):
        assert "no run folder" in failing(capsys, *words)
    (tmp_path / "run.json").write_text('{"schema": 0}')
    assert "another version" in failing(capsys, "report", tmp_path)
    (tmp_path / "run.json").write_text("{half")
    assert "damaged" in failing(capsys, "report", tmp_path)


@pytest.mark.parametrize("text", ["methods = [", "metods = ['copy']", "options = 3"])
def test_a_wrong_configuration_file(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bench.toml"
    file.write_text(text)
    assert str(file) in failing(capsys, "run", "--config", file)


def test_output_that_cannot_be_written(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blocked = tmp_path / "a-file"
    blocked.write_text("in the way")
    words = ("run", "--methods", "copy", "--dataset", "folder", "--data-root", folder)
    told = failing(capsys, *words, "--out", blocked / "run")
    assert str(blocked) in told and "--out" in told
    if os.path.ismount("/proc"):
        assert "/proc/run" in failing(capsys, *words, "--out", "/proc/run")


def test_a_full_disk(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", str(small)]
    try:
        if subprocess.run(mount, capture_output=True).returncode:
            pytest.skip("this test may not mount a small file system")
    except FileNotFoundError:
        pytest.skip("there is no mount command")
    try:
        words = ("run", "--methods", "copy", "--no-controls", "--tasks", "bell:bow")
        where = ("--dataset", "folder", "--data-root", folder, "--out", small / "run")
        code = main([str(w) for w in (*words, *where)])
    finally:
        subprocess.run(["umount", str(small)], check=True)
    captured = capsys.readouterr()
    told = captured.out + captured.err
    # By where it fills: the run cannot go on (2), or a cell has failed (1).
    assert code in (1, 2) and "Traceback" not in told
    assert "No space left" in told


# ---------------------------------------------------------------------------- bad audio


def tone(seconds: float = 1.0) -> np.ndarray:
    return 0.3 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * RATE)) / RATE)


def no_audio(path: Path) -> None:
    path.write_text("this is a shopping list")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def truncated(path: Path) -> None:
    sf.write(path, tone(), RATE)
    path.write_bytes(path.read_bytes()[:20])


def not_numbers(path: Path) -> None:
    sf.write(path, np.full(RATE, np.nan, np.float32), RATE, subtype="FLOAT")


def many_channels(path: Path) -> None:
    sf.write(path, np.zeros((RATE, 64)), RATE)


def one_hertz(path: Path) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(1)
        file.writeframes(bytes(2000))


def too_short(path: Path) -> None:
    sf.write(path, tone(0.01), RATE)


HOSTILE = [no_audio, empty, truncated, not_numbers, many_channels, one_hertz, too_short]


@pytest.mark.parametrize("make", HOSTILE, ids=lambda make: make.__name__)
def test_a_single_file_that_is_no_audio(
    make: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = tmp_path / "good.wav", tmp_path / "bad.wav"
    sf.write(good, tone(), RATE)
    make(bad)  # type: ignore[operator]
    words = ("score", "--reference", good, "--estimate", bad, "--metrics", "level_error_db")
    assert str(bad) in failing(capsys, *words)


def test_folders_without_a_common_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for side, name in (("a", "one"), ("b", "two")):
        (tmp_path / side).mkdir()
        sf.write(tmp_path / side / f"{name}.wav", tone(), RATE)
    told = failing(capsys, "score", "--reference", tmp_path / "a", "--estimate", tmp_path / "b")
    assert "one" in told and "two" in told
