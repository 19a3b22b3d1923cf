"""Saraga in its layout: the ensemble, its musicians, a split by artist."""

from pathlib import Path

import pytest

from timbrebench.datasets.saraga import Options, Saraga
from timbrebench.testing import check_dataset

INDEX = "saraga_carnatic_index_1.5.json"
SONGS = {  # song → (concert, whom its folder is named for)
    "A": ("At Arkay", "Asha"),
    "B": ("At Arkay", "Asha"),
    "C": ("By the river", "Asha"),
    "D": ("At Arkay", "Balan"),
    "E": ("At Vani Mahal", "Chitra"),
}


def place(shelf) -> Path:
    tracks = {}
    for number, (song, (concert, artist)) in enumerate(SONGS.items()):
        start = f"saraga1.5_carnatic/{concert} by {artist}/{song}/{song}"
        stems = {
            f"audio-{name}": f"{start}.multitrack-{name}.mp3"
            for name in ("vocal", "violin", "ghatam", "mridangam-left", "mridangam-right")
        }
        rest = ("vocal-s", "ctonic", "pitch", "pitch-vocal", "tempo", "sama", "sections", "phrases")
        names = [n if n != "vocal-s" else "audio-vocal-s" for n in (*rest, "metadata")]
        others = {name: f"{start}.{name}.txt" for name in names}
        tracks[f"{number}_{song}"] = {"audio-mix": f"{start}.mp3.mp3", **stems, **others}
    shelf.place("saraga_carnatic", INDEX, tracks, seconds=1.0, rate=44100)
    return shelf.root


def test_an_artist_is_in_one_split_only(shelf) -> None:
    corpus = Saraga(Options(), place(shelf)).corpus()
    assert len(corpus.tracks) == 5 and corpus.instruments == ("carnatic",)
    asha = {t.split for t in corpus.tracks if SONGS[t.id[-1]][1] == "Asha"}
    assert len(asha) == 1
    assert {t.split for t in corpus.tracks} == {"train", "valid", "test"}


def test_the_musicians_play_parts_of_their_own(shelf) -> None:
    corpus = Saraga(Options(stems=True), place(shelf)).corpus()
    expected = ("ghatam", "mridangam_left", "mridangam_right", "violin", "vocal")
    assert corpus.instruments == expected
    assert not any(t.pairs("vocal", "violin") for t in corpus.tracks)
    assert [t.name for t in corpus.groups["single"]] == ["vocal:violin", "violin:vocal"]
    assert corpus.tracks_together("train", "vocal", "violin")


@pytest.mark.parametrize("stems", [False, True])
def test_it_keeps_the_contract_of_datasets(shelf, stems: bool) -> None:
    check_dataset(Saraga(Options(stems=stems), place(shelf)))


@pytest.mark.parametrize("stems, instrument", [(False, "carnatic"), (True, "violin")])
def test_the_real_clips_load(data_root: Path, cache: Path, stems: bool, instrument: str) -> None:
    corpus = Saraga(Options(stems=stems), data_root / "mirdata").corpus()
    (track,) = corpus.tracks
    assert (track.id, track.split, corpus.rate) == ("116_Bhuvini_Dasudane", "train", 44100)
    clip = corpus.load(track.id, instrument, 44100)
    assert clip.seconds == pytest.approx(2.0, abs=0.05)
