"""How well a stem goes along with a voice: the same harmony, the same rhythm."""

# Shapes: n samples, T frames.

from collections.abc import Sequence

import numpy as np

from timbrebench.core import audio

ANALYSIS_RATE, HOP, CHROMA_FFT = 22050, 512, 4096  # Hz, samples, samples
MELODIA_HOP = 128  # samples, Essentia's
TOLERANCE = 0.05  # seconds between onsets that are taken for the same, as in MIREX


def agreement(voice: np.ndarray, stem: np.ndarray, rate: int) -> dict[str, float | None]:
    """``chroma``: mean cosine of the chroma of both [T, 12] where the voice has a pitch.
    ``onsets``: F-measure of their onsets. None where there is nothing to compare."""
    voice, stem = (_prepared(samples, rate) for samples in (voice, stem))
    return {
        "chroma": chroma_agreement(voice, stem),
        "onsets": f_measure(_onsets(voice), _onsets(stem)),
    }


def _prepared(samples: np.ndarray, rate: int) -> np.ndarray:
    """At ANALYSIS_RATE, as long as one frame at least."""
    samples = audio.resample(samples, rate, ANALYSIS_RATE)
    return np.pad(samples, (0, max(CHROMA_FFT - len(samples), 0)))


def chroma_agreement(voice: np.ndarray, stem: np.ndarray) -> float | None:
    """Of audio at ANALYSIS_RATE, over the frames where the voice has a pitch. A silent stem
    agrees nowhere: 0."""
    one, other = _chroma(voice), _chroma(stem)  # [T, 12], of length 1 or 0
    pitched = _pitched(voice, len(one))
    if not pitched.any():
        return None
    return float((one * other).sum(axis=1)[pitched].mean())


def _chroma(samples: np.ndarray) -> np.ndarray:
    import librosa

    chroma = librosa.feature.chroma_stft(
        y=samples, sr=ANALYSIS_RATE, n_fft=CHROMA_FFT, hop_length=HOP, norm=2, tuning=0.0
    )
    return chroma.T


def _pitched(samples: np.ndarray, frames: int) -> np.ndarray:
    """[frames] bool: where Essentia's Melodia for one voice finds a pitch."""
    import essentia

    essentia.log.infoActive = essentia.log.warningActive = False
    from essentia.standard import PitchMelodia

    hertz, _ = PitchMelodia(sampleRate=ANALYSIS_RATE, hopSize=MELODIA_HOP)(samples)
    found = np.asarray(hertz)[:: HOP // MELODIA_HOP][:frames] > 0
    return np.pad(found, (0, frames - len(found)))


def _onsets(samples: np.ndarray) -> list[float]:
    """Times in seconds."""
    import librosa

    return librosa.onset.onset_detect(y=samples, sr=ANALYSIS_RATE, units="time").tolist()


def f_measure(reference: Sequence[float], estimate: Sequence[float]) -> float | None:
    """Of rising times in seconds, each matched at most once, within TOLERANCE.

    On a line, matching each in turn with the earliest that is near enough matches the most.
    """
    if not reference and not estimate:
        return None
    hits = i = j = 0
    while i < len(reference) and j < len(estimate):
        if abs(reference[i] - estimate[j]) <= TOLERANCE:
            hits, i, j = hits + 1, i + 1, j + 1
        elif reference[i] < estimate[j]:
            i += 1
        else:
            j += 1
    return 2 * hits / (len(reference) + len(estimate))
