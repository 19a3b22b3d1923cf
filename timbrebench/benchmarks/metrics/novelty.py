"""Novelty: whether what was generated is new, or is remembered from training.

Conventions
-----------
A window is 1 s of a log-mel spectrogram: 25 frames of 40 ms, 40 bands, in dB relative to the
window's own mean power and cut off 20 dB below it, so that neither a gain nor what lies under
the music counts. Two windows are as far apart as the root mean square of their difference, in dB.
Windows 30 dB below the mean power of their clip, which are rests, are left out.

For each window of an estimate, one every 0.48 s, the nearest window of any training track is
searched, one every 40 ms, so that a copy at another offset is found.
``nearest_training_ratio`` is the median of these distances divided by the median that real music
has: that of each training track's windows to the nearest of all other training tracks. About 1:
as new as another piece. Near 0: copied. Far above 1: unlike the training tracks in any way, as
noise is. ``copied_fraction`` is the share of windows that are nearer than half of real music's
median; real music repeats itself too, and its own share stands in the row's details.

A copy at another speed or pitch is not found. Distances shrink as training tracks become more, so
that ratios compare only with the same references.

References
----------
The nearest neighbour in training data as a test of memory: Meehan, Chaudhuri and Dasgupta, "A
non-parametric test to detect data-copying in generative models", AISTATS 2020; of diffusion
models: Somepalli et al., "Diffusion art or digital forgery?", CVPR 2023.
"""

# Shapes: n samples at 16 kHz; T frames; M = 40 bands; W windows; Q of them as queries;
# D = FRAMES · M numbers a window.

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from timbrebench.core.errors import CannotMeasure
from timbrebench.core.interfaces import SetMetric
from timbrebench.core.mel import MelSpec, log_mel
from timbrebench.core.records import Clip
from timbrebench.core.seeds import generator

FRAMES = 25  # of 40 ms: a window of 1 s
SPEC = MelSpec("novelty", 16000, 2048, 1280, 640, 40, 50.0, 7600.0, 2.0, "db", 1e-10, True, FRAMES)
QUERY_HOP = 12  # frames between the windows that are searched for
FLOOR_DB = -20.0  # of a window, relative to its mean power
REST_DB = -30.0  # mean power of a window that is a rest, relative to its clip's
MAX_QUERIES = 512  # windows of a side that are searched for; more are drawn from
COPIED = 0.5  # of real music's median distance
SAME_DB = 0.1  # distance below which windows are the same but for rounding
_BLOCK = 4096  # windows held at once

Block = tuple[int, np.ndarray]  # number of the track, its windows [W, D]


class Novelty(SetMetric):
    """Distance to the nearest training window, relative to that of real music."""

    def measure(
        self, references: Sequence[Clip], estimates: Sequence[Clip]
    ) -> tuple[dict[str, float], dict[str, Any]]:
        skipped: dict[str, str] = {}
        tracks = _frames_of_all("references", references, skipped)
        made = _frames_of_all("estimates", estimates, skipped)
        if len(tracks) < 2 or not made:
            reason = next(iter(skipped.values()), "nothing else was given")
            raise CannotMeasure(
                f"{len(tracks)} training tracks and {len(made)} estimates have a window, at least "
                f"2 and 1 are needed: {reason}"
            )
        windows, _ = _drawn("estimates", made)
        if not len(windows):
            raise CannotMeasure("the estimates hold nothing but rests")
        real_windows, owners = _drawn("references", tracks)
        queries = np.concatenate([windows, real_windows])
        owners = np.concatenate([np.full(len(windows), -1), owners])
        found = nearest(queries, owners, _blocks(tracks))
        values, of_real = compared(found[len(windows) :], found[: len(windows)])
        details = {
            "n": len(windows),
            "n_real": len(real_windows),
            "n_files": len(made),
            "n_reference_files": len(tracks),
            "most_windows": MAX_QUERIES,
            **of_real,
            "skipped": skipped,
        }
        return values, details


def compared(real: np.ndarray, made: np.ndarray) -> tuple[dict[str, float], dict[str, float]]:
    """Distances [Q] in dB of real windows and of estimates' → (values, details)."""
    usual = float(np.median(real))
    if usual < SAME_DB:
        raise CannotMeasure("the training tracks are copies of one another")
    values = {
        "nearest_training_ratio": float(np.median(made)) / usual,
        "copied_fraction": float((made < COPIED * usual).mean()),
    }
    return values, {
        "real_distance_db": usual,
        "real_copied_fraction": float((real < COPIED * usual).mean()),
    }


def nearest(queries: np.ndarray, owners: np.ndarray, blocks: Iterable[Block]) -> np.ndarray:
    """Distance [Q] of each query [Q, D] to the nearest window of a track not its owner, in dB.

    ``owners`` [Q]: numbers of tracks, -1 for none. Root mean square over a window.
    """
    own = np.square(queries).sum(axis=1)[:, None]  # [Q, 1]
    best = np.full(len(queries), np.inf, np.float32)
    for track, windows in blocks:
        squares = own + np.square(windows).sum(axis=1) - 2 * queries @ windows.T  # [Q, W]
        closest = np.where(owners == track, np.inf, squares.min(axis=1))
        best = np.minimum(best, closest)
    return np.sqrt(best.clip(min=0) / queries.shape[1])


def frames_of(samples: np.ndarray) -> np.ndarray:
    """Samples [n] → log-mel [T, M] in dB relative to their mean power.

    CannotMeasure where there is no window of music.
    """
    if not np.isfinite(samples).all():
        raise CannotMeasure("it has NaN or infinite samples")
    if len(samples) < FRAMES * SPEC.hop:
        raise CannotMeasure(f"{len(samples) / SPEC.rate:.2f} s are shorter than a window of 1 s")
    if not samples.any():
        raise CannotMeasure("it is silent")
    frames = log_mel(samples, SPEC).numpy().T
    return frames - 10 * np.log10(np.mean(10 ** (frames / 10)))


def windows_of(frames: np.ndarray, hop: int) -> np.ndarray:
    """Frames [T, M] of :func:`frames_of` → windows [W, D], one every ``hop``, without rests."""
    views = np.lib.stride_tricks.sliding_window_view(frames, FRAMES, axis=0)[::hop]  # [W, M, 25]
    power = np.mean(10 ** (frames / 10), axis=1)  # [T]
    levels = 10 * np.log10(np.convolve(power, np.ones(FRAMES) / FRAMES, "valid"))[::hop]
    sounding = levels > REST_DB
    relative = views[sounding] - levels[sounding, None, None].astype(np.float32)
    return np.maximum(relative, np.float32(FLOOR_DB)).reshape(len(relative), -1)


def _frames_of_all(side: str, clips: Sequence[Clip], skipped: dict[str, str]) -> list[np.ndarray]:
    """The frames [T, M] of each clip that has any; the others are named in ``skipped``."""
    found = []
    for index, clip in enumerate(clips):
        try:
            found.append(frames_of(clip.samples))
        except CannotMeasure as error:
            skipped[f"{side}/{clip.track or index}"] = str(error)
    return found


def _drawn(side: str, clips: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Windows [Q, D] of the clips' frames and their clips' numbers [Q], MAX_QUERIES at most."""
    of_clips = [windows_of(frames, QUERY_HOP) for frames in clips]
    windows = np.concatenate(of_clips)
    numbers = np.repeat(np.arange(len(clips)), [len(w) for w in of_clips])
    kept = generator("novelty", side).permutation(len(windows))[:MAX_QUERIES]
    return windows[kept], numbers[kept]


def _blocks(tracks: Sequence[np.ndarray]) -> Iterator[Block]:
    """All windows of the tracks' frames, in pieces that fit into memory."""
    for number, frames in enumerate(tracks):
        for start in range(0, len(frames) - FRAMES + 1, _BLOCK):
            windows = windows_of(frames[start : start + _BLOCK + FRAMES - 1], 1)
            if len(windows):
                yield number, windows
