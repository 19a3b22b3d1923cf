"""``ldm-tables``: Tables 2 and 3 of the latent-diffusion report (Prioteasa & Stempel-Hauburger
2025): parameters by component, losses and cost, for the published system and for ours."""

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

SOURCE = "Prioteasa & Stempel-Hauburger 2025"
PART = "main"
PUBLISHED, OURS = "ldm[variant=published]", "ldm[variant=content; objective=v]"
QUICK = Budget("flops", 1.2e13)
QUICK_SECONDS = 10.0  # of a test track
QUICK_TASKS = (
    *("piano:violin", "violin:piano"),
    *("acoustic_guitar:harp", "harp:acoustic_guitar"),
)
SPECTROGRAM_SECONDS = 128 * 512 / 22050  # frames × hop ÷ rate
HOUR, GIBIBYTE = 1 / 3600, 2.0**-30

COMPONENTS = (  # published component, its count, what has it in a trained stage
    ("spectrogram encoder", 111_840, "autoencoder.encoder"),
    ("spectrogram decoder", 198_209, "autoencoder.decoder"),
    ("style encoder", 2_729_984, "diffusion.style"),
    ("cross-attention (part of the U-Net)", 1_313_792, ""),
    ("U-Net", 8_155_296, "diffusion.unet"),
    ("content encoder", None, "diffusion.content"),
    ("all", 12_609_985, "all"),
)
LOSSES = (  # published loss, training and validation, its name in each variant's curve
    ("MSE", 0.008, 0.009, "mse", "mse"),
    ("L1", None, None, "l1", "l1"),
    ("perceptual", 0.15, 0.17, "perceptual", "perceptual"),
    ("KL", 0.005, 0.006, "kl", "kl"),
)


def ldm_tables(asked: Asked) -> Suite:
    """The published networks and objective beside the corrected ones, on the four instruments."""
    config = RunConfig(
        methods=joined((PUBLISHED, OURS), asked.methods),
        dataset=asked.dataset or "starlet",
        tasks=QUICK_TASKS if asked.quick else ("piano-guitar-harp-violin",),
        preset=asked.scale,
        budget=QUICK if asked.quick else None,
        max_seconds=QUICK_SECONDS if asked.quick else None,
        # The published feature maps are VGGish's, whose weights may not be there.
        options={"ldm": {"perceptual": "multiscale"}} if asked.quick else {},
    )
    tables = (_parameters(), _losses(asked), _costs())
    return Suite(
        {PART: config}, SuiteLayout("Latent diffusion: published and corrected", _notes(), tables)
    )


def _parameters() -> SuiteTable:
    rows = tuple(
        SuiteRow(
            name,
            (_float(count), *_both(f"parameters:{ours}" if ours else "")),
            source=f"{SOURCE}, Table 2",
        )
        for name, count, ours in COMPONENTS
    )
    note = (
        "The published parts sum to 11,195,329; the remaining 1,414,656 of the whole are "
        "unexplained. The U-Net holds two pairs of cross-attentions."
    )
    return SuiteTable("Table 2: parameters", _columns("published"), rows, (note,))


def _losses(asked: Asked) -> SuiteTable:
    rows = []
    for name, train, valid, published, ours in LOSSES:
        for split, figure, prefix in (("training", train, ""), ("validation", valid, "valid_")):
            own = (f"curve:autoencoder/{prefix}{published}", f"curve:autoencoder/{prefix}{ours}")
            rows.append(
                SuiteRow(f"{name}, {split}", (figure, *_pair(*own)), source=f"{SOURCE}, Table 3")
            )
    rows += [
        SuiteRow(f"style, {split}", (figure, None, None), source=f"{SOURCE}, Table 3")
        for split, figure in (("training", 0.12), ("validation", 0.14))
    ]
    notes = [
        "MSE is of 8-bit images in 0..1 where the variant is published, L1 of normalised mels in "
        "ours: losses of different variants, and of other data, cannot be compared. The published "
        "style loss ran under no-grad and trained nothing; no variant of ours has one.",
    ]
    if asked.quick:
        notes.append("Quick: the feature maps of the perceptual loss are not VGGish's.")
    return SuiteTable(
        "Table 3: losses of the autoencoder", _columns("published"), tuple(rows), tuple(notes)
    )


def _costs() -> SuiteTable:
    rows = (
        _cost("training (hours)", 24.0, "train_seconds", HOUR),
        _cost(
            "a spectrogram of 2.97 s, transfer and vocoder (s)",
            0.5,
            "real_time_factor",
            SPECTROGRAM_SECONDS,
        ),
        _cost("peak memory (GiB; published: of the GPU)", 8.0, "peak_rss_bytes", GIBIBYTE),
        SuiteRow("content preservation", (0.85, None, None), source=f"{SOURCE}, Table 3"),
        SuiteRow("style accuracy", (0.82, None, None), source=f"{SOURCE}, Table 3"),
    )
    note = (
        "Content preservation and style accuracy are defined nowhere in the report and contradict "
        "its own text: they cannot be measured. FAD and JD stand in the tables of each task."
    )
    return SuiteTable(
        "Table 3: cost, and what else was published", _columns("published"), rows, (note,)
    )


def _cost(name: str, published: float, metric: str, scale: float) -> SuiteRow:
    figures: tuple[Figure, ...] = (published, *_pair(metric, metric, scale))
    return SuiteRow(name, figures, source=f"{SOURCE}, Table 3")


def _columns(first: str) -> tuple[SuiteColumn, ...]:
    return (SuiteColumn(first, published=True), SuiteColumn(PUBLISHED), SuiteColumn(OURS))


def _both(quantity: str) -> tuple[Figure, Figure]:
    return _pair(quantity, quantity) if quantity else (None, None)


def _pair(published: str, ours: str, scale: float = 1.0) -> tuple[Figure, Figure]:
    return (
        Measured(PART, PUBLISHED, published, scale=scale),
        Measured(PART, OURS, ours, scale=scale),
    )


def _float(count: int | None) -> float | None:
    return None if count is None else float(count)


def _notes() -> tuple[str, ...]:
    return (
        "Published: YouTube recordings, 24 hours of training, a report that transfer failed. "
        "Measured: audio made here. Parameter counts may be compared; nothing else may.",
    )
