"""What stages cost, by tracing: once for all that differ in the names of instruments alone.

Of a method that trains a model for each instrument or direction only the first is traced, and
methods that train the same network share one trace.
"""

import json
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import asdict
from typing import Any, TypeVar, cast

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from timbrebench.core import files
from timbrebench.core.footprint import has_batch_norm, sampling_peak, step_flops, training_peak
from timbrebench.core.interfaces import Stage
from timbrebench.core.ways import Way

T = TypeVar("T")

_known: dict[Hashable, Any] = {}  # of all cells that a worker plans


class Costs:
    """Of stages that are trained on a corpus with these instruments, at one precision."""

    def __init__(self, instruments: Collection[str], precision: str) -> None:
        self.instruments, self.precision = frozenset(instruments), precision
        self.kinds: dict[Stage, str] = {}
        self.traced: Callable[[], None] = lambda: None  # called after each trace

    def flops(self, stage: Stage) -> int:
        """Of a training step, for one example."""
        return self._once(("flops", self.kind(stage)), lambda: step_flops(stage))

    def training_peak(
        self, stage: Stage, way: Way, depends: Sequence[Stage], device: str = "cpu"
    ) -> int:
        """Bytes; see :func:`timbrebench.core.footprint.training_peak`."""
        precision = self.precision
        device = device if precision == "bf16" else "cpu"  # in float32 both take the same
        key = ("training", precision, device, way, *map(self.kind, (stage, *depends)))
        return self._once(key, lambda: training_peak(stage, way, precision, depends, device=device))

    def batch_norm(self, stage: Stage) -> bool:
        """See :func:`timbrebench.core.footprint.has_batch_norm`."""
        return self._once(("batch norm", self.kind(stage)), lambda: has_batch_norm(stage))

    def sampling_peak(self, stages: Sequence[Stage], slices: int) -> int:
        """Bytes; see :func:`timbrebench.core.footprint.sampling_peak`."""
        key = ("sampling", slices, *map(self.kind, stages))
        return self._once(key, lambda: sampling_peak(stages, slices))

    def _once(self, key: Hashable, trace: Callable[[], T]) -> T:
        if key not in _known:
            _known[key] = trace()
            self.traced()
        return cast(T, _known[key])

    def kind(self, stage: Stage) -> str:
        """Equal for stages that are alike, and whose networks and specimens have equal shapes:
        these cost the same."""
        if stage not in self.kinds:
            self.kinds[stage] = files.digest([self.likeness(stage), _shapes(stage)])
        return self.kinds[stage]

    def likeness(self, stage: Stage) -> str:
        """Equal for stages of one class, recipe and config but for the names of instruments."""
        name = f"{type(stage).__module__}:{type(stage).__qualname__}"
        return files.digest([name, self._unnamed(stage.config), asdict(stage.recipe)])

    def _unnamed(self, config: Any) -> Any:
        """A config with the number of an instrument, by appearance, where its name stood."""
        seen: dict[str, int] = {}

        def walk(value: Any) -> Any:
            if isinstance(value, dict):
                return {name: walk(each) for name, each in value.items()}
            if isinstance(value, list):
                return [walk(each) for each in value]
            if isinstance(value, str) and value in self.instruments:
                return {"instrument": seen.setdefault(value, len(seen))}
            return value

        return walk(json.loads(json.dumps(config)))


def _shapes(stage: Stage) -> list[Any]:
    """Of the network, as its layers tell themselves, and of a specimen of two examples."""
    with FakeTensorMode(), torch.random.fork_rng(devices=[]):
        module, specimen = stage.build(), stage.specimen(2)
        tensors = [*module.state_dict().items(), *specimen.items()]
        return [repr(module), [[name, list(t.shape), str(t.dtype)] for name, t in tensors]]
