"""The method: clips in, mels out; what happens in between is in ``system``."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from timbrebench.core import audio, mel
from timbrebench.core.interfaces import Method, Stage, Trained
from timbrebench.core.records import Clip, Corpus, Mels, Task
from timbrebench.methods.diffusion.sizes import check_levels, check_widths
from timbrebench.methods.ldm import data
from timbrebench.methods.ldm.autoencoder import SCALE
from timbrebench.methods.ldm.corrected import Corrected
from timbrebench.methods.ldm.plugin import Options
from timbrebench.methods.ldm.published_system import Published
from timbrebench.methods.ldm.system import System

STARTS_WITHOUT_CONTENT = (0.5, 0.75, 0.9)
STYLE_TRACKS, STYLE_SECONDS = 4, 30.0  # that generation takes its style from


class LatentDiffusion(Method):
    """One model for every direction: the target is given by clips of it."""

    def __init__(self, options: Options, mel: mel.MelSpec | None = None) -> None:
        super().__init__(options, mel)
        published = options.variant == "published"
        self.system: System = Published(options) if published else Corrected(options)
        self.spec = self.system.spec

    def stages(self, corpus: Corpus, tasks: Sequence[Task]) -> Sequence[Stage]:
        if self.options.variant != "published":
            check_widths("ldm", self.options.widths, 32)
            check_levels("ldm", SCALE, len(self.options.widths), bands=self.spec.n_mels)
        return self.system.stages(data.instruments_of(tasks))

    def candidates(self, declared: Mapping[str, tuple[Any, ...]]) -> Mapping[str, tuple[Any, ...]]:
        """Without the content view, pure noise would know nothing of the source; the published
        system has no guidance, and its start is a matter of its schedule."""
        starts = {
            "content": declared["start_noise"],
            "noise": STARTS_WITHOUT_CONTENT,
            "published": (),
        }[self.options.variant]
        return {**declared, "start_noise": starts} if starts else {}

    def setup(self, corpus: Corpus, trained: Mapping[str, Trained], device: str) -> None:
        super().setup(corpus, trained, device)
        self.system.load(trained, device)

    @torch.inference_mode()
    def transfer(
        self,
        clips: Sequence[Clip],
        task: Task,
        styles: Sequence[Sequence[Clip]],
        rngs: Sequence[np.random.Generator],
    ) -> Mels:
        self.system.options = self.options  # which the benchmark may have changed since
        values, lengths = [], []
        for clip, examples, rng in zip(clips, styles, rngs, strict=True):
            samples = audio.resample(clip.samples, clip.rate, self.spec.rate)
            log = mel.log_mel(samples, self.spec).numpy()
            values.append(self.system.transfer(log, self._style_slices(examples, rng), rng))
            lengths.append(len(samples))
        return Mels(values, self.spec, self.system.state, lengths)

    @torch.inference_mode()
    def generate(
        self, instrument: str, count: int, seconds: float, rngs: Sequence[np.random.Generator]
    ) -> Mels:
        self.system.options = self.options
        length = round(seconds * self.spec.rate)
        frames = self.spec.frames_of(length)
        values = []
        for rng in rngs[:count]:
            slices = self._style_slices(self._examples_of(instrument, rng), rng)
            values.append(self.system.generate(frames, slices, rng))
        return Mels(values, self.spec, self.system.state, [length] * count)

    def _examples_of(self, instrument: str, rng: np.random.Generator) -> list[Clip]:
        """A few training tracks of an instrument."""
        assert self.corpus is not None, "setup() comes first"
        tracks = self.corpus.tracks_of("train", instrument)
        chosen = rng.permutation(len(tracks))[:STYLE_TRACKS]
        return [
            self.corpus.load(tracks[i].id, instrument, self.spec.rate, STYLE_SECONDS)
            for i in chosen
        ]

    def _style_slices(self, clips: Sequence[Clip], rng: np.random.Generator) -> list[np.ndarray]:
        """Log-mels [M, S] drawn from the louder half of all slices: rests tell no timbre."""
        found = [part for clip in clips for part in data.slices(self._log_mel(clip), self.spec)]
        found.sort(key=lambda part: float(part.mean()), reverse=True)
        louder = found[: -(-len(found) // 2)]
        chosen = rng.permutation(len(louder))[: self.options.style_clips]
        return [louder[i] for i in chosen]

    def _log_mel(self, clip: Clip) -> np.ndarray:
        samples = audio.resample(clip.samples, clip.rate, self.spec.rate)
        return mel.log_mel(samples, self.spec).numpy()
