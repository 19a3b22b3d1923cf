"""Methods that train nothing, each of which shows one thing about using a cell."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from timbrebench.core.interfaces import Method, MethodInfo
from timbrebench.core.manifest import Entry
from timbrebench.core.mel import log_mel, preset, silence
from timbrebench.core.options import describe, option
from timbrebench.core.overlap import run_sliced
from timbrebench.core.records import Clip, Mels
from timbrebench.core.registry import OURS, Registry, registry

AS_THEY_ARE = {"low": -1.0, "high": 1.0}


@dataclass(frozen=True)
class Options:
    overlap: int = option(32, "frames", affects="sampling")
    amount: int | None = option(None, "chosen on validation tracks", affects="sampling")
    width: int = option(8, "decides what is trained")


class Sliced(Method):
    """The source, but that each slice has another level (± 1.5 nepers) and noise of its own."""

    def transfer(self, clips, task, styles, rngs):
        spec = preset("soundstream")
        mels = [log_mel(clip.samples, spec) for clip in clips]
        values = [self._changed(mel, spec, rng) for mel, rng in zip(mels, rngs, strict=True)]
        return Mels(values, spec, AS_THEY_ARE, [len(clip.samples) for clip in clips])

    def _changed(self, mel, spec, rng):
        def change(pieces: torch.Tensor) -> torch.Tensor:
            shape = tuple(pieces.shape)
            noise = torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))
            offset = torch.from_numpy(rng.choice([-1.5, 1.5], (len(pieces), 1, 1, 1))).float()
            return pieces + 0.1 * noise + offset

        pad = silence(spec)
        return run_sliced(mel[None], spec.frames, self.options.overlap, change, pad)[0].numpy()


class Breaks(Method):
    """Raises what is meant for nobody."""

    def transfer(self, clips, task, styles, rngs):
        raise ValueError("shapes (3,) and (4,)\ndo not fit")


class Follows(Method):
    """Gives the first style clip, so that what it was can be heard."""

    def transfer(self, clips, task, styles, rngs):
        length = len(clips[0].samples)
        return [replace(clips[0], samples=np.resize(styles[0][0].samples, length))]


class Sings(Method):
    """Noise from its stream, twice as loud for the second of a pair."""

    def generate(self, instrument, count, seconds, rngs):
        return [self._noise(seconds, rng, 0.1) for rng in rngs]

    def generate_pair(self, a, b, count, seconds, rngs):
        both = [(self._noise(seconds, rng, 0.1), self._noise(seconds, rng, 0.2)) for rng in rngs]
        return [one for one, _ in both], [other for _, other in both]

    def _noise(self, seconds, rng, level):
        return Clip(level * rng.standard_normal(round(seconds * 8000), dtype=np.float32), 8000)


def _entry(name: str, mel: str = "", **fields) -> Entry:
    info = MethodInfo(
        name, "", f"usable_methods:{name.title()}", Options, trains=False, mel=mel, **fields
    )
    return Entry("method", info, describe(Options), "usable_methods:Options", OURS, "1.0", "code")


def usable_plugins() -> Registry:
    """Ours, and the methods above."""
    mine = (
        _entry("sliced", "soundstream", chosen={"amount": (1, 2, 4)}),
        _entry("breaks"),
        _entry("follows"),
        _entry("sings", kinds=("generate", "pair")),
    )
    return Registry((*registry().entries, *mine))
