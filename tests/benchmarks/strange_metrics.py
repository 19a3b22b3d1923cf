"""A stranger's metrics, for the tests: a mistake, an infinity, a killed process."""

import os
import signal

import numpy as np

from timbrebench.core.interfaces import Embedding, PairMetric
from timbrebench.core.records import Clip


class Mistaken(PairMetric):
    def measure(self, reference: Clip, estimate: Clip) -> dict[str, float]:
        return {"mistaken": 1 / (len(reference.samples) * 0)}


class Deadly(PairMetric):
    """Kills its process for the track 'b'."""

    def measure(self, reference: Clip, estimate: Clip) -> dict[str, float]:
        if reference.track == "b":
            os.kill(os.getpid(), signal.SIGKILL)
        return {"deadly": 1.0}


class Endless(PairMetric):
    def measure(self, reference: Clip, estimate: Clip) -> dict[str, float]:
        return {"endless": float("inf")}


class DeadlyEmbedding(Embedding):
    """Two vectors a clip. Kills its process for a clip that lasts a second; gives no numbers for
    one that lasts two."""

    def embed(self, clip: Clip) -> np.ndarray:
        if round(clip.seconds) == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        made = np.outer(clip.samples[1000:1004], [1.0, 2.0]).astype(np.float32)
        return made * np.nan if round(clip.seconds) == 2 else made
