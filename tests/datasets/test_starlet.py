"""The dataset: files, pairing, levels, resumption, the user's MIDI and SoundFont."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pretty_midi
import pytest
import soundfile

from timbrebench.core import seeds
from timbrebench.core.errors import BenchError, MissingData
from timbrebench.core.files import digest_of_files
from timbrebench.core.records import SPLITS, Task
from timbrebench.datasets.sampling import fonts
from timbrebench.datasets.sampling.fonts import default_soundfont
from timbrebench.datasets.starlet import dataset
from timbrebench.datasets.starlet.dataset import SOUND, Starlet
from timbrebench.datasets.starlet.instruments import INSTRUMENTS, MIXTURES
from timbrebench.datasets.starlet.options import Options

TINY = {"pieces": 2, "valid_pieces": 1, "test_pieces": 1, "seconds": 4.0}
RATE = 16000


def silent(what: str, share: float) -> None:
    pass


def make(root: Path, **options) -> Starlet:
    dataset = Starlet(Options(**TINY | options), root)
    dataset.prepare(silent)
    return dataset


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Starlet:
    return make(tmp_path_factory.mktemp("starlet"))


def read(path: Path) -> np.ndarray:
    samples, rate = soundfile.read(path, dtype="int16")
    assert rate == RATE and samples.ndim == 1
    return samples


def contents(dataset: Starlet) -> dict[str, str]:
    """Every file's hash by track and name."""
    paths = [p for t in dataset.corpus().tracks for p in (*t.stems.values(), t.score)]
    return {f"{p.parent.name}/{p.name}": hashlib.sha256(p.read_bytes()).hexdigest() for p in paths}


def test_stems_of_a_track_are_whole_and_equally_long(made):
    for track in made.corpus().tracks:
        lengths = {len(read(path)) for path in track.stems.values()}
        assert lengths == {round(track.seconds * RATE)}
        assert not [p for p in track.score.parent.iterdir() if p.name.startswith(".part")]


def test_levels_are_alike_and_nothing_clips(made):
    for track in made.corpus().tracks:
        for name, path in track.stems.items():
            samples = read(path).astype(np.float64) / 32768
            rms = 20 * np.log10(np.sqrt(np.mean(samples**2)))
            assert np.abs(samples).max() <= (0.91 if name in MIXTURES else 0.451)
            assert -31 < rms < (-17 if name in MIXTURES else -22.9)


def test_a_mixture_is_the_exact_sum_of_its_stems(made):
    track = made.corpus().track("train-000")
    for mixture, names in MIXTURES.items():
        assert np.array_equal(
            read(track.stems[mixture]), sum(read(track.stems[name]) for name in names)
        )


def comb(samples: np.ndarray, key: float) -> float:
    """How much of the sound lies on the first four harmonics of a key."""
    time = np.arange(len(samples)) / RATE
    windowed = samples * np.hanning(len(samples))
    partials = 440 * 2 ** ((key - 69) / 12) * np.arange(1, 5)
    return float(sum(abs(np.exp(-2j * np.pi * hz * time) @ windowed) for hz in partials))


@pytest.mark.parametrize("name", INSTRUMENTS)
def test_in_a_solo_every_instrument_plays_each_written_note_in_its_time(made, name):
    [track] = made.corpus().tracks_of("train", *INSTRUMENTS)
    samples = read(track.stems[name])
    [part] = pretty_midi.PrettyMIDI(str(track.score)).instruments
    right = 0
    for note in part.notes:
        begin = round(note.start * RATE)
        heard = samples[begin : begin + round(max(note.end - note.start, 0.2) * RATE)]
        right += comb(heard, note.pitch) > max(comb(heard, note.pitch + d) for d in (-2, -1, 1, 2))
    assert right > 0.8 * len(part.notes)
    assert 0 <= np.argmax(np.abs(samples) > 300) / RATE - part.notes[0].start < 0.08


def test_only_stems_of_one_part_count_as_a_pair(made):
    corpus = made.corpus()

    def ids(*names):
        return [t.id for t in corpus.tracks_of("train", *names)]

    assert ids("clarinet", "strings") == ids("vibraphone", "piano") == ["train-000", "train-001"]
    assert ids("clarinet", "piano") == ids("strings", "vibraphone") == ["train-001"]
    assert ids("clarinet+vibraphone", "strings+piano") == ["train-000"]
    assert corpus.track("train-000").parts["violin"] == "melody"
    assert corpus.track("train-000").parts["harp"] == "accompaniment"


def test_groups_hold_starnets_tasks_first(made):
    groups = made.corpus().groups
    assert next(iter(groups)) == "single"
    assert {t.name for t in groups["single"]} == {
        "clarinet:strings",
        "strings:clarinet",
        "vibraphone:piano",
        "piano:vibraphone",
    }
    assert Task("transfer", "clarinet", "piano") in groups["cross"]
    assert {t.a for t in groups["generate"]} == set(INSTRUMENTS)
    for pair in groups["pair"]:  # of different parts somewhere, so that their music differs
        tracks = made.corpus().tracks_together("train", *pair.ends)
        assert any(not track.pairs(*pair.ends) for track in tracks)
    there = groups["single-mixed"][0]
    assert [p.name for p in there.direct] == ["clarinet:strings", "vibraphone:piano"]


def test_the_score_holds_the_parts_that_sound(made):
    track = made.corpus().track("train-000")
    midi = pretty_midi.PrettyMIDI(str(track.score))
    assert {i.name for i in midi.instruments} == {"melody", "accompaniment"}
    first = min(n.start for i in midi.instruments if i.name == "accompaniment" for n in i.notes)
    heard = np.argmax(np.abs(read(track.stems["piano"])) > 300) / RATE
    assert abs(heard - first) < 0.03


def test_same_options_give_the_same_bytes_however_many_pieces(made, tmp_path):
    again = contents(make(tmp_path, pieces=1))
    earlier = contents(made)
    assert again == {name: earlier[name] for name in again}
    assert len(again) < len(earlier)


def test_prepare_makes_only_what_is_missing(tmp_path):
    dataset = make(tmp_path, pieces=1)
    before = contents(dataset)
    track = dataset.corpus().track("train-000")
    victims = [track.stems["strings+piano"], track.stems["harp"], track.score]
    others = [p for t in dataset.corpus().tracks for p in t.stems.values() if p not in victims]
    times = {p: p.stat().st_mtime_ns for p in others}
    for victim in victims:
        victim.unlink()
    dataset.prepare(silent)
    assert contents(dataset) == before
    assert {p: p.stat().st_mtime_ns for p in others} == times


def test_threads_change_no_byte(made, tmp_path, monkeypatch):
    monkeypatch.setattr("timbrebench.datasets.sampling.rendering._MOST_THREADS", 1)
    assert contents(make(tmp_path)) == contents(made)


def test_the_corpus_is_known_before_and_light(tmp_path):
    code = (
        "import sys; from pathlib import Path\n"
        "from timbrebench.datasets.starlet.dataset import Starlet\n"
        "from timbrebench.datasets.starlet.options import Options\n"
        f"corpus = Starlet(Options(), Path({str(tmp_path)!r})).corpus()\n"
        "heavy = {'torch', 'librosa', 'pretty_midi', 'soundfile', 'scipy', 'pandas', 'essentia'}\n"
        "print(corpus.fingerprint, sorted(heavy & set(sys.modules)))\n"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    fingerprint = Starlet(Options(), tmp_path / "elsewhere").corpus().fingerprint
    assert shown.stdout.split() == [fingerprint, "[]"]
    assert not list(tmp_path.iterdir())


def test_every_split_has_duos_and_solos_by_default(tmp_path):
    corpus = Starlet(Options(), tmp_path).corpus()
    for split in SPLITS:
        solos = len(corpus.tracks_of(split, "clarinet", "piano"))
        assert 0 < solos < len(corpus.tracks_of(split))
        assert len(corpus.tracks_of(split, "clarinet+vibraphone")) + solos == len(
            corpus.tracks_of(split)
        )


def test_code_that_makes_the_sound_is_as_it_was_when_the_sound_was_named():
    """Where this fails, render a corpus by the old and by the new code. If a sample differs, give
    SOUND another name; either way, tell here what the code is now."""
    folders = (Path(dataset.__file__).parent, Path(fonts.__file__).parent)
    sources = [path for folder in folders for path in sorted(folder.glob("*.py"))]
    written = [path for path in sources if path != Path(dataset.__file__)]  # it holds the name
    code = digest_of_files([*written, Path(seeds.__file__)])
    assert (SOUND, code) == ("c81f074632778870", "1253381b5966fa13")


def test_what_is_heard_decides_the_fingerprint(tmp_path):
    def of(**options):
        return Starlet(Options(**options), tmp_path).corpus().fingerprint

    changes = ({}, {"seed": 1}, {"pieces": 10}, {"reverb": 0.2}, {"test_grammar": "heldout"})
    assert len({of(**change) for change in changes}) == len(changes)
    assert of(soundfont=str(default_soundfont())) == of()


def test_held_out_options_touch_the_test_alone(tmp_path):
    font = tmp_path / "other.sf2"
    font.write_bytes(default_soundfont().read_bytes() + b"\0\0")

    def folders(**options):
        corpus = Starlet(Options(**options), tmp_path).corpus()
        return {t.split: t.score.parent.parent for t in corpus.tracks}

    plain = folders()
    for held_out in ({"test_soundfont": str(font)}, {"test_grammar": "heldout"}):
        changed = folders(**held_out)
        assert [s for s in SPLITS if changed[s] != plain[s]] == ["test"]


def test_level_reverb_and_timing_change_the_sound(made, tmp_path):
    plain = made.corpus().track("train-000").stems

    def stems(**options):
        return make(tmp_path, pieces=1, **options).corpus().track("train-000").stems

    quiet = stems(level_db=20.0)
    gains = [np.std(read(quiet[n])) / np.std(read(plain[n])) for n in ("piano", "harp", "violin")]
    assert all(0.099 < g <= 1.001 for g in gains) and np.std(gains) > 0.01
    mixed = read(quiet["strings+piano"])
    assert np.array_equal(mixed, read(quiet["strings"]) + read(quiet["piano"]))
    late = stems(timing_ms=80.0)
    assert not np.array_equal(read(late["piano"]), read(plain["piano"]))
    roomy = stems(reverb=0.5)
    end = np.flatnonzero(read(plain["clarinet"]))[-1]
    assert np.any(read(roomy["clarinet"])[end + 200 :])


def write_midi(path: Path, *tracks: list[tuple[float, float, int]], drums: bool = False) -> None:
    midi = pretty_midi.PrettyMIDI()
    for notes in tracks:
        instrument = pretty_midi.Instrument(0, is_drum=drums)
        instrument.notes = [pretty_midi.Note(80, key, start, end) for start, end, key in notes]
        midi.instruments.append(instrument)
    path.parent.mkdir(parents=True, exist_ok=True)
    midi.write(str(path))


def test_a_folder_of_midi_files_becomes_a_corpus(tmp_path):
    folder = tmp_path / "midi"
    bass, tune = [(5.0, 7.0, 24), (7.0, 8.0, 31)], [(5.5, 6.0, 100), (6.0, 90.0, 102)]
    write_midi(folder / "Duo (live)!.mid", bass, tune)
    write_midi(folder / "sub" / "solo.MIDI", tune)
    write_midi(folder / "third.mid", bass)
    (folder / "copy.mid").write_bytes((folder / "third.mid").read_bytes())
    write_midi(folder / "drums.mid", bass, drums=True)
    (folder / "broken.mid").write_bytes(b"MThd no midi at all")
    (folder / "empty.mid").write_bytes(b"")
    dataset = make(tmp_path / "out", midi=str(folder))
    corpus = dataset.corpus()
    assert {t.split for t in corpus.tracks} == set(SPLITS)
    assert set(corpus.notes["left_out"]) == {"broken.mid", "drums.mid", "empty.mid", "third.mid"}
    assert all("\n" not in why and why for why in corpus.notes["left_out"].values())
    duo = next(t for t in corpus.tracks if "duo-live" in t.id)
    assert duo.seconds == 4.0 and "clarinet+vibraphone" in duo.stems
    assert np.abs(read(duo.stems["flute"])[: round(0.4 * RATE)]).max() == 0  # enters 0.5 s later
    assert np.abs(read(duo.stems["harp"])[: round(0.1 * RATE)]).max() > 300
    solo = next(t for t in corpus.tracks if "solo" in t.id)
    assert corpus.tracks_of(solo.split, "clarinet", "piano") == (solo,)


def test_mistakes_are_one_line_errors(tmp_path):
    (tmp_path / "few").mkdir()
    write_midi(tmp_path / "few" / "a.mid", [(0, 1, 60)])
    wrong = [
        ({"midi": str(tmp_path / "none")}, MissingData, "no folder"),
        ({"midi": str(tmp_path / "few")}, BenchError, "1 readable"),
        ({"soundfont": str(tmp_path / "none.sf2")}, MissingData, "no SoundFont"),
        ({"tempo_low": 140.0}, BenchError, "tempo_low"),
        ({"midi": str(tmp_path), "test_grammar": "heldout"}, BenchError, "test_grammar"),
    ]
    for options, kind, text in wrong:
        with pytest.raises(kind, match=text) as caught:
            Starlet(Options(**options), tmp_path).corpus()
        assert "\n" not in str(caught.value)
    assert "no SoundFont" in Starlet(Options(soundfont="none.sf2"), tmp_path).missing()
    assert Starlet(Options(), tmp_path).missing() == ""


def test_a_folder_that_cannot_be_written_is_a_one_line_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(BenchError, match="cannot be written"):
        make(tmp_path / "file")
