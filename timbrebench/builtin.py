"""Our own plugins, through the same hooks as a stranger's. Light: infos only."""

from timbrebench.benchmarks.metrics.plugin import EMBEDDINGS, METRICS
from timbrebench.core.hookspecs import hookimpl
from timbrebench.core.interfaces import (
    DatasetInfo,
    EmbeddingInfo,
    MethodInfo,
    MetricInfo,
    VocoderInfo,
)
from timbrebench.core.vocoder_options import GriffinLimOptions, SoundStreamOptions
from timbrebench.datasets.plugin import DATASETS
from timbrebench.methods.controls.plugin import INFOS as CONTROLS
from timbrebench.methods.cross.plugin import INFO as CROSS
from timbrebench.methods.ddim.plugin import INFO as DDIM
from timbrebench.methods.double.plugin import INFO as DOUBLE
from timbrebench.methods.files.plugin import INFOS as FILES
from timbrebench.methods.ldm.plugin import INFO as LDM
from timbrebench.methods.palette.plugin import INFO as PALETTE
from timbrebench.methods.regress.plugin import INFO as REGRESS

VOCODERS = [
    VocoderInfo(
        "griffinlim",
        "fast Griffin-Lim on the mel, inverted by Richardson–Lucy",
        "timbrebench.core.vocoders:GriffinLim",
        GriffinLimOptions,
        source="Perraudin, Balazs & Søndergaard 2013",
    ),
    VocoderInfo(
        "soundstream",
        "the SoundStream mel decoder, from the user's ONNX file (soundstream:FILE)",
        "timbrebench.core.vocoders:SoundStreamOnnx",
        SoundStreamOptions,
        source="https://tfhub.dev/google/soundstream/mel/decoder/music/1",
        mels=("soundstream",),
        argument="path",
    ),
]


@hookimpl
def timbrebench_methods() -> list[MethodInfo]:
    return [PALETTE, LDM, CROSS, DOUBLE, DDIM, REGRESS, *CONTROLS, *FILES]


@hookimpl
def timbrebench_datasets() -> list[DatasetInfo]:
    return DATASETS


@hookimpl
def timbrebench_metrics() -> list[MetricInfo]:
    return METRICS


@hookimpl
def timbrebench_embeddings() -> list[EmbeddingInfo]:
    return EMBEDDINGS


@hookimpl
def timbrebench_vocoders() -> list[VocoderInfo]:
    return VOCODERS
