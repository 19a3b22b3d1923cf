"""Scoring folders: names, rows, and what goes wrong in one file, one metric, one process."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf

from timbrebench.benchmarks.matching import match
from timbrebench.benchmarks.measure import Chosen
from timbrebench.benchmarks.metrics.plugin import EMBEDDINGS, METRICS
from timbrebench.benchmarks.score import score_folders
from timbrebench.core.errors import BadAudio, BenchError
from timbrebench.core.interfaces import EmbeddingInfo, Info, Measure, MetricInfo
from timbrebench.core.manifest import Entry

RATE = 16000
NO_OPTIONS = "timbrebench.core.options:NoOptions"


def entry(kind: str, info: Info) -> Entry:
    return Entry(kind, info, (), NO_OPTIONS, "timbrebench", "0", "")


BUILTIN = {info.name: entry("metric", info) for info in METRICS}
EMBEDDED = {info.name: entry("embedding", info) for info in EMBEDDINGS}
for embedding in EMBEDDINGS:
    for kind in ("fad", "kad"):
        name = f"{kind}_{embedding.name}"
        info = dataclasses.replace(
            BUILTIN[kind].info, name=name, embedding=embedding.name, measures=(Measure(name),)
        )
        BUILTIN[name] = entry("metric", info)


def score(*folders: Path | None, metrics: tuple[str, ...], **more: Any) -> dict[str, Any]:
    return score_folders(*folders, [chosen(BUILTIN[m]) for m in metrics], **more)


def chosen(metric: Entry) -> Chosen:
    return Chosen(metric, {}, EMBEDDED.get(metric.info.embedding))


def strange(name: str) -> Entry:
    info = MetricInfo(name, "", f"strange_metrics:{name.title()}", measures=(Measure(name),))
    return entry("metric", info)


def write_tone(path: Path, midi: float, *, seconds: float = 3, gain: float = 0.2) -> None:
    time = np.arange(int(seconds * RATE)) / RATE
    hertz = 440 * 2 ** ((midi - 69) / 12)
    noise = 0.01 * np.random.default_rng(0).standard_normal(len(time))
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(path, gain * (np.sin(2 * np.pi * hertz * time) + noise), RATE)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    reference, estimate = tmp_path / "reference", tmp_path / "estimate"
    for track, midi in (("a", 69), ("b", 62), ("part/001.1", 55)):
        write_tone(reference / f"{track}.wav", midi)
        write_tone(estimate / f"{track}.FLAC", midi, gain=0.1)
    return reference, estimate


def test_names_are_matched_without_suffix(folders: tuple[Path, Path]) -> None:
    reference, estimate = folders
    write_tone(reference / "only.wav", 60)
    (estimate / "._a.wav").write_bytes(b"of a foreign file system")
    (estimate / "notes.txt").write_text("no audio")
    pairs, unmatched = match(reference, estimate)
    assert list(pairs) == ["a", "b", "part/001.1"]
    assert pairs["a"] == (reference / "a.wav", estimate / "a.FLAC")
    assert unmatched == {"reference": ["only"], "estimate": []}


def test_folders_that_cannot_be_matched(folders: tuple[Path, Path], tmp_path: Path) -> None:
    reference, estimate = folders
    other, empty = tmp_path / "other", tmp_path / "empty"
    write_tone(other / "z.wav", 60)
    empty.mkdir()
    with pytest.raises(BenchError, match=r"There: z; here: a, b, part/001\.1"):
        match(reference, other)
    with pytest.raises(BenchError, match="holds no audio"):
        match(reference, empty)
    with pytest.raises(BenchError, match="is not there"):
        match(reference, tmp_path / "nowhere")
    with pytest.raises(BenchError, match="is a file where"):
        match(reference, other / "z.wav")
    write_tone(estimate / "a.ogg", 60)
    with pytest.raises(BenchError, match="two files called a"):
        match(reference, estimate)


def test_rows_of_a_folder_with_a_bad_file(
    folders: tuple[Path, Path], monkeypatch, tmp_path
) -> None:
    monkeypatch.setenv("TIMBREBENCH_CACHE", str(tmp_path / "cache"))  # no weights there
    (folders[1] / "b.FLAC").write_bytes(b"no audio")
    shares: list[float] = []
    result = score(
        *folders,
        metrics=("jaccard_melodia16k", "level_error_db", "fad_logmel", "fad_vggish"),
        jobs=2,
        progress=lambda what, share: shares.append(share),
    )
    assert result["unmatched"] == {"reference": [], "estimate": []}
    assert shares[-1] == 1

    jaccard = result["metrics"]["jaccard_melodia16k"]
    assert jaccard["items"].keys() == {"a", "part/001.1"} and jaccard["n"] == 2
    assert jaccard["mean"] == pytest.approx(np.mean(list(jaccard["items"].values())))
    assert "cannot be read as audio" in jaccard["failed"]["b"]
    assert jaccard["higher_is_better"] is False
    assert result["metrics"]["voiced_fraction"]["mean"] > 0.9
    assert result["metrics"]["level_error_db"]["mean"] == pytest.approx(-6.02, abs=0.01)

    fad = result["metrics"]["fad_logmel"]
    assert fad["value"] == fad["mean"] >= 0 and fad["status"] == "ok"
    assert fad["n"] == 6 and fad["failed"].keys() == {"b"} and fad["details"]["grey"]
    vggish = result["metrics"]["fad_vggish"]
    assert (vggish["mean"], vggish["status"]) == (None, "missing")
    assert "bench data prepare vggish" in vggish["reason"]


def test_two_files(folders: tuple[Path, Path], tmp_path: Path) -> None:
    files = folders[0] / "a.wav", folders[1] / "b.FLAC"
    result = score(*files, metrics=("jaccard_cifka8k",), jobs=1)
    assert result["metrics"]["jaccard_cifka8k"]["items"] == {"a": pytest.approx(1, abs=0.1)}
    empty = tmp_path / "empty.wav"
    empty.touch()
    with pytest.raises(BadAudio, match="empty"):
        score(files[0], empty, metrics=("jaccard_cifka8k",))


def test_a_measure_that_means_nothing_is_not_applicable(tmp_path: Path) -> None:
    sf.write(tmp_path / "silence.wav", np.zeros(RATE), RATE)
    result = score(tmp_path, tmp_path, metrics=("jaccard_melodia16k", "level_error_db"), jobs=1)
    voiced = result["metrics"]["jaccard_melodia16k_voiced"]
    assert (voiced["mean"], voiced["not_applicable"], voiced["failed"]) == (None, ["silence"], {})
    assert result["metrics"]["level_error_db"]["failed"] == {"silence": "the reference is silent"}


def test_metrics_that_break(folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    names = ("deadly", "mistaken", "endless", "absent")
    rows = score_folders(*folders, [chosen(strange(n)) for n in names], jobs=2)["metrics"]
    assert rows["deadly"]["items"] == {"a": 1, "part/001.1": 1}
    assert rows["deadly"]["failed"] == {"b": "its process died while it was measured"}
    assert rows["mistaken"]["failed"]["a"].startswith("ZeroDivisionError")
    assert rows["endless"]["failed"]["a"] == "endless came out as inf"
    assert rows["absent"]["n"] == 0 and "Absent" in rows["absent"]["failed"]["a"]


def test_an_embedding_that_kills_its_process(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The files that are embedded together with the one that kills are scored all the same."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.setenv("TIMBREBENCH_CACHE", str(tmp_path / "cache"))
    for name, seconds in (("c", 3.0), ("kills", 1.0), ("d", 3.5), ("nothing", 2.0)):
        for side, midi in zip(folders, (60, 61), strict=True):
            write_tone(side / f"{name}.wav", midi, seconds=seconds)
    embedding = entry("embedding", EmbeddingInfo("deadly", "", "strange_metrics:DeadlyEmbedding"))
    fad = dataclasses.replace(
        BUILTIN["fad_logmel"].info,
        name="fad_deadly",
        embedding="deadly",
        measures=(Measure("fad_deadly"),),
    )
    row = score_folders(*folders, [Chosen(entry("metric", fad), {}, embedding)], jobs=2)
    row = row["metrics"]["fad_deadly"]
    assert row["status"] == "ok" and row["details"]["n_files"] == 5
    assert row["failed"]["kills"] == "its process died while it was embedded"
    assert "finite" in row["failed"]["nothing"] and "finite" in row["failed"]["reference nothing"]


def test_what_a_cell_cost_is_not_in_a_folder(folders: tuple[Path, Path]) -> None:
    with pytest.raises(BenchError, match="'runtime' measures a run's cells"):
        score(*folders, metrics=("runtime",))


# ---------------------------------------------------------------------------- other folders


@pytest.fixture
def real(folders: tuple[Path, Path]) -> Path:
    """Five other pieces, of the estimates' timbre."""
    folder = folders[0].parent / "real"
    for index, midi in enumerate((50, 57, 64, 66, 71)):
        write_tone(folder / f"p{index}.wav", midi, gain=0.3)
    return folder


def test_against_other_music(folders: tuple[Path, Path], real: Path) -> None:
    """All estimates count, also those without a counterpart."""
    write_tone(folders[1] / "more.wav", 60)
    rows = score(*folders, metrics=("fad_logmel", "level_error_db"), against=real)["metrics"]
    fad = rows["fad_logmel"]
    assert (fad["reference"], fad["details"]["n_reference_files"]) == ("against", 5)
    assert fad["details"]["n_files"] == 4 and rows["level_error_db"]["n"] == 3
    assert rows["level_error_db"]["reference"] == "reference"


def test_floor_and_ceiling(folders: tuple[Path, Path], real: Path) -> None:
    """What the counterparts, and what the sources have against the same references."""
    reference, estimate = folders
    source = reference.parent / "source"
    for name, midi in (("a", 30), ("b", 95)):
        write_tone(source / f"{name}.wav", midi)
    names = ("fad_logmel", "kad_logmel")
    rows = score(reference, estimate, metrics=names, against=real, source=source)["metrics"]
    for name in names:
        for bound, folder in (("floor", reference), ("ceiling", source)):
            alone = score(None, folder, metrics=(name,), against=real)["metrics"][name]
            told = rows[name]["details"][bound]
            assert told["value"] == pytest.approx(alone["value"]) and told["n"] == alone["n"]
    assert (
        rows["fad_logmel"]["details"]["floor"]["value"]
        < rows["fad_logmel"]["details"]["ceiling"]["value"]
    )


def test_the_source_stands_in_where_there_is_no_counterpart(folders: tuple[Path, Path]) -> None:
    rows = score(None, folders[1], metrics=("jaccard_melodia16k",), source=folders[0])["metrics"]
    assert rows["jaccard_melodia16k"]["reference"] == "source"
    assert rows["jaccard_melodia16k"]["mean"] < 0.2


@pytest.mark.parametrize(
    ("metric", "given", "message"),
    [
        ("mel_l1", "against", "compares each file with its counterpart, and there is none"),
        ("mel_l1", "source", "needs true counterparts: a source is none"),
        ("fad_logmel", "source", "a source is none"),
    ],
)
def test_what_cannot_be_asked_of_these_folders(
    folders: tuple[Path, Path], metric: str, given: str, message: str
) -> None:
    with pytest.raises(BenchError, match=message):
        score(None, folders[1], metrics=(metric,), **{given: folders[0]})


def test_nothing_to_compare_with(folders: tuple[Path, Path]) -> None:
    with pytest.raises(BenchError, match="nothing to compare"):
        score(None, folders[1], metrics=("fad_logmel",))
    with pytest.raises(BenchError, match="is not there"):
        score(None, folders[1] / "misspelt", metrics=("fad_logmel",), against=folders[0])


def test_single_files_are_sets_of_one(folders: tuple[Path, Path]) -> None:
    files = folders[0] / "a.wav", folders[1] / "b.FLAC"
    row = score(None, files[1], metrics=("fad_logmel",), against=files[0])["metrics"]["fad_logmel"]
    assert (row["details"]["n_files"], row["details"]["n_reference_files"]) == (1, 1)


@pytest.mark.parametrize("metric", ["note_f1", "instrument"])
def test_what_only_a_corpus_knows(folders: tuple[Path, Path], metric: str) -> None:
    with pytest.raises(BenchError, match="what only a corpus knows"):
        score(*folders, metrics=(metric,))
