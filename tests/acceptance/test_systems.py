"""Every published system, working."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest

from timbrebench.benchmarks.choosing import TIMBRE
from timbrebench.benchmarks.measure import Chosen, create_metric
from timbrebench.benchmarks.reading import read_run
from timbrebench.core.records import Corpus
from timbrebench.core.registry import create, registry, values_of
from timbrebench.core.statistics import t_interval

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.conftest import Bench, Systems, Values

PERCUSSIVE = "vibraphone:piano"
INSTRUMENTS = ("clarinet", "piano", "strings")
PAIR = ("clarinet", "strings")

pytestmark = pytest.mark.acceptance


def test_ldm_converts(values: "Values") -> None:
    fad, copied = (values[m, PERCUSSIVE, "fad_logmel"] for m in ("ldm", "copy"))
    assert fad <= 0.7 * copied
    assert values["ldm", PERCUSSIVE, "jaccard_melodia16k"] < 0.8


def test_cross_converts_at_the_k_chosen_on_validation_tracks(systems: "Systems") -> None:
    values = systems.values
    fad, copied = (values[m, PERCUSSIVE, "fad_logmel"] for m in ("cross", "copy"))
    assert fad <= 0.5 * copied
    assert values["cross", PERCUSSIVE, "jaccard_melodia16k"] < 0.65
    (cross,) = (
        c for c in read_run(systems.folders["vibraphone-piano"]).cells if c.label == "cross"
    )
    chosen = cross.outcome["chosen"][PERCUSSIVE]
    assert chosen["values"]["k"] in [row["k"] for row in chosen["tried"]]
    assert all(track.startswith("valid-") for track in chosen["tracks"])


def test_cross_and_double_share_their_models(systems: "Systems") -> None:
    cells = {c.label: c for c in read_run(systems.folders["clarinet-strings"]).cells}
    assert set(cells["cross"].stages) == set(cells["double"].stages)
    assert len(cells["cross"].stages) == len(PAIR)


@pytest.fixture(scope="module")
def corpus(systems: "Systems") -> Corpus:
    entry = registry().find("dataset", "starlet")
    return create(entry, values_of(entry, {}), None).corpus()


@pytest.fixture(scope="module")
def nearest_real(corpus: Corpus) -> Mapping[str, float]:
    """Instrument → the least FAD of real test clips of any other instrument against its own."""
    entry = registry().find("metric", TIMBRE)
    embedding = registry().find("embedding", entry.info.embedding)
    metric = create_metric(Chosen(entry, values_of(entry, {}), embedding))

    def clips(instrument: str, split: str) -> list[Any]:
        tracks = corpus.tracks_of(split, instrument)
        return [corpus.load(t.id, instrument, entry.info.rate) for t in tracks]

    alone = [name for name in corpus.instruments if "+" not in name]
    tests = {name: clips(name, "test") for name in alone}
    least = {}
    for name in INSTRUMENTS:
        real = clips(name, "train")
        others = [tests[other] for other in alone if other != name]
        least[name] = min(metric.measure(real, other)[0][TIMBRE] for other in others)
    return least


@pytest.mark.parametrize("instrument", INSTRUMENTS)
def test_ddim_makes_the_instrument(
    instrument: str,
    values: "Values",
    nearest_real: Mapping[str, float],
) -> None:
    task = f"generate:{instrument}"
    made, real = (values[m, task, "fad_logmel"] for m in ("ddim", "shuffled"))
    assert made <= 2 * real
    assert made < nearest_real[instrument]
    assert values["ddim", task, "nearest_training_ratio"] > 0.5  # it remembers no clip


@pytest.mark.parametrize("instrument", PAIR)
def test_double_makes_both_instruments(
    instrument: str,
    values: "Values",
    nearest_real: Mapping[str, float],
) -> None:
    task, column = f"pair:{'/'.join(PAIR)}", f"fad_logmel[{instrument}]"
    made, real = (values[m, task, column] for m in ("double", "shuffled"))
    assert made <= 2 * real
    assert made < nearest_real[instrument]


def test_double_makes_related_halves(values: "Values") -> None:
    """More alike than clips of two pieces are."""
    task = f"pair:{'/'.join(PAIR)}"
    made, unrelated = (values[m, task, "jaccard_melodia16k"] for m in ("double", "shuffled"))
    assert made < unrelated


def test_ldm_listens_to_the_style(bench: "Bench", runs: "Path") -> None:
    """The loss under the right style is lower than under a wrong one, by more than seeds differ.

    Both are of the same validation examples, which each seed draws anew: it is their difference
    that seeds must agree on."""
    words = ("--methods", "ldm", "--no-controls", "--tasks", PERCUSSIVE, "--jobs", "2")
    bench("run", *words, "--seeds", "0,1,2", "--metrics", "mel_l1", "--out", str(runs / "style"))
    run = read_run(runs / "style")
    ends = []
    for cell in run.cells:
        (stage,) = (run.stages[key] for key in cell.stages if run.stages[key].name == "diffusion")
        ends.append([p for p in stage.curve if "valid_loss_by_right_style" in p][-1])
    gaps = [end["valid_loss_by_wrong_style"] - end["valid_loss_by_right_style"] for end in ends]
    low, _ = t_interval(gaps) or (0.0, 0.0)
    assert len(gaps) == 3 and low > 0
