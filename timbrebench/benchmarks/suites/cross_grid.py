"""``cross-diffusion-grid``: Tables 5.1 and 5.2 of Singh & Palariya (2023), violin and guitar.

The source is diffused for k of 500 forward steps, and the target's model denoises from step s of
50. k and s vary independently, as published, so that most cells are mismatched: the noise that the
model expects at s is not what k left. Matched cells have s = 50 (1 − k/500). One model an
instrument serves all cells: k and s only sample. Nothing but the level of the source is fitted to
the target, so that only noise moves along k; ``cross`` itself leads the envelope too.
"""

from timbrebench.benchmarks.config import RunConfig
from timbrebench.benchmarks.suites.records import Asked, Suite, joined
from timbrebench.core.layouts import (
    Measured,
    SuiteColumn,
    SuiteGrid,
    SuiteLayout,
    SuiteRow,
    SuiteTable,
)
from timbrebench.core.records import Budget

SOURCE = "Singh & Palariya 2023, Tables 5.1 and 5.2"
FORWARD, STEPS = 500, 50
K = (0, 100, 200, 300, 400, 500)
S = (0, 10, 20, 30, 40)
TASKS = ("violin:acoustic_guitar", "acoustic_guitar:violin")
TIMBRE, CONTENT = ("fad_vggish", "fad_logmel"), ("jaccard_melodia16k",)
PART = "grid"
QUICK = Budget("flops", 1.6e13)  # for two models
QUICK_SECONDS = 10.0  # of each test track: thirty cells are made of them


def label(k: int, s: int) -> str:
    return f"cross[k={k}; s={s}; match=level]"


def cross_diffusion_grid(asked: Asked) -> Suite:
    """The published grid, and ``cross`` with k chosen on validation tracks, s matched to it."""
    cells = {label(k, s): (float(k), float(s)) for k in K for s in S}
    config = RunConfig(
        methods=joined(("cross", *cells), asked.methods),
        dataset=asked.dataset or ("starlet" if asked.quick else "starlet[pieces=1800]"),
        metrics=(*TIMBRE, *CONTENT, "runtime"),
        tasks=TASKS,
        preset=asked.scale,
        budget=QUICK if asked.quick else None,
        max_seconds=QUICK_SECONDS if asked.quick else None,
    )
    matched = tuple(label(k, s) for k in K for s in S if s * FORWARD == STEPS * (FORWARD - k))
    grid = SuiteGrid(
        "Cross-diffusion over k and s",
        PART,
        *("k", "s"),
        cells,
        matched,
        TASKS,
        TIMBRE,
        CONTENT,
        notes=(
            "k: forward steps of 500 that the source is diffused for; s: step of 50 at which the "
            "target's model begins. Marked: matched cells, s = 50 (1 − k/500).",
        ),
    )
    return Suite({PART: config}, SuiteLayout(_TITLE, _NOTES, (_table(),), (grid,)))


_TITLE = "Cross-diffusion: what forward and start steps give and take"
_NOTES = (
    "The published FADs cannot be compared with ours: they lie between 0.000 and 0.017 for all "
    "cells, mismatched ones too, and the thesis defines FAD as a distance of curves, so that what "
    "was computed is unclear. They were measured on other recordings.",
)


def _table() -> SuiteTable:
    """The chosen k beside the published range; the grid's own cells stand in the heat maps."""
    columns = (
        SuiteColumn("FAD, all 30 cells", published=True),
        *(SuiteColumn(name) for name in ("FAD (VGGish)", "FAD (log-mel)", "JD")),
    )
    rows = [
        SuiteRow(
            name,
            ("0.000 to 0.017" if name == "cross" else None, *_measured(name, task)),
            group=task,
            source=SOURCE if name == "cross" else "",
        )
        for task in TASKS
        for name in ("cross", "copy", "shuffled")
    ]
    note = "cross: k chosen on validation tracks, s matched to it."
    return SuiteTable(
        "The chosen k, beside the source and other real pieces", columns, tuple(rows), (note,)
    )


def _measured(method: str, task: str) -> tuple[Measured, ...]:
    return tuple(Measured(PART, method, name, (task,)) for name in (*TIMBRE, *CONTENT))
