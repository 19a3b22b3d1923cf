"""A method without training: it turns the treble down."""

from dataclasses import replace

import numpy as np

from timbrebench.core.interfaces import Method

PIVOT_HZ = 1000.0  # where the gain is 0 dB


class Tilt(Method):
    """A spectral tilt of ``options.db_per_octave``."""

    def transfer(self, clips, task, styles, rngs):
        return [replace(c, samples=self._tilted(c), instrument=task.target) for c in clips]

    def _tilted(self, clip):
        frequencies = np.fft.rfftfreq(len(clip.samples), 1 / clip.rate)  # Hz
        octaves = np.log2(np.maximum(frequencies, 20.0) / PIVOT_HZ)
        gain = 10 ** (self.options.db_per_octave * octaves / 20)
        spectrum = np.fft.rfft(clip.samples) * gain
        return np.fft.irfft(spectrum, len(clip.samples)).astype(np.float32)
