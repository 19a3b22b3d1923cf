"""``quickstart``: what the demo shows."""

from timbrebench.benchmarks.config import RunConfig
from timbrebench.benchmarks.suites.records import Asked, Suite, joined
from timbrebench.core.layouts import SuiteLayout
from timbrebench.core.records import Budget

QUICK = Budget("flops", 8e12)  # a third of the quick preset's


def quickstart(asked: Asked) -> Suite:
    """Vibraphone to piano on the embedded corpus: a struck sound that rings for one that decays,
    which no static filter makes of it."""
    config = RunConfig(
        methods=joined(("ldm", "palette", "regress"), asked.methods),
        dataset="starlet",
        tasks=("vibraphone:piano",),
        preset=asked.scale,
        budget=QUICK if asked.quick else None,
        max_seconds=10.0 if asked.quick else None,
        options={"starlet": {"pieces": 24}} if asked.quick else {},
    )
    layout = SuiteLayout(
        title="Quickstart: a vibraphone becomes a piano",
        notes=(
            "Read timbre (fad) and content (jaccard) together. Copying the source keeps the "
            "content and has none of the timbre; the oracle bounds what mel and vocoder allow.",
            "palette and regress saw true counterparts in training (paired); ldm did not.",
            *_scale_notes(asked),
        ),
    )
    return Suite({"main": config}, layout)


def _scale_notes(asked: Asked) -> tuple[str, ...]:
    if not asked.quick:
        return ("Published sizes and lengths of training, on audio made here.",)
    return (
        "Networks trained for a minute or two show that methods learn. They rank nothing beyond "
        "that.",
    )
