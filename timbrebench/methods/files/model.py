"""Reads another system's estimates where a method would make its own."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from timbrebench.core import audio
from timbrebench.core.interfaces import Method, Stage
from timbrebench.core.records import Clip, Corpus, Task
from timbrebench.methods.files.folder import estimate_of, index

if TYPE_CHECKING:
    import numpy as np


class Files(Method):
    """Estimates from ``options.dir``, cut to the length of the source."""

    only_task = False  # whether the cell has one task, so that no folder need name it

    def stages(self, corpus: Corpus, tasks: Sequence[Task]) -> Sequence[Stage]:
        self.only_task = len({d for task in tasks for d in task.direct}) == 1
        return ()

    def transfer(
        self,
        clips: Sequence[Clip],
        task: Task,
        styles: Sequence[Sequence[Clip]],
        rngs: "Sequence[np.random.Generator]",
    ) -> list[Clip]:
        return [self._read(clip, task) for clip in clips]

    def _read(self, clip: Clip, task: Task) -> Clip:
        path = estimate_of(self._files, task, clip.track, self.only_task)
        samples = audio.load(path, clip.rate, seconds=clip.seconds)
        return Clip(samples, clip.rate, task.target, clip.track)

    @cached_property
    def _files(self) -> dict[str, Path]:
        return index(self.options.dir)
