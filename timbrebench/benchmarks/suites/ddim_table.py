"""``ddim-table``: unconditional DDIM synthesis (Pouya Mehr et al.) over the size of the data, the
length of a clip, epochs, inference steps S and batch.

GTZAN and Carnatic music are not embedded: ``starlet`` of as many pieces stands for them, and a
table says what factors a row shares with its published one. At the scale ``paper`` the training is
as long as published, counted in examples: a piece of 30 s has 5 whole clips of 5.12 s, 2 of 10.24.
"""

from dataclasses import dataclass

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

SOURCE = "Pouya Mehr et al., unconditional DDIM music synthesis, table of FAD"
TASK = "generate:piano"
QUICK_FLOPS, QUICK_SECONDS = 8e12, 10.0  # for 200 epochs; of a generated clip
MOST_EPOCHS, PIECE_SECONDS = 200, 30.0
MEASURES = ("fad_vggish", "fad_logmel", "nearest_training_ratio")


@dataclass(frozen=True)
class Setting:
    """A published row."""

    data: str
    pieces: int
    epochs: int
    batch: int
    fad: str  # as published
    clip: float | None = None  # seconds; None: not stated
    steps: int | None = None  # S; None: not stated
    embedded: bool = True  # whether starlet stands for its data

    @property
    def part(self) -> str:
        """Rows that differ in S alone are one configuration."""
        return f"{self.pieces} pieces, {self.seconds:g} s, {self.epochs} epochs, b{self.batch}"

    @property
    def seconds(self) -> float:
        return self.clip or 5.12

    def sampled(self, asked: Asked) -> int:
        """S: at the scale quick a tenth of the published."""
        steps = self.steps or 1000
        return steps // 10 if asked.quick else steps

    def method(self, asked: Asked) -> str:
        seconds = "" if self.seconds == 5.12 else f"seconds={self.seconds:g}; "
        return f"ddim[{seconds}batch={self.batch}; steps={self.sampled(asked)}]"


PUBLISHED = (
    Setting("GTZAN-100", 100, 100, 16, "6.129", clip=5.12, steps=1000),
    Setting("GTZAN-100", 100, 200, 16, "7.875", clip=5.12, steps=1000),
    Setting("GTZAN-10", 10, 200, 1, "5.00", clip=5.12, steps=1000),
    Setting("GTZAN-10", 10, 200, 1, "5.011", clip=10.24, steps=1000),
    Setting("GTZAN-50", 50, 200, 4, "2.992", steps=1000),
    Setting("GTZAN-50", 50, 200, 4, "3.715", steps=500),
    Setting("GTZAN-50", 50, 200, 4, "3.905", steps=100),
    Setting("Carnatic-159", 159, 100, 16, "7.030", embedded=False),
    Setting("Carnatic-50", 50, 200, 4, "7.342", embedded=False),
)
COLUMNS = (
    *(SuiteColumn(name, published=True) for name in ("clip (s)", "epochs", "S", "batch", "FAD")),
    *(SuiteColumn(name) for name in ("pieces", "S", "FAD (VGGish)", "FAD (log-mel)")),
    SuiteColumn("nearest-neighbour ratio"),
)


def ddim_table(asked: Asked) -> Suite:
    """A configuration for each data size, clip, length of training and batch."""
    own = [setting for setting in PUBLISHED if setting.embedded]
    methods: dict[str, list[str]] = {}
    for setting in own:
        methods.setdefault(setting.part, []).append(setting.method(asked))
    parts = {s.part: _config(s, asked, joined(methods[s.part], asked.methods)) for s in own}
    table = SuiteTable(
        "Unconditional synthesis: one factor a row",
        COLUMNS,
        tuple(_row(setting, asked) for setting in PUBLISHED),
        _notes(asked),
    )
    return Suite(parts, SuiteLayout("Unconditional DDIM synthesis", tables=(table,)))


def _config(setting: Setting, asked: Asked, methods: tuple[str, ...]) -> RunConfig:
    share = setting.epochs / MOST_EPOCHS
    clips = setting.pieces * int(PIECE_SECONDS // setting.seconds)
    return RunConfig(
        methods=methods,
        dataset=_dataset(setting, asked),
        tasks=(TASK,),
        preset=asked.scale,
        budget=Budget("flops", QUICK_FLOPS * share)
        if asked.quick
        else Budget("examples", float(clips * setting.epochs)),
        max_seconds=QUICK_SECONDS if asked.quick else None,
    )


def _dataset(setting: Setting, asked: Asked) -> str:
    length = "" if asked.quick else f"; seconds={PIECE_SECONDS:g}"
    return f"starlet[pieces={setting.pieces}{length}]"


def _row(setting: Setting, asked: Asked) -> SuiteRow:
    published = (setting.clip, setting.epochs, setting.steps, setting.batch, setting.fad)
    measured: tuple[Figure, ...] = (None,) * 5
    if setting.embedded:
        method = setting.method(asked)
        measured = (
            setting.pieces,
            setting.sampled(asked),
            *(Measured(setting.part, method, name, (TASK,)) for name in MEASURES),
        )
    return SuiteRow(setting.data, (*published, *measured), source=SOURCE)


def _notes(asked: Asked) -> tuple[str, ...]:
    notes = (
        "Published on GTZAN (classical) and Carnatic music; measured on as many pieces of "
        "starlet's piano. No published figure may be compared with a measured one: compare what a "
        "factor changes. Rows without a clip length or S: not stated.",
        "Both hold the music against its own training tracks, as published: that measures memory "
        "too, and rows of other data sizes rest on other references. The nearest-neighbour ratio "
        "stands beside: near 0, clips are copied; about 1, they are as new as real pieces.",
    )
    if not asked.quick:
        return notes
    return (
        *notes,
        "Quick: 200 epochs stand for the whole budget, 100 for half of it; S is a tenth of the "
        "published.",
    )
