"""Long work gives signs of life from inside: at each item, each track, each step of a sampler."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from timbrebench.benchmarks import measure
from timbrebench.benchmarks.config import RunConfig
from timbrebench.benchmarks.measure import with_defaults
from timbrebench.benchmarks.plan import make_plan
from timbrebench.benchmarks.records import describe
from timbrebench.benchmarks.references import References
from timbrebench.benchmarks.scoring import Scorer
from timbrebench.benchmarks.session import Session
from timbrebench.benchmarks.store import Store
from timbrebench.core import audio, files
from timbrebench.core.interfaces import PairMetric
from timbrebench.core.records import Clip
from timbrebench.core.registry import registry
from timbrebench.core.signs import alive, heard


@pytest.fixture
def session(config):
    asked: RunConfig = config("regress", options={"regress": {"widths": "8/8", "blocks": "1"}})
    (cell,) = make_plan(asked, registry()).cells
    return Session(describe(cell, asked))


@pytest.fixture
def signs():
    """What was heard so far."""
    found: list[None] = []
    with heard(lambda: found.append(None)):
        yield found


def test_nobody_has_to_listen() -> None:
    alive()


def test_a_set_gives_one_a_clip(session: Session, signs: list[None]) -> None:
    clips, _ = References(session.corpus)("bow", 16000)
    assert len(signs) == len(clips) > 2
    with_defaults("fad_logmel").embed("estimates", clips)
    assert len(signs) == 2 * len(clips)


def test_a_network_gives_one_a_step(session: Session, signs: list[None], tmp_path: Path) -> None:
    """Also where it is called in parts, and whatever hands it over."""
    import torch
    from safetensors.torch import save_file

    (stage,) = session.stages
    folder = tmp_path / "key"
    folder.mkdir()
    save_file(stage.build().state_dict(), folder / "model.safetensors")
    sha256 = files.sha256_of(folder / "model.safetensors")
    files.write_json(folder / "stage.json", {"sha256": sha256, "state": {}})
    module = session.trained({stage.name: "key"}, tmp_path)[stage.name].module
    before, batch = len(signs), stage.specimen(2)
    with torch.inference_mode():
        for steps in (1, 2):
            stage.loss(module, batch)
            assert len(signs) >= before + steps


class Counting(PairMetric):
    """How many signs were given until an item was measured."""

    signs: list[None]

    def measure(self, reference: Clip, estimate: Clip) -> dict[str, float]:
        return {"mel_l1": float(len(self.signs))}


def test_a_pair_metric_gives_one_an_item(
    session: Session, signs: list[None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metric = Counting(None)
    metric.signs = signs
    monkeypatch.setattr(measure, "create_metric", lambda chosen: metric)
    store, cell = Store(tmp_path), tmp_path / "cells" / "k"
    items: list[dict[str, Any]] = []
    for track in session.corpus.tracks_of("test"):
        item = {"task": "bell:bow", "track": track.id, "source": "bell", "target": "bow"}
        items.append({**item, "status": "ok", "reason": "", "file": f"{track.id}.flac"})
        sound = np.sin(np.arange(16000, dtype=np.float32))
        audio.write(cell / f"{track.id}.flac", sound, 16000)
        path = store.reference(session.cell["references"], "bow", track.id)
        audio.write(path, sound, 16000)
    files.write_json(cell / "estimates.json", {"items": items})
    scorer = Scorer(session, store, cell, lambda event: None)
    (name,) = scorer.run([{"name": "mel_l1", "values": {}, "inputs": []}], {})
    counts = [row["value"] for row in files.read_json(cell / "scores" / name) if row["item"]]
    assert len(counts) == 2 and 0 < counts[0] < counts[1]
