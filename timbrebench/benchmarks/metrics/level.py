"""Level error: by how many dB an estimate is louder than its reference.

Timbre metrics bring both sides to one loudness, so that a gain does not count as timbre; what
they leave out is told here.
"""

from timbrebench.benchmarks.metrics.pairs import not_too_short
from timbrebench.core.audio import rms, rms_db
from timbrebench.core.errors import CannotMeasure
from timbrebench.core.interfaces import PairMetric
from timbrebench.core.records import Clip

SILENT_RMS = 1e-6  # -120 dB relative to full scale


class LevelError(PairMetric):
    """RMS of the estimate minus RMS of the reference, in dB. 0 is right; the sign tells which."""

    def measure(self, reference: Clip, estimate: Clip) -> dict[str, float]:
        for side, samples in zip(
            ("reference", "estimate"), not_too_short(reference, estimate), strict=True
        ):
            if rms(samples) < SILENT_RMS:
                raise CannotMeasure(f"the {side} is silent")
        return {"level_error_db": rms_db(estimate.samples) - rms_db(reference.samples)}
