"""GTZAN in its layout: the genre, the published split, what is left out."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from timbrebench.core.errors import BenchError, MissingData
from timbrebench.core.records import Corpus
from timbrebench.datasets.gtzan.dataset import SOURCE, Gtzan
from timbrebench.datasets.gtzan.faults import published_split
from timbrebench.datasets.gtzan.options import GENRES, Options
from timbrebench.datasets.indexed.checking import damaged_before
from timbrebench.testing import check_dataset

INDEX = "gtzan_genre_index_1.0.json"


def excerpts(*ids: str) -> dict[str, dict[str, str]]:
    return {id: {"audio": f"gtzan_genre/genres/{id[:-6]}/{id}.wav"} for id in ids}


def place(shelf, *ids: str, **options) -> Path:
    shelf.place("gtzan_genre", INDEX, excerpts(*ids), **options)
    return shelf.root


# Of the published lists: one of each set, and the classical one that is left out.
CLASSICAL = ("classical.00000", "classical.00011", "classical.00030", "classical.00042")


def corpus_of(root: Path, **options) -> Corpus:
    return Gtzan(Options(**options), root).corpus()


def test_the_published_split_has_its_published_sizes() -> None:
    split = published_split()
    assert Counter(split.values()) == {"train": 443, "valid": 197, "test": 290}
    known = re.compile(rf"({'|'.join(GENRES)})\.000\d\d")
    assert all(known.fullmatch(id) for id in split)
    assert Counter(id.partition(".")[0] for id in split)["classical"] == 99


def test_no_excerpt_is_in_two_published_sets() -> None:
    assert len(published_split()) == 443 + 197 + 290


def test_the_classical_ones_are_split_as_published(shelf) -> None:
    corpus = corpus_of(place(shelf, *CLASSICAL, "jazz.00000"))
    assert {t.id: t.split for t in corpus.tracks} == {
        "classical.00000": "valid",
        "classical.00011": "test",
        "classical.00030": "train",
    }
    assert list(corpus.notes["known_faults"]) == ["classical.00042"]
    assert corpus.notes["left_out"] == {}
    assert corpus.instruments == ("classical",) and corpus.rate == 22050
    assert [t.name for t in corpus.groups["generate"]] == ["generate:classical"]


def test_faults_can_be_kept_and_then_hashes_split(shelf) -> None:
    corpus = corpus_of(place(shelf, *CLASSICAL), faults="kept")
    assert {t.id for t in corpus.tracks} == set(CLASSICAL)
    assert {t.split for t in corpus.tracks} == {"train", "valid", "test"}
    assert corpus.notes["split"].startswith("by the hashes")


def test_all_genres_offer_conversions_between_them(shelf) -> None:
    corpus = corpus_of(place(shelf, *CLASSICAL, "jazz.00000"), genre="all")
    assert [t.name for t in corpus.groups["all"]] == ["classical:jazz", "jazz:classical"]


def test_it_keeps_the_contract_of_datasets(shelf) -> None:
    root = place(shelf, *CLASSICAL)
    dataset = Gtzan(Options(), root)
    check_dataset(dataset)
    assert dataset.verify(lambda what, share: None) == {}


def test_verify_tells_what_is_not_as_the_index_says(shelf) -> None:
    root = place(shelf, *CLASSICAL)
    path = root / "gtzan_genre/gtzan_genre/genres/classical/classical.00011.wav"
    path.write_bytes(path.read_bytes()[:-2] + b"\1\1")
    found = Gtzan(Options(), root).verify(lambda what, share: None)
    assert found == {
        "gtzan_genre/genres/classical/classical.00011.wav": (
            "it is another file than the index says (another md5)"
        )
    }
    assert damaged_before(root, SOURCE) == set(found)  # for the next prepare
    note = root / "indexes" / "gtzan.damaged.json"  # as the documentation says
    assert json.loads(note.read_text()) == [*found]


@pytest.mark.parametrize("inside", [True, False])
def test_the_root_may_be_the_corpus_itself(shelf, inside: bool) -> None:
    root = place(shelf, *CLASSICAL)
    index = root / "indexes" / INDEX
    corpus = corpus_of(root if inside else root / "gtzan_genre", index=str(index))
    assert len(corpus.tracks) == 3


def test_what_is_missing_is_told_with_the_command(shelf, tmp_path: Path) -> None:
    for root in (None, tmp_path):
        dataset = Gtzan(Options(), root)
        command = f"bench data prepare gtzan --data-root {root or 'DIR'}"
        assert command in dataset.missing()
        with pytest.raises(MissingData, match=re.escape(command)):
            dataset.corpus()
    root = place(shelf, *CLASSICAL)
    (root / "indexes" / INDEX).unlink()
    with pytest.raises(MissingData, match=r"index of 'gtzan' is not there.*bench data prepare"):
        corpus_of(root)
    with pytest.raises(MissingData, match=r"there is no index file nowhere\.json"):
        corpus_of(root, index="nowhere.json")


@pytest.mark.parametrize("text", ["", "[]", '{"tracks": [1]}', '{"tracks": {"a": 1}}', "\xff"])
def test_an_index_that_is_none_is_one_line(shelf, text: str) -> None:
    root = place(shelf, *CLASSICAL)
    (root / "indexes" / INDEX).write_text(text, encoding="latin-1")
    with pytest.raises(BenchError, match="cannot be read as an index") as caught:
        corpus_of(root)
    assert "\n" not in str(caught.value)


def test_an_index_that_leads_out_of_the_folder_is_not_followed(shelf, tmp_path: Path) -> None:
    outside = {"audio": "../../secret.wav"}
    shelf.place("gtzan_genre", INDEX, {**excerpts(*CLASSICAL), "classical.00012": outside})
    assert (tmp_path / "secret.wav").is_file()
    corpus = corpus_of(shelf.root)
    assert "classical.00012" not in [t.id for t in corpus.tracks]
    assert corpus.notes["left_out"]["../../secret.wav"] == "the index leads out of the folder"


def test_recordings_that_are_not_there_are_counted(shelf) -> None:
    corpus = corpus_of(place(shelf, *CLASSICAL, absent=("classical.00011",)))
    assert len(corpus.tracks) == 2
    assert corpus.notes["absent"] == "1 of the files that the index names are not there"


def test_the_real_clip_loads(data_root: Path, cache: Path) -> None:
    corpus = corpus_of(data_root / "mirdata", genre="country")
    (track,) = corpus.tracks
    assert (track.id, track.split, corpus.rate) == ("country.00000", "valid", 22050)
    clip = corpus.load(track.id, "country", 22050)
    assert clip.seconds == pytest.approx(track.seconds) == pytest.approx(30.08, abs=0.01)
