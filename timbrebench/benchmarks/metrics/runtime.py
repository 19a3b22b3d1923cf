"""What a cell cost: time, work, memory and size.

Times are of the work itself, without loading libraries or decoding files. A factor of real time
is seconds of work for a second of audio: under 1 is faster than playing it. Inference and
vocoder are timed apart. Compare times only of cells that ran, or were timed, alone on the same
machine.
"""

from collections.abc import Mapping
from typing import Any

from timbrebench.core.interfaces import CellMetric

_AS_RECORDED = (
    "train_seconds",
    "train_flops",
    "seconds_per_step",
    "examples_per_second",
    "peak_rss_bytes",
    "peak_gpu_bytes",
    "planned_bytes",
)


class Runtime(CellMetric):
    """Rows of a cell's cost; what was not recorded has none."""

    def measure(self, outcome: Mapping[str, Any]) -> dict[str, float]:
        values = {name: outcome.get(name) for name in _AS_RECORDED}
        values["real_time_factor"] = _per_second_of_audio(outcome, "infer_seconds")
        values["vocoder_real_time_factor"] = _per_second_of_audio(outcome, "vocoder_seconds")
        if (parameters := outcome.get("parameters")) is not None:
            values["parameters"] = sum(parameters.values())
        return {name: float(value) for name, value in values.items() if value is not None}


def _per_second_of_audio(outcome: Mapping[str, Any], phase: str) -> float | None:
    seconds, audio = outcome.get(phase), outcome.get("audio_seconds")
    return seconds / audio if seconds is not None and audio else None
