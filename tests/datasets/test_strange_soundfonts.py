"""SoundFonts with faults: each is one line that names the file, and nothing is silent unsaid."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from soundfont_files import INSTRUMENT, LENGTH, LOOPED, PLAIN, SAMPLE, soundfont_bytes

from timbrebench.cli import main
from timbrebench.core.errors import BenchError
from timbrebench.datasets.midi import Midi, Options
from timbrebench.datasets.sampling.midi import write_parts
from timbrebench.datasets.sampling.sampler import Sampler
from timbrebench.datasets.sampling.score import Note
from timbrebench.datasets.sampling.soundfont import SoundFont
from timbrebench.datasets.starlet.dataset import Starlet
from timbrebench.datasets.starlet.options import Options as StarletOptions

RATE, ALL = 16000, 2 * LENGTH  # bytes of the sample
THERE = LENGTH + 46  # samples in the file: 46 zeros follow each
KEYS, RELEASE, SCALE, ROOT, ATTENUATION, START, COARSE = 43, 38, 56, 58, 48, 0, 4


def silent(what: str, share: float) -> None:
    pass


def played(path: Path, content: bytes, key: int = 69) -> np.ndarray:
    """A note of program 0."""
    path.write_bytes(content)
    return Sampler(SoundFont(path), RATE).play(0, [Note(0, 0.3, key, 100)], RATE // 2)


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "no rate": ({"rate": 0}, "its sample 'sine' has 0 Hz, not 400 to 192000"),
    "a slow rate": ({"rate": 399}, "has 399 Hz"),
    "a fast rate": ({"rate": 192_001}, "has 192001 Hz"),
    "a rate for ever": ({"rate": 4_000_000_000}, "has 4000000000 Hz"),
    "beyond the end": ({"at": (0, THERE + 1)}, f"goes from 0 to {THERE + 1} of {THERE}"),
    "far beyond": ({"at": (4_000_000_000, 4_000_000_100)}, "goes from 4000000000"),
    "no samples": ({"at": (5, 5)}, "goes from 5 to 5"),
    "backwards": ({"at": (9, 5)}, "goes from 9 to 5"),
    "moved out": ({"instrument_zones": [{START: -1, **PLAIN}]}, "goes from -1"),
    "moved far": ({"instrument_zones": [{COARSE: 1, **PLAIN}]}, "goes from 32768"),
    "a loop beyond": ({"loop": (0, LENGTH + 1)}, f"of {LENGTH} repeats 0 to {LENGTH + 1}"),
    "a loop before": ({"at": (10, LENGTH), "loop": (9, 20)}, "repeats -1 to 10"),
    "a loop backwards": ({"loop": (20, 10)}, "repeats 20 to 10"),
    "no such sample": ({"instrument_zones": [{LOOPED: 1, SAMPLE: 1}]}, "shdr has no row 1"),
    "no such instrument": ({"preset_zones": [{INSTRUMENT: 7}]}, "inst has no row 7"),
    "out of order": ({"presets": ((0, 2), (1, 0))}, "its table phdr leads out of pbag"),
    "too many": (
        {"preset_zones": [{INSTRUMENT: 0}] * 70, "instrument_zones": [PLAIN] * 70},
        "a program has more than 4096 zones",
    ),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_fault_is_one_line_that_names_the_file(tmp_path: Path, case: str) -> None:
    given, told = FAULTS[case]
    with pytest.raises(BenchError, match=r"a\.sf2 cannot be read as a SoundFont 2 file") as caught:
        played(tmp_path / "a.sf2", soundfont_bytes(**given))
    assert told in str(caught.value) and "\n" not in str(caught.value)


FINE: dict[str, dict[str, Any]] = {
    "the slowest rate": {"rate": 400},
    "the fastest rate": {"rate": 192_000},
    "to the last sample": {"at": (0, THERE), "loop": (0, THERE)},
    "a loop of no length": {"loop": (7, 7)},  # is played once
    "a loop that is not played": {"loop": (9, 5), "instrument_zones": [{SAMPLE: 0}]},
    "a release of 20 days": {"instrument_zones": [{RELEASE: 25000, **PLAIN}]},
    "louder than loud": {"instrument_zones": [{ATTENUATION: -30000, **PLAIN}]},
    "a steep scale": {"instrument_zones": [{SCALE: 32767, ROOT: 69, **PLAIN}]},
}


@pytest.mark.parametrize("case", FINE)
def test_what_is_only_odd_is_played(tmp_path: Path, case: str) -> None:
    wave = played(tmp_path / "a.sf2", soundfont_bytes(**FINE[case]))
    assert np.isfinite(wave).all() and 0 < np.abs(wave).max() <= 1


def test_whatever_bytes_are_damaged_it_ends_with_a_sound_or_a_line(tmp_path: Path) -> None:
    """Damaged are the tables, whose bytes say what is read of the others."""
    whole = soundfont_bytes([{KEYS: 127 << 8, INSTRUMENT: 0}], [{RELEASE: 0, **PLAIN}])
    begin, faults = whole.index(b"pdta"), 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        content = bytearray(whole)
        for place in rng.integers(begin, len(whole), size=rng.integers(1, 5)):
            content[place] = rng.integers(256)
        try:
            wave = played(tmp_path / "a.sf2", bytes(content), int(rng.integers(128)))
            assert np.isfinite(wave).all()
        except BenchError as error:
            assert "a.sf2" in str(error) and "\n" not in str(error)
            faults += 1
    assert 30 < faults < 270


def midi(tmp_path: Path, font: bytes, *keys: int, instruments: str = "piano/bright") -> Midi:
    """A file for each key, played by programs 0 and 1."""
    (tmp_path / "font.sf2").write_bytes(font)
    for key in keys:
        write_parts(tmp_path / "mids" / f"{key}.mid", {"": [Note(0, 0.5, key, 90)]})
    instruments = instruments.replace("bright", "bright_acoustic_piano")
    folder, font_file = str(tmp_path / "mids"), str(tmp_path / "font.sf2")
    return Midi(Options(folder=folder, soundfont=font_file, instruments=instruments), None)


def test_what_is_not_heard_is_left_out_with_its_reason(tmp_path: Path, cache: Path) -> None:
    """Program 0 has all keys, program 1 those to 63."""
    zones = [{INSTRUMENT: 0}, {KEYS: 63 << 8, INSTRUMENT: 0}]
    dataset = midi(tmp_path, soundfont_bytes(zones, presets=((0, 0), (1, 1))), 60, 64)
    expected = {"64.mid": "font.sf2 plays none of its notes as bright_acoustic_piano"}
    before = dataset.corpus()
    assert before.notes["left_out"] == expected and len(before.tracks) == 1
    dataset.prepare(silent)
    assert dataset.corpus() == before  # so that a run's plan holds
    assert [p.parent.name for p in cache.rglob("*.flac")] == [before.tracks[0].id] * 2
    alone = midi(tmp_path, soundfont_bytes(zones, presets=((0, 0), (1, 1))), instruments="piano")
    assert alone.corpus().notes["left_out"] == {}  # it is another instrument's lack
    assert len(alone.corpus().tracks) == 2


def test_zeros_for_samples_are_no_sound(tmp_path: Path, cache: Path, capsys: Any) -> None:
    dataset = midi(tmp_path, soundfont_bytes(gain=0), 60, instruments="piano")
    words = ["-o", f"midi.folder={dataset.options.folder}", "-o", "midi.instruments=piano"]
    words += ["-o", f"midi.soundfont={dataset.options.soundfont}"]
    assert main(["data", "prepare", "midi", *words]) == 2
    err = capsys.readouterr().err.strip()
    assert "(60.mid: font.sf2 plays none of its notes as piano)" in err and "\n" not in err
    assert not list(cache.rglob("*.flac"))


def test_what_turns_out_to_be_silent_is_left_out_too(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = midi(tmp_path, soundfont_bytes(), 60, 64, instruments="piano")
    play = Sampler.play

    def of_few_keys(self: Sampler, program: int, notes: list[Note], length: int) -> np.ndarray:
        return play(self, program, [n for n in notes if n.key < 63], length)

    monkeypatch.setattr(Sampler, "play", of_few_keys)
    dataset.prepare(silent)
    corpus = dataset.corpus()
    assert corpus.notes["left_out"] == {"64.mid": "font.sf2 plays none of its notes as piano"}
    assert all(path.is_file() for track in corpus.tracks for path in track.stems.values())


def test_starlet_is_never_silent(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "font.sf2").write_bytes(
        soundfont_bytes(gain=0, presets=[(number, 0) for number in range(128)])
    )
    options = StarletOptions(1, 1, 1, 3.0, soundfont=str(tmp_path / "font.sf2"))
    with pytest.raises(BenchError, match=r"font\.sf2 plays nothing of \w+ in ") as caught:
        Starlet(options, None).prepare(silent)
    assert "\n" not in str(caught.value)
