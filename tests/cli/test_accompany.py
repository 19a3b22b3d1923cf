"""``bench accompany``: bands, levels, the mix, and how agreement is measured."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching
from usable_cells import cell_of, corpus_folder, trained_run
from usable_methods import usable_plugins

from timbrebench.benchmarks import session
from timbrebench.benchmarks.accompany import fit_in
from timbrebench.benchmarks.agreement import TOLERANCE, agreement, f_measure
from timbrebench.benchmarks.bands import Band, band_of, band_pass
from timbrebench.cli import main
from timbrebench.core import audio
from timbrebench.core.errors import BenchError
from timbrebench.core.records import Corpus, Track

RATE = 22050


@pytest.fixture(autouse=True)
def plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "registry", usable_plugins)


def tone(hertz: float, seconds: float = 1.0, rate: int = RATE) -> np.ndarray:
    time = np.arange(round(seconds * rate)) / rate
    return np.sin(2 * np.pi * hertz * time).astype(np.float32)


def tune(midi: list[int], rate: int = RATE) -> np.ndarray:
    """Half-second notes of five partials that die away."""
    notes = []
    for pitch in midi:
        hertz = 440 * 2 ** ((pitch - 69) / 12)
        partials = sum(tone(n * hertz, 0.5, rate) / n for n in range(1, 6))
        notes.append(partials * np.exp(-4 * np.arange(round(0.5 * rate)) / rate))
    return (0.2 * np.concatenate(notes)).astype(np.float32)


# ---------------------------------------------------------------------------- fitting in


def test_the_band_passes_what_is_in_it_and_delays_nothing() -> None:
    low, middle, high = (tone(hertz) for hertz in (50, 600, 6000))
    passed = band_pass(low + middle + high, RATE, Band(200, 2000))
    inner = slice(RATE // 4, -RATE // 4)
    assert audio.rms((passed - middle)[inner]) < 0.01
    np.testing.assert_allclose(band_pass(passed[:1], RATE, Band(200, 2000)).shape, (1,))
    np.testing.assert_allclose(
        band_pass(middle, RATE, Band(20, 1e6))[inner], middle[inner], atol=0.01
    )
    assert not band_pass(middle, RATE, Band(20000, 30000)).any()
    with pytest.raises(BenchError, match="holds nothing"):
        Band(300, 200)


def test_the_band_of_an_instrument_is_that_of_its_energy(tmp_path: Path) -> None:
    """White noise to 8 kHz: 99 % of its energy lies in 40..7960 Hz. A tone beside weaker ones."""
    noise = np.random.default_rng(0).standard_normal(16000 * 20) * 0.1
    tones = tone(1000, 5, 16000) + 0.01 * tone(100, 5, 16000) + 0.01 * tone(6000, 5, 16000)
    tracks = []
    for name, samples in (("noise", noise), ("tones", 0.5 * tones)):
        path = tmp_path / f"{name}.wav"
        sf.write(path, samples, 16000, subtype="FLOAT")
        tracks.append(Track(name, {name: path}, "train"))
    corpus = Corpus("c", tuple(tracks), {}, "")
    band = band_of(corpus, "noise")
    assert band is not None
    assert band.low == pytest.approx(40, abs=8) and band.high == pytest.approx(7960, abs=8)
    band = band_of(corpus, "tones")
    assert band is not None and 980 < band.low < 1000 < band.high < 1020
    assert band_of(corpus, "drum") is None


def test_a_stem_has_its_level_beside_the_voice() -> None:
    voice, stem = 0.2 * tone(300), tone(500)
    fitted = fit_in(stem, voice, RATE, Band(100, 5000), -9.0)
    assert audio.rms_db(fitted) - audio.rms_db(voice) == pytest.approx(-9, abs=1e-3)


# ---------------------------------------------------------------------------- agreement


def test_onsets_match_as_often_as_they_can() -> None:
    rng = np.random.default_rng(0)
    for _ in range(100):
        reference, estimate = (np.sort(rng.random(rng.integers(1, 12))) for _ in range(2))
        near = np.abs(reference[:, None] - estimate) <= TOLERANCE
        hits = (maximum_bipartite_matching(csr_array(near)) >= 0).sum()
        wanted = 2 * hits / (len(reference) + len(estimate))
        assert f_measure(reference.tolist(), estimate.tolist()) == pytest.approx(wanted)
    assert f_measure([], []) is None
    assert f_measure([1.0], []) == 0


def test_agreement_is_of_harmony_and_of_rhythm() -> None:
    voice = tune([60, 64, 67, 72, 65, 69, 60, 62])
    other = tune([66, 70, 61, 66, 71, 63, 66, 68])  # a tritone away: the same rhythm
    same, far = agreement(voice, voice, RATE), agreement(voice, other, RATE)
    assert same["chroma"] == pytest.approx(1, abs=1e-3) and same["onsets"] == 1
    assert far["chroma"] is not None and far["chroma"] < 0.5
    assert far["onsets"] is not None and far["onsets"] > 0.8
    late = agreement(voice, np.roll(voice, RATE // 4), RATE)
    assert late["onsets"] is not None and late["onsets"] < 0.3
    silent = agreement(voice, np.zeros_like(voice), RATE)
    assert silent == {"chroma": 0, "onsets": 0}
    nothing = np.zeros(100, np.float32)
    assert agreement(nothing, nothing, RATE) == {"chroma": None, "onsets": None}


# ---------------------------------------------------------------------------- the command


@pytest.fixture
def vocals(tmp_path: Path) -> Path:
    path = tmp_path / "vocals.wav"
    sf.write(path, tune([60, 64, 67, 72], 16000), 16000, subtype="FLOAT")
    return path


def test_stems_stand_beside_a_mix_that_they_add_up_to(
    vocals: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copies = cell_of(tmp_path / "run", "copy", "bell:bow", "bell:reed", "bow:bell")
    out = tmp_path / "new" / "mix.flac"
    words = [str(vocals), "-o", str(out), "--with", f"bow={copies}", "--with", f"reed={copies}"]
    wide = ["--low", "30", "--high", "7900", "--level", "-3"]
    assert main(["accompany", *words, *wide, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["stems"]
    assert [row["instrument"] for row in rows] == ["bow", "reed"]
    voice = sf.read(vocals, dtype="float32")[0]
    stems = [
        sf.read(out.with_name(f"mix-{name}.flac"), dtype="float32")[0] for name in ("bow", "reed")
    ]
    total = voice + np.sum(stems, axis=0)
    gain = min(1, audio.CEILING / np.abs(total).max())
    np.testing.assert_allclose(sf.read(out)[0], gain * total, atol=3e-4)
    for row, stem in zip(rows, stems, strict=True):
        assert audio.rms_db(stem) - audio.rms_db(voice) == pytest.approx(-3, abs=0.1)
        assert row["chroma"] > 0.95 and row["onsets"] > 0.7


def test_a_mix_that_would_clip_is_brought_down_with_its_stems(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loud = tmp_path / "loud.wav"
    sf.write(loud, 0.9 * tone(440, 1, 16000), 16000, subtype="FLOAT")
    copies = cell_of(tmp_path, "copy", "bell:bow")
    out = tmp_path / "mix.wav"
    words = ["accompany", str(loud), "-o", str(out), "--with", f"bow={copies}", "--level", "0"]
    assert main([*words, "--low", "30", "--high", "7000"]) == 0
    mix, stem = sf.read(out)[0], sf.read(tmp_path / "mix-bow.wav")[0]
    assert np.abs(mix).max() == pytest.approx(audio.CEILING, abs=1e-3)
    np.testing.assert_allclose(mix, 2 * stem, atol=0.02)
    assert "chroma" in capsys.readouterr().out


def test_a_trained_cell_accompanies_within_its_instruments_band(
    vocals: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "mix.wav"
    words = ["accompany", str(vocals), "-o", str(out), "--with", f"bow={trained_run()}"]
    assert main([*words, "--set", "bow.steps=1", "--json"]) == 0
    [row] = json.loads(capsys.readouterr().out)["stems"]
    corpus_band = (row["low_hz"], row["high_hz"])
    assert 100 < corpus_band[0] < 300 and 2000 < corpus_band[1] < 8000
    stem = sf.read(tmp_path / "mix-bow.wav")[0]
    power = np.abs(np.fft.rfft(stem)) ** 2
    below = np.fft.rfftfreq(len(stem), 1 / 16000) < corpus_band[0] / 2
    assert power[below].sum() < 0.01 * power.sum()


def test_mistakes_are_one_line(
    vocals: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cell, run = cell_of(tmp_path / "a", "copy", "bell:bow"), trained_run()
    gone = tmp_path / "gone"
    gone.mkdir()
    for path in corpus_folder().glob("b*/*.wav"):
        (gone / path.parent.name).mkdir(exist_ok=True)
        (gone / path.parent.name / path.name).write_bytes(path.read_bytes())
    lost = cell_of(tmp_path / "b", "copy", "bell:bow", data=gone)
    for path in gone.rglob("*.wav"):
        path.unlink()
    out = tmp_path / "mix.wav"
    for words, told in [
        (("-o", out, "--with", "bow"), "INSTRUMENT=CELL"),
        (("-o", out, "--with", f"bow={cell}", "--with", f"bow={run}"), "given twice"),
        (("-o", out, "--with", f"violin={cell}"), "unknown target of the cell copy: 'violin'"),
        (("-o", out, "--with", f"bow={cell}", "--set", "bow.k=3"), "unknown sampling option"),
        (("-o", out, "--with", f"bow={cell}", "--low", 500, "--high", 50), "holds nothing"),
        (("-o", tmp_path / "mix.ogg", "--with", f"bow={cell}"), "written as"),
        (("-o", out, "--with", f"bow={lost}"), "--low HZ --high HZ"),
    ]:
        assert main(["accompany", str(vocals), *map(str, words)]) == 2
        printed = capsys.readouterr().err.strip()
        assert printed.startswith("Error: ") and "\n" not in printed and told in printed
    assert not out.exists()
