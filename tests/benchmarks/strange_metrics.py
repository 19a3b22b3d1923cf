"""A stranger's metrics, for the tests: a mistake, an infinity, a killed process."""

import os
import signal

from timbrebench.core.interfaces import PairMetric
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
