"""A trained method: one linear map of the log-mel's bands for each direction."""

import torch

from timbrebench.core.interfaces import Method, Recipe, Stage
from timbrebench.core.mel import fit_range, log_mel, normalise
from timbrebench.core.records import Mels

FRAMES = 64  # of an example
SIDES = ("source", "target")


class BandMap(Method):
    """Target frame = W · source frame + b."""

    def stages(self, corpus, tasks):
        return [MapStage(task, self.mel) for task in tasks if task.kind == "transfer"]

    def transfer(self, clips, task, styles, rngs):
        trained = self.trained[task.folder]
        values = []
        for clip in clips:
            source = normalise(log_mel(clip.samples, self.mel), trained.state["source"])
            with torch.inference_mode():
                values.append(trained.module(source.T).T.numpy())  # [bands, frames]
        return Mels(values, self.mel, trained.state["target"], [len(c.samples) for c in clips])


class MapStage(Stage):
    """Fits the map of one direction by its L1 distance on frames that sound at one time."""

    def __init__(self, task, mel):
        config = {"source": task.source, "target": task.target, "mel": mel.name}
        super().__init__(task.folder, config, Recipe(batch_size=16, warmup=20, valid_every=100))
        self.ends, self.mel = (task.source, task.target), mel

    def build(self):
        layer = torch.nn.Linear(self.mel.n_mels, self.mel.n_mels)
        torch.nn.init.eye_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
        return layer

    def specimen(self, batch):
        return {side: torch.zeros(batch, FRAMES, self.mel.n_mels) for side in SIDES}

    def prepare(self, context):
        self.pairs = {s: self._pairs(context.corpus, s) for s in ("train", "valid")}
        self.state = {
            side: fit_range([pair[side] for pair in self.pairs["train"]], self.mel)
            for side in SIDES
        }
        return self.state

    def _pairs(self, corpus, split):
        """Log-mels [bands, frames] of both sides of each track."""
        return [
            {
                side: log_mel(corpus.load(track.id, end, self.mel.rate).samples, self.mel)
                for side, end in zip(SIDES, self.ends, strict=True)
            }
            for track in corpus.tracks_of(split, *self.ends)
        ]

    def example(self, rng, split):
        pair = self.pairs[split][rng.integers(len(self.pairs[split]))]
        length = min(pair[side].shape[1] for side in SIDES)
        frames = rng.integers(length, size=FRAMES)
        return {
            side: normalise(pair[side][:, frames].T, self.state[side]).numpy() for side in SIDES
        }

    def loss(self, module, batch):
        return {"loss": (module(batch["source"]) - batch["target"]).abs().mean()}
