"""Our own plugins pass the checks that a stranger's do."""

import importlib.metadata
import shutil
from pathlib import Path

import pretty_midi
import pytest

from timbrebench.core.manifest import Entry
from timbrebench.core.registry import OURS, load, registry
from timbrebench.testing import check_dataset, check_method, check_metric, tiny_corpus
from timbrebench.testing.imports import wrong_with_import
from timbrebench.testing.infos import make

SMALL = {
    "palette": {"widths": (8, 16), "steps": 2},
    "regress": {"widths": (8, 16)},
    "cross": {"widths": (8, 16), "steps": 4},
    "double": {"widths": (8, 16), "steps": 4, "split": 1},
    "ddim": {"widths": (8, 16), "seconds": 1.28, "steps": 2},
    "ldm": {"widths": (32, 32), "autoencoder_width": 8, "style_dim": 16, "steps": 2},
}
SMALL_DATASETS = {
    "starlet": {"pieces": 2, "valid_pieces": 1, "test_pieces": 1, "seconds": 3.0},
}


def ours(kind: str) -> list[Entry]:
    return [e for e in registry().of(kind) if e.distribution == OURS]


def named(entry: Entry) -> str:
    return entry.name


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return tiny_corpus(tmp_path_factory.mktemp("tiny"))


def test_the_manifest_is_light():
    points = importlib.metadata.entry_points(group="timbrebench")
    (module,) = {p.module for p in points if p.dist is not None and p.dist.name == OURS}
    assert wrong_with_import(module) == ""


@pytest.mark.parametrize("entry", ours("method"), ids=named)
def test_methods(entry, corpus, tmp_path):
    options = SMALL.get(entry.name, {})
    if entry.name == "files":
        options = {"dir": str(estimates(corpus, tmp_path))}
    check_method(entry.info, options=options, corpus=corpus)


def estimates(corpus, folder: Path) -> Path:
    """A folder with an estimate of every item of the first tasks."""
    for track in corpus.tracks_of("test"):
        for task in corpus.groups["single"]:
            path = folder / task.folder / f"{track.id}.wav"
            path.parent.mkdir(exist_ok=True)
            shutil.copy(track.stems[task.target], path)
    return folder


# Eight minutes of audio; written notes; several instruments: their own tests feed them as much.
NEEDS_MORE = ("fadinf_logmel", "fadinf_vggish", "fadinf_pann", "note_f1", "instrument")


@pytest.mark.parametrize(
    "entry", [e for e in ours("metric") if e.name not in NEEDS_MORE], ids=named
)
def test_metrics(entry):
    embedding = None
    if entry.info.embedding:
        embedding = registry().find("embedding", entry.info.embedding).info
        missing = make(embedding, {}).missing()
        if missing:
            pytest.skip(missing)
    check_metric(entry.info, embedding=embedding)


@pytest.mark.parametrize("entry", [e for e in ours("dataset") if e.info.embedded], ids=named)
def test_embedded_datasets(entry, tmp_path, monkeypatch):
    monkeypatch.setenv("TIMBREBENCH_CACHE", str(tmp_path / "cache"))
    options = SMALL_DATASETS.get(entry.name, {})
    if entry.name == "midi":
        options = {"folder": str(midi_files(tmp_path / "midi")), "instruments": "harp/flute"}
    check_dataset(make(entry.info, options, None))


def midi_files(folder: Path) -> Path:
    """A folder of three tunes."""
    folder.mkdir()
    for number in range(3):
        midi = pretty_midi.PrettyMIDI()
        midi.instruments.append(pretty_midi.Instrument(0))
        midi.instruments[0].notes.append(pretty_midi.Note(90, 60 + number, 0.0, 1.0))
        midi.write(str(folder / f"{number}.mid"))
    return folder


@pytest.mark.parametrize("kind", ["vocoder", "embedding"])
def test_factories_load(kind):
    assert ours(kind)
    for entry in ours(kind):
        assert isinstance(load(entry.info.factory), type)
