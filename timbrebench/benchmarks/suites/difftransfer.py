"""``difftransfer-table-1``: Tables 1 and 2 of Comanducci, Antonacci & Sarti (ISMIR 2023).

Three settings: single instruments, single conversions that are then mixed, and mixtures converted
as they are. FAD and JD are lower-better; the similarity is a mean of 18 listeners, 1 to 5.
"""

from timbrebench.benchmarks.config import RunConfig
from timbrebench.benchmarks.suites.records import Asked, Suite, joined
from timbrebench.core.layouts import (
    Figure,
    Measured,
    SuiteColumn,
    SuiteLayout,
    SuiteRow,
    SuiteTable,
)
from timbrebench.core.records import Budget

SOURCE = "Comanducci, Antonacci & Sarti, ISMIR 2023, Tables 1 and 2"
QUICK = Budget("flops", 4.8e13)  # for six models: four directions and two mixtures
PART = "main"

_THERE, _BACK = "clarinet+vibraphone:strings+piano", "strings+piano:clarinet+vibraphone"
SETTINGS = {  # task group → heading, tasks
    "single": (
        "single instruments",
        ("clarinet:strings", "strings:clarinet", "vibraphone:piano", "piano:vibraphone"),
    ),
    "single-mixed": (
        "single/mixed",
        (f"mixed:{_THERE}", f"mixed:{_BACK}"),
    ),
    "mixture": ("mixtures", (_THERE, _BACK)),
}
# (system, measured method) → setting → FAD, JD, similarity
PUBLISHED: dict[tuple[str, str], dict[str, tuple[float | str, ...]]] = {
    ("Universal Network", ""): {
        "single": (7.09, 0.53, 1.82),
        "single-mixed": (10.47, 0.64, 1.69),
    },
    ("Music-STAR", ""): {"mixture": (8.93, 0.57, 2.89)},
    ("DiffTransfer", "palette"): {
        "single": (2.58, 0.28, 3.68),
        "single-mixed": (4.73, 0.46, 3.78),
        "mixture": (4.37, 0.38, "3.80"),
    },
}
CONTROLS = ("copy", "affine", "oracle[soundstream]")
COLUMNS = (
    SuiteColumn("FAD", published=True),
    SuiteColumn("JD", published=True),
    SuiteColumn("similarity", published=True),
    SuiteColumn("by"),
    SuiteColumn("FAD (VGGish)"),
    SuiteColumn("FAD (log-mel)"),
    SuiteColumn("JD"),
)
MEASURES = ("fad_vggish", "fad_logmel", "jaccard_melodia16k")


def difftransfer_table_1(asked: Asked) -> Suite:
    """``palette`` and its network without diffusion; outside systems join as ``files:DIR``."""
    config = RunConfig(
        methods=joined(("palette", "regress"), asked.methods),
        dataset=asked.dataset or "starlet",
        tasks=tuple(SETTINGS),
        preset=asked.scale,
        budget=QUICK if asked.quick else None,
    )
    others = tuple(m for m in config.methods if m != "palette")
    rows = [row for setting in SETTINGS for row in _rows(setting, (*others, *CONTROLS))]
    table = SuiteTable(
        "DiffTransfer, Tables 1 and 2",
        COLUMNS,
        tuple(rows),
        _notes(asked, config.dataset),
    )
    title = "DiffTransfer: single instruments, mixed conversions, mixtures"
    return Suite({PART: config}, SuiteLayout(title, tables=(table,)))


def _rows(setting: str, others: tuple[str, ...]) -> list[SuiteRow]:
    """The published systems, with what was measured beside them, then all others."""
    heading, tasks = SETTINGS[setting]
    rows = [
        SuiteRow(
            system, (*found[setting], method or None, *_measured(method, tasks)), heading, SOURCE
        )
        for (system, method), found in PUBLISHED.items()
        if setting in found
    ]
    return rows + [
        SuiteRow(label, (None,) * 4 + _measured(label, tasks), heading) for label in others
    ]


def _measured(method: str, tasks: tuple[str, ...]) -> tuple[Figure, ...]:
    return tuple(Measured(PART, method, name, tasks) if method else None for name in MEASURES)


def _notes(asked: Asked, dataset: str) -> tuple[str, ...]:
    notes = [
        "single/mixed: instruments are converted apart, then mixed. Figures are means over the "
        "directions of a setting.",
        "The published FAD cannot be compared with either FAD here: it holds the outputs of both "
        "directions together against the whole corpus, sources included; here each direction is "
        "held against its target's training tracks. fad_logmel is not VGGish either.",
        "Universal Network and Music-STAR have published figures only. With their audio they get "
        "rows of their own: --methods files:DIR.",
        "Never read JD alone: copying the source has a good one.",
    ]
    if not dataset.startswith("starnet"):
        notes.insert(
            0,
            "Published on StarNet, performed by high-quality instruments; measured on starlet, "
            "rendered here from a small SoundFont. No published figure may be compared with a "
            "measured one: compare the order of the settings.",
        )
    else:
        notes.insert(
            0,
            "The JD is the published measure on the same corpus; it is comparable where the test "
            "tracks are the published ones (starnet-test).",
        )
    if asked.quick:
        notes.append("Quick: networks trained for minutes, where the published ones had days.")
    return tuple(notes)
