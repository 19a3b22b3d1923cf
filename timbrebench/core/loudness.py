"""The one loudness at which timbre is compared.

A gain of -6 dB on a true reference costs as much log-mel FAD as a good system's whole error.
"""

import numpy as np

from timbrebench.core.audio import match_rms

LOUDNESS_DB = -23.0  # RMS of a whole clip, in dB relative to full scale
RULE = f"each clip at an RMS of {LOUDNESS_DB:g} dBFS"


def at_loudness(samples: np.ndarray) -> np.ndarray:
    """The samples [n] at that loudness; silence stays silence."""
    return match_rms(samples, 10 ** (LOUDNESS_DB / 20))
