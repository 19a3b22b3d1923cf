"""Whole tracks as what the diffusion trains on: latents, and what is played."""

# Shapes: M mel bands, T frames, C latent channels, P pitches.

from collections.abc import Callable

import numpy as np
import torch

from timbrebench.core import mel
from timbrebench.core.interfaces import Trained
from timbrebench.core.mapped import on_disk
from timbrebench.methods.ldm import content, data
from timbrebench.methods.ldm.autoencoder import SCALE, Autoencoder

PART, CONTEXT = 4096, 256  # frames at once, and those on both sides that a latent may see


def encoded(autoencoder: Trained, logs: data.Library, spec: mel.MelSpec) -> data.Library:
    """Log-mels of whole tracks as latents [C, 16, T/8], on disk."""
    module, state = autoencoder.module, autoencoder.state
    assert isinstance(module, Autoencoder)
    device = next(module.parameters()).device

    def encode(values: np.ndarray) -> np.ndarray:
        mels = torch.from_numpy(values).to(device)
        with torch.inference_mode():
            return module.encode(mels[None, None])[0].float().cpu().numpy()

    return mapped(lambda log: in_parts(encode, data.normalised(log, state, spec.frames)), logs)


def in_parts(encode: Callable[[np.ndarray], np.ndarray], values: np.ndarray) -> np.ndarray:
    """[C, 16, T/8] of a track [M, T] however long, in the memory of a minute of it."""
    found = []
    for start in range(0, values.shape[1], PART):
        begin = max(start - CONTEXT, 0)
        latents = encode(values[:, begin : start + PART + CONTEXT])
        first = (start - begin) // SCALE
        found.append(latents[..., first : first + PART // SCALE])
    return np.concatenate(found, axis=-1)


def activations(logs: data.Library, spec: mel.MelSpec) -> data.Library:
    """[P, T] of whole tracks, as half floats, on disk."""

    def play(log: np.ndarray) -> np.ndarray:
        return _aligned(content.activations(np.ascontiguousarray(log), spec), spec)

    return mapped(play, logs)


def mapped(function: Callable[[np.ndarray], np.ndarray], library: data.Library) -> data.Library:
    """The function of each track's values, one track at a time and kept on disk."""
    values = on_disk(function(v) for tracks in library.values() for v in tracks.values())
    found = iter(values)
    return {i: {t: next(found) for t in tracks} for i, tracks in library.items()}


def _aligned(values: np.ndarray, spec: mel.MelSpec) -> np.ndarray:
    """Lengthened to what the latents of the track cover."""
    frames = max(spec.frames, -(-values.shape[1] // SCALE) * SCALE)
    return data.lengthen(values.astype(np.float16), frames, 0.0)


def moments(library: data.Library) -> dict[str, np.ndarray]:
    """Mean and deviation of each latent channel, [C]."""
    arrays = [z for tracks in library.values() for z in tracks.values()]
    channels = range(len(arrays[0]))  # one at a time
    flat = (np.concatenate([z[channel].reshape(-1) for z in arrays]) for channel in channels)
    mean, deviation = zip(*((values.mean(), values.std()) for values in flat), strict=True)
    return {"mean": np.array(mean), "deviation": np.array(deviation) + 1e-6}


def standardised(library: data.Library, scale: dict[str, np.ndarray]) -> data.Library:
    """With each channel brought to mean 0 and deviation 1."""
    mean, deviation = (scale[k][:, None, None] for k in ("mean", "deviation"))
    return mapped(lambda z: (z - mean) / deviation, library)
