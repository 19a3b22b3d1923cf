"""The built-in metrics and embeddings, as the plugin hooks hand them over. Light."""

from timbrebench.core.interfaces import EmbeddingInfo, Measure, MetricInfo
from timbrebench.core.records import KINDS
from timbrebench.core.weights import KNOWN

_HERE = "timbrebench.benchmarks.metrics"
_BETTER_LOW, _BETTER_HIGH = False, True  # values of higher_is_better

METRICS: list[MetricInfo] = [
    MetricInfo(
        "jaccard_melodia16k",
        "pitch Jaccard distance at 16 kHz, as DiffTransfer and Music-STAR report it",
        f"{_HERE}.jaccard:JaccardMelodia16k",
        source="Comanducci et al., ISMIR 2023",
        measures=(
            Measure("jaccard_melodia16k", "", _BETTER_LOW),
            Measure("jaccard_melodia16k_voiced", "", _BETTER_LOW),
            Measure("jaccard_melodia16k_cut", "s"),
            Measure("voiced_fraction", ""),
        ),
        kinds=("transfer", "pair"),
        against_source=True,
    ),
    MetricInfo(
        "jaccard_cifka8k",
        "pitch Jaccard distance at 8 kHz, as ss-vq-vae reports it",
        f"{_HERE}.jaccard:JaccardCifka8k",
        source="Cífka et al., ICASSP 2021",
        measures=(
            Measure("jaccard_cifka8k", "", _BETTER_LOW),
            Measure("jaccard_cifka8k_voiced", "", _BETTER_LOW),
        ),
        kinds=("transfer", "pair"),
        rate=8000,
        against_source=True,
    ),
    MetricInfo(
        "level_error_db",
        "level of the estimate relative to the reference",
        f"{_HERE}.level:LevelError",
        measures=(Measure("level_error_db", "dB"),),
    ),
    MetricInfo(
        "mel_l1",
        "mean absolute difference of log-mels at one loudness",
        f"{_HERE}.mel_l1:MelL1",
        measures=(Measure("mel_l1", "ln", _BETTER_LOW),),
    ),
    MetricInfo(
        "pitch_dtw",
        "pitch distance after dynamic time warping: the notes without their timing",
        f"{_HERE}.alignment:PitchDtw",
        source="Sakoe & Chiba 1978",
        measures=(Measure("pitch_dtw", "", _BETTER_LOW),),
        against_source=True,
        default=False,
    ),
    MetricInfo(
        "mfcc_distance",
        "distance of mean and deviation of MFCCs: timbre without alignment",
        f"{_HERE}.cepstral:MfccDistance",
        source="Logan, ISMIR 2000",
        measures=(Measure("mfcc_distance", "", _BETTER_LOW),),
        default=False,
    ),
    MetricInfo(
        "log_spectral_distance",
        "root mean square difference of log spectra",
        f"{_HERE}.signal:LogSpectralDistance",
        source="Gray & Markel 1976",
        measures=(Measure("log_spectral_distance", "dB", _BETTER_LOW),),
        default=False,
    ),
    MetricInfo(
        "multi_resolution_stft",
        "spectral convergence and log-magnitude difference at three resolutions",
        f"{_HERE}.signal:MultiResolutionStft",
        source="Yamamoto et al., ICASSP 2020",
        measures=(Measure("multi_resolution_stft", "", _BETTER_LOW),),
        default=False,
    ),
    MetricInfo(
        "faults",
        "clipping and silence in the estimate, and in the reference",
        f"{_HERE}.signal:Faults",
        measures=(
            Measure("clipped_fraction", "", _BETTER_LOW),
            Measure("silent_fraction"),
            Measure("reference_clipped_fraction"),
            Measure("reference_silent_fraction"),
        ),
        against_source=True,
        default=False,
    ),
    MetricInfo(
        "fad",
        "Fréchet audio distance",
        f"{_HERE}.frechet:FrechetAudioDistance",
        source="Kilgour et al., Interspeech 2019",
        kind="set",
        kinds=KINDS,
        measures=(Measure("fad", "", _BETTER_LOW),),
        embedding="*",
    ),
    MetricInfo(
        "kad",
        "kernel audio distance",
        f"{_HERE}.kernel:KernelAudioDistance",
        source="Chung et al. 2025",
        kind="set",
        kinds=KINDS,
        measures=(Measure("kad", "", _BETTER_LOW),),
        embedding="*",
    ),
    MetricInfo(
        "fadinf",
        "Fréchet audio distance, extrapolated to a set without end",
        f"{_HERE}.extrapolated:ExtrapolatedDistance",
        source="Gui et al., ICASSP 2024",
        kind="set",
        kinds=KINDS,
        measures=(Measure("fadinf", "", _BETTER_LOW),),
        embedding="*",
        default=False,
    ),
    MetricInfo(
        "novelty",
        "distance to the nearest training window, relative to that of real music",
        f"{_HERE}.novelty:Novelty",
        source="Meehan et al., AISTATS 2020",
        kind="set",
        kinds=("generate", "pair"),
        measures=(Measure("nearest_training_ratio"), Measure("copied_fraction")),
    ),
    MetricInfo(
        "runtime",
        "time, work, memory and size of a cell",
        f"{_HERE}.runtime:Runtime",
        kind="cell",
        kinds=KINDS,
        measures=(
            Measure("train_seconds", "s", _BETTER_LOW),
            Measure("train_flops", "FLOP"),
            Measure("seconds_per_step", "s", _BETTER_LOW),
            Measure("examples_per_second", "1/s", _BETTER_HIGH),
            Measure("real_time_factor", "s/s", _BETTER_LOW),
            Measure("vocoder_real_time_factor", "s/s", _BETTER_LOW),
            Measure("peak_rss_bytes", "B", _BETTER_LOW),
            Measure("parameters", ""),
        ),
    ),
]

EMBEDDINGS: list[EmbeddingInfo] = [
    EmbeddingInfo(
        "logmel",
        "mean and deviation of VGGish's log-mel bands: no weights, a smoke test, not VGGish",
        f"{_HERE}.logmel:LogMel",
        default=True,
    ),
    EmbeddingInfo(
        "vggish",
        "VGGish without its last ReLU and without PCA",
        f"{_HERE}.vggish:VGGish",
        source="https://github.com/harritaylor/torchvggish",
        licence="Apache-2.0",
        weights_sha256=KNOWN["vggish"].sha256,
        default=True,
    ),
]
