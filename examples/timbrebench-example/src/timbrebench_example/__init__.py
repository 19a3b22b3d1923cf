"""What the package brings. It is imported for ``bench list``, so it loads nothing heavy."""

from dataclasses import dataclass

from timbrebench.core.hookspecs import hookimpl
from timbrebench.core.interfaces import DatasetInfo, Measure, MethodInfo, MetricInfo
from timbrebench.core.options import option


@dataclass(frozen=True)
class TiltOptions:
    """Of ``tilt``."""

    db_per_octave: float = option(
        -3.0, "how much the treble loses", affects="sampling", low=-24.0, high=24.0
    )


@dataclass(frozen=True)
class SinesOptions:
    """Of ``sines``."""

    tracks: int = option(6, "number of tracks", low=3, high=100)
    seconds: float = option(4.0, "length of a track, in seconds", low=1.0, high=60.0)


@hookimpl
def timbrebench_methods() -> list[MethodInfo]:
    return [
        MethodInfo(
            "tilt",
            "the source with less treble",
            "timbrebench_example.tilt:Tilt",
            TiltOptions,
            trains=False,
            mel="",
        ),
        MethodInfo(
            "bandmap",
            "a learned linear map between the bands of two instruments",
            "timbrebench_example.bandmap:BandMap",
            supervision="paired",
        ),
    ]


@hookimpl
def timbrebench_datasets() -> list[DatasetInfo]:
    return [
        DatasetInfo(
            "sines",
            "a sine and a buzz play the same random notes",
            "timbrebench_example.sines:Sines",
            SinesOptions,
            licence="CC0",
            size="1 MB made on this machine",
            embedded=True,
        )
    ]


@hookimpl
def timbrebench_metrics() -> list[MetricInfo]:
    return [
        MetricInfo(
            "centroid_error_hz",
            "difference of the mean spectral centroids",
            "timbrebench_example.centroid:CentroidError",
            measures=(Measure("centroid_error_hz", "Hz", higher_is_better=False),),
        )
    ]
