"""Distance of log-mel spectrograms.

Conventions
-----------
Mean absolute difference of the natural-log ``soundstream`` mels (128 bands, 16 kHz) of reference
and estimate, cut to the shorter and both at one loudness: 0.1 is about 0.9 dB. Silence stays
silence and so is far from any music. It needs time-aligned audio and punishes a wrong timbre and
a wrong note alike.
"""

from timbrebench.benchmarks.metrics.pairs import cut_to_shorter
from timbrebench.core.interfaces import PairMetric
from timbrebench.core.loudness import at_loudness
from timbrebench.core.mel import log_mel, preset
from timbrebench.core.records import Clip


class MelL1(PairMetric):
    """Mean absolute difference of log-mels."""

    def measure(self, reference: Clip, estimate: Clip) -> dict[str, float]:
        spec = preset("soundstream")
        ref, est = (
            log_mel(at_loudness(side), spec) for side in cut_to_shorter(reference, estimate)
        )
        return {"mel_l1": float((ref - est).abs().mean())}
