"""Whole tracks as what the diffusion trains on: latents, and what is played."""

# Shapes: M mel bands, T frames, C latent channels, P pitches.

import numpy as np
import torch

from timbrebench.core import mel
from timbrebench.core.interfaces import Trained
from timbrebench.methods.ldm import content, data
from timbrebench.methods.ldm.autoencoder import SCALE, Autoencoder


def encoded(autoencoder: Trained, logs: data.Library, spec: mel.MelSpec) -> data.Library:
    """Log-mels of whole tracks as latents [C, 16, T/8]."""
    module, state = autoencoder.module, autoencoder.state
    assert isinstance(module, Autoencoder)
    device = next(module.parameters()).device

    def encode(log: np.ndarray) -> np.ndarray:
        values = torch.from_numpy(data.normalised(log, state, spec.frames)).to(device)
        with torch.inference_mode():
            return module.encode(values[None, None])[0].float().cpu().numpy()

    return {i: {t: encode(log) for t, log in tracks.items()} for i, tracks in logs.items()}


def activations(logs: data.Library, spec: mel.MelSpec) -> data.Library:
    """[P, T] of whole tracks, as half floats: they are most of what a run keeps in memory."""
    return {
        i: {t: _aligned(content.activations(log, spec), spec) for t, log in tracks.items()}
        for i, tracks in logs.items()
    }


def _aligned(values: np.ndarray, spec: mel.MelSpec) -> np.ndarray:
    """Lengthened to what the latents of the track cover."""
    frames = max(spec.frames, -(-values.shape[1] // SCALE) * SCALE)
    return data.lengthen(values.astype(np.float16), frames, 0.0)


def moments(library: data.Library) -> dict[str, np.ndarray]:
    """Mean and deviation of each latent channel, [C]."""
    arrays = [z for tracks in library.values() for z in tracks.values()]
    flat = np.concatenate([z.reshape(len(z), -1) for z in arrays], axis=1)
    return {"mean": flat.mean(axis=1), "deviation": flat.std(axis=1) + 1e-6}


def standardise(library: data.Library, scale: dict[str, np.ndarray]) -> None:
    """Brings each channel to mean 0 and deviation 1, in place."""
    mean, deviation = (scale[k][:, None, None] for k in ("mean", "deviation"))
    for tracks in library.values():
        for track in tracks:
            tracks[track] = (tracks[track] - mean) / deviation
