"""The hooks of the entry-point group ``timbrebench``. Each returns a list of infos."""

import pluggy

from timbrebench.core.interfaces import (
    DatasetInfo,
    EmbeddingInfo,
    MethodInfo,
    MetricInfo,
    VocoderInfo,
)

GROUP = "timbrebench"
hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


@hookspec
def timbrebench_methods() -> list[MethodInfo]:
    """The methods that the plugin brings."""
    raise NotImplementedError


@hookspec
def timbrebench_datasets() -> list[DatasetInfo]:
    """The datasets that the plugin brings."""
    raise NotImplementedError


@hookspec
def timbrebench_metrics() -> list[MetricInfo]:
    """The metrics that the plugin brings."""
    raise NotImplementedError


@hookspec
def timbrebench_embeddings() -> list[EmbeddingInfo]:
    """The embeddings that the plugin brings; each makes a metric ``fad_NAME``."""
    raise NotImplementedError


@hookspec
def timbrebench_vocoders() -> list[VocoderInfo]:
    """The vocoders that the plugin brings."""
    raise NotImplementedError
