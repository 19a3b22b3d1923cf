"""The quick preset learns: palette on starlet, against the controls that it should beat."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.acceptance.conftest import Values

PERCUSSIVE, SUSTAINED = "vibraphone:piano", "clarinet:strings"

pytestmark = pytest.mark.acceptance


def test_palette_learns_an_attack_and_a_decay(values: "Values") -> None:
    def fad(method: str) -> float:
        return values[method, PERCUSSIVE, "fad_logmel"]

    assert fad("palette") <= 0.5 * min(fad("copy"), fad("eq"), fad("affine"))
    jaccard = {m: values[m, PERCUSSIVE, "jaccard_melodia16k"] for m in ("palette", "copy")}
    assert jaccard["palette"] <= 0.7 * jaccard["copy"]


def test_palette_learns_a_sustained_timbre(values: "Values") -> None:
    palette, copy = (values[m, SUSTAINED, "fad_logmel"] for m in ("palette", "copy"))
    assert palette <= 0.25 * copy


def test_ldm_runs_and_is_scored(values: "Values") -> None:
    for metric in ("fad_logmel", "jaccard_melodia16k", "mel_l1", "train_seconds"):
        task = "" if metric == "train_seconds" else PERCUSSIVE
        assert values["ldm", task, metric] > 0


@pytest.mark.parametrize("metric", ["fad_logmel", "jaccard_melodia16k", "mel_l1"])
def test_the_oracle_bounds_every_method(metric: str, values: "Values") -> None:
    for method in ("palette", "regress", "ldm"):
        assert (
            values["oracle[soundstream]", PERCUSSIVE, metric] < values[method, PERCUSSIVE, metric]
        )


def test_a_wrong_track_has_the_timbre_and_not_the_notes(
    values: "Values",
) -> None:
    assert values["shuffled", PERCUSSIVE, "jaccard_melodia16k"] > 0.85
    shuffled, copy = (values[m, PERCUSSIVE, "fad_logmel"] for m in ("shuffled", "copy"))
    assert shuffled < copy
