"""What a cell cost, from what was recorded of it."""

from timbrebench.benchmarks.metrics.plugin import METRICS
from timbrebench.benchmarks.metrics.runtime import Runtime
from timbrebench.core.options import NoOptions

OUTCOME = {
    "train_seconds": 30.0,
    "train_flops": 2e12,
    "train_steps": 100,
    "seconds_per_step": 0.3,
    "examples_per_second": 26.6,
    "infer_seconds": 5.0,
    "vocoder_seconds": 1.0,
    "audio_seconds": 20.0,
    "peak_rss_bytes": 500_000_000,
    "peak_gpu_bytes": 700_000_000,
    "planned_bytes": 800_000_000,
    "parameters": {"unet": 900, "style": 100},
}


def test_every_measure_from_a_full_record() -> None:
    values = Runtime(NoOptions()).measure(OUTCOME)
    assert values["real_time_factor"] == 0.25
    assert values["vocoder_real_time_factor"] == 0.05
    assert values["parameters"] == 1000
    info = next(m for m in METRICS if m.name == "runtime")
    assert values.keys() == {m.name for m in info.measures}


def test_what_was_not_recorded_is_left_out() -> None:
    untrained = {"infer_seconds": 1.0, "audio_seconds": 10.0, "train_seconds": None}
    assert Runtime(NoOptions()).measure(untrained) == {"real_time_factor": 0.1}
    assert Runtime(NoOptions()).measure({"infer_seconds": 1.0, "audio_seconds": 0}) == {}
