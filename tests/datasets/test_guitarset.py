"""GuitarSet in its layout: recordings, modes, a split by player."""

from pathlib import Path

import pytest

from timbrebench.datasets.guitarset import GuitarSet, Options
from timbrebench.testing import check_dataset

INDEX = "guitarset_index_1.1.0.json"
PLAYERS = [f"0{n}" for n in range(6)]


def place(shelf) -> Path:
    ids = [f"{p}_BN1-129-Eb_{mode}" for p in PLAYERS for mode in ("comp", "solo")]
    kinds = ("audio_hex_cln", "audio_hex", "jams")
    tracks = {
        id: {
            "audio_mic": f"audio_mono-mic/{id}_mic.wav",
            "audio_mix": f"audio_mono-pickup_mix/{id}_mix.wav",
            **{kind: f"elsewhere/{id}.{kind}" for kind in kinds},
        }
        for id in ids
    }
    shelf.place("guitarset", INDEX, tracks, seconds=1.0, rate=44100)
    return shelf.root


def test_a_player_is_in_one_split_only(shelf) -> None:
    corpus = GuitarSet(Options(), place(shelf)).corpus()
    splits = {p: {t.split for t in corpus.tracks if t.id.startswith(p)} for p in PLAYERS}
    assert all(len(found) == 1 for found in splits.values())
    assert sorted(min(found) for found in splits.values()) == ["test"] + ["train"] * 4 + ["valid"]
    assert corpus.instruments == ("acoustic_guitar",) and corpus.rate == 44100


@pytest.mark.parametrize("mode, count", [("all", 12), ("comp", 6), ("solo", 6)])
def test_modes(shelf, mode: str, count: int) -> None:
    corpus = GuitarSet(Options(mode=mode), place(shelf)).corpus()
    assert len(corpus.tracks) == count


def test_microphone_and_pickup_are_other_recordings(shelf) -> None:
    root = place(shelf)
    corpora = [GuitarSet(Options(audio=audio), root).corpus() for audio in ("mic", "pickup")]
    names = [c.tracks[0].stems["acoustic_guitar"].parent.name for c in corpora]
    assert names == ["audio_mono-mic", "audio_mono-pickup_mix"]
    assert corpora[0].fingerprint != corpora[1].fingerprint


def test_it_keeps_the_contract_of_datasets(shelf) -> None:
    check_dataset(GuitarSet(Options(), place(shelf)))


def test_the_real_clip_loads(data_root: Path, cache: Path) -> None:
    corpus = GuitarSet(Options(), data_root / "mirdata").corpus()
    (track,) = corpus.tracks
    assert (track.id, track.split, corpus.rate) == ("03_BN3-119-G_solo", "train", 44100)
    assert corpus.load(track.id, "acoustic_guitar", 44100).seconds == pytest.approx(2.0)
    assert corpus.notes["split"] == "by player, by the hash of its name"
