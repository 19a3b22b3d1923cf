"""What a plugin implements. This file imports nothing heavy.

A plugin has two parts. Its *info* (MethodInfo, DatasetInfo, …) is plain data: name, options,
what it can do, and where its class is. Listing and planning read only the info. Its *class*
(Method, Dataset, …) is imported from ``factory`` inside a worker process.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from timbrebench.core.options import NoOptions
from timbrebench.core.records import Clip, Corpus, Mels, Task

if TYPE_CHECKING:
    import numpy as np
    import torch

    from timbrebench.core.mel import MelSpec

Progress = Callable[[str, float], None]  # (what is being done, share done in 0..1)


# ---------------------------------------------------------------------------- infos


@dataclass(frozen=True)
class Info:
    """What every plugin says of itself. ``factory`` is 'package.module:Class'."""

    name: str
    summary: str
    factory: str
    options: type = NoOptions
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    source: str = ""  # paper or URL
    shares: tuple[str, ...] = ()  # packages besides its own whose code decides its results
    argument: str = ""  # name of the option that 'NAME:VALUE' on a command line sets


@dataclass(frozen=True)
class Span:
    """Numbers that ``bench tune`` may try for an option; whole ones where the option is."""

    low: float
    high: float
    log: bool = False  # drawn evenly in the logarithm


@dataclass(frozen=True)
class MethodInfo(Info):
    """A system under comparison."""

    kinds: tuple[str, ...] = ("transfer",)  # of transfer, generate, pair
    # Kinds of the run's other tasks whose stages it declares too, so that a method which does
    # those finds the same stages under the same share of the budget, trained once.
    trains_for: tuple[str, ...] = ()
    # Sampling options that, where they are none, the benchmark chooses among these values on
    # validation tracks, for each task; set in ``options`` before a task's calls.
    chosen: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    search: Mapping[str, "Span | tuple[Any, ...]"] = field(default_factory=dict)  # bench tune's
    supervision: str = "none"  # paired | unpaired | none: what its training data must be
    trains: bool = True
    control: bool = False
    # Preset of core.mel that its estimates are made in, '' for audio; an option 'mel' overrides.
    mel: str = "soundstream"


@dataclass(frozen=True)
class DatasetInfo(Info):
    """A corpus."""

    licence: str = ""
    citation: str = ""
    size: str = ""  # in words: '36 GB to download', '90 MB made on this machine'
    embedded: bool = False  # made on the machine: prepares itself


@dataclass(frozen=True)
class Measure:
    """One row that a metric gives."""

    name: str
    unit: str = ""
    higher_is_better: bool | None = None  # None: neither


# What a set metric holds estimates against. PUBLISHED is what the script of DiffTransfer did: the
# estimates of both directions against every stem of the corpus, sources included. LABELLED are
# training tracks of every instrument, told apart by ``Clip.instrument``.
TRAIN, TEST, PUBLISHED, LABELLED = "train", "test", "published", "labelled"


@dataclass(frozen=True)
class MetricInfo(Info):
    """A measure of estimates: 'pair' (by item), 'set' (by task) or 'cell' (by cell)."""

    kind: str = "pair"
    measures: tuple[Measure, ...] = ()
    kinds: tuple[str, ...] = ("transfer",)  # of tasks that it applies to
    rate: int = 16000  # Hz that its clips come at
    embedding: str = ""  # for set metrics made from an embedding
    references: str = TRAIN  # of set metrics: the target's training or test tracks, or all stems
    written: bool = False  # of pair metrics: wants the written notes, in ``Clip.notes``
    against_source: bool = False  # may take the source as reference where there is no counterpart
    default: bool = True  # measured where a run names no metric
    version: str = "1"  # enters the key of its scores


@dataclass(frozen=True)
class EmbeddingInfo(Info):
    """Audio → vectors, for set metrics: makes ``fad_NAME``."""

    rate: int = 16000  # Hz
    dimension: int = 128
    window: float = 0.96  # seconds a vector
    licence: str = ""
    weights_sha256: str = ""  # '' where there are none
    default: bool = False  # whether fad_NAME is measured where a run names no metric


@dataclass(frozen=True)
class VocoderInfo(Info):
    """Log-mel → audio."""

    mels: tuple[str, ...] = ()  # MelSpec presets that it takes; empty: any


# ---------------------------------------------------------------------------- training


@dataclass(frozen=True)
class Recipe:
    """How a stage is optimised (AdamW throughout). Steps come from the budget."""

    batch_size: int = 8  # effective: accumulation never changes it
    lr: float = 1e-3
    lr_final: float = 1e-4  # of the cosine; equal to lr for none
    warmup: int = 200  # steps, at most a tenth of all
    schedule: str = "cosine"  # cosine | plateau (×0.5 after 10 validations without progress)
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 1e-2
    clip: float = 1.0  # gradient norm; 0 for none
    ema: float = 0.999  # of min(ema, (1+n)/(10+n)); 0 for none
    valid_examples: int = 64  # fixed, drawn once; 0 for no validation
    valid_every: int = 250  # steps


@dataclass
class Trained:
    """A finished stage: its network in eval mode, and the state that ``prepare`` gave."""

    module: "torch.nn.Module"
    state: Mapping[str, Any]


@dataclass
class StageContext:
    """What a stage may use while it trains."""

    corpus: Corpus
    depends: Mapping[str, Trained]  # by stage name
    device: str
    progress: Progress


class Stage(ABC):
    """One thing that a method trains. The trainer owns the loop; a stage says what to fit.

    ``config`` is all, beside code, data, seed and steps, that decides the weights (JSON-able;
    it is the stage's key): two methods whose stages have equal config and class share them.
    """

    def __init__(
        self,
        name: str,
        config: Mapping[str, Any],
        recipe: Recipe,
        *,
        share: float = 1.0,
        depends: tuple[str, ...] = (),
    ) -> None:
        self.name, self.config, self.recipe = name, dict(config), recipe
        self.share = share  # of the cell's budget, relative to the cell's other stages
        self.depends = depends  # names of stages that must be finished first

    @abstractmethod
    def build(self) -> "torch.nn.Module":
        """The untrained network. torch's seed is set before the call. No data is needed."""

    @abstractmethod
    def specimen(self, batch: int) -> "dict[str, torch.Tensor]":
        """Tensors of a batch's shapes (values do not matter), to trace cost and memory."""

    @abstractmethod
    def prepare(self, context: StageContext) -> dict[str, Any]:
        """Loads what examples are drawn from; returns the JSON-able state that inference needs
        (a normalisation, say). Called once a process, also when training resumes."""

    @abstractmethod
    def example(self, rng: "np.random.Generator", split: str) -> "dict[str, np.ndarray]":
        """One example of 'train' or 'valid', with its noise level and noise, all from rng."""

    @abstractmethod
    def loss(
        self, module: "torch.nn.Module", batch: "dict[str, torch.Tensor]"
    ) -> "dict[str, torch.Tensor]":
        """The mean loss over a batch under 'loss', and parts to log beside it. Tensors only:
        no ``.item()``. Parts called 'loss_by_…' are logged, never optimised."""


# ---------------------------------------------------------------------------- plugins


class Method(ABC):
    """A system under comparison. One instance serves one cell.

    Inference takes whole clips of any length; how to cut them is the method's own affair
    (``core.overlap`` helps). Every list is in the order of ``clips``; ``rngs`` has one stream an
    item, and an item's result must not depend on what else is in the call.
    """

    def __init__(self, options: Any, mel: "MelSpec | None" = None) -> None:
        self.options, self.mel = options, mel
        self.corpus: Corpus | None = None
        self.trained: Mapping[str, Trained] = {}
        self.device = "cpu"

    def stages(self, corpus: Corpus, tasks: Sequence[Task]) -> Sequence[Stage]:
        """What to train for the tasks; nothing by default. Light: loads no audio.

        The tasks are those of the cell that the info's ``kinds`` and ``trains_for`` name. Called
        once in every process, before ``setup``, also of a method that trains nothing.
        """
        return ()

    def candidates(self, declared: Mapping[str, tuple[Any, ...]]) -> Mapping[str, tuple[Any, ...]]:
        """The candidates for the options that the benchmark chooses: those that the info's
        ``chosen`` declares, unless other options make some of them meaningless."""
        return declared

    def setup(self, corpus: Corpus, trained: Mapping[str, Trained], device: str) -> None:
        """Called once before inference, with every stage finished."""
        self.corpus, self.trained, self.device = corpus, trained, device

    def transfer(
        self,
        clips: Sequence[Clip],
        task: Task,
        styles: Sequence[Sequence[Clip]],
        rngs: "Sequence[np.random.Generator]",
    ) -> Mels | list[Clip]:
        """The clips, as ``task.target`` would play them. ``styles``: for each clip a few clips
        of the target from other, training tracks. All come at ``mel.rate``, or at 16 kHz where
        the info's ``mel`` is ''."""
        raise NotImplementedError

    def generate(
        self, instrument: str, count: int, seconds: float, rngs: "Sequence[np.random.Generator]"
    ) -> Mels | list[Clip]:
        """``count`` new clips of an instrument."""
        raise NotImplementedError

    def generate_pair(
        self, a: str, b: str, count: int, seconds: float, rngs: "Sequence[np.random.Generator]"
    ) -> tuple[Mels | list[Clip], Mels | list[Clip]]:
        """``count`` pairs of related clips, by instrument ``a`` and by ``b``."""
        raise NotImplementedError


@dataclass(frozen=True)
class Needs:
    """What preparing a dataset still takes, in bytes; None where that is not known."""

    download: int | None = None
    disk: int | None = None  # at the most, at one time, downloads included
    unknown: str = ""  # what of it is not known, in words


class Dataset(ABC):
    """A corpus on disk. ``root`` is where the user says it is; None where not said."""

    def __init__(self, options: Any, root: Path | None) -> None:
        self.options, self.root = options, root

    def missing(self) -> str:
        """What is not there and ``prepare`` cannot make, with the exact command or page to get
        it; '' if nothing."""
        return ""

    def prepare(self, progress: Progress) -> None:  # noqa: B027 (most have nothing to prepare)
        """Makes or fetches what is missing. May be stopped at any point and called again.

        Downloads go through ``core.fetching``, so that the user's mirror, proxy and folder of
        files already fetched hold for them.
        """

    def needs(self) -> Needs:
        """What :meth:`prepare` will still take; told, and asked for, before it starts."""
        return Needs()

    def again(self) -> tuple[str, ...]:
        """Words behind 'bench data prepare NAME' that ask for what is not whole; none: all options
        that are not as by default."""
        return ()

    def verify(self, progress: Progress) -> Mapping[str, str]:
        """File → what is wrong with it, for the files that :meth:`prepare` or the user put there.

        As it stands here: what the index names and is not there or no audio, and what it left out.
        To be overridden where more is known (``core.inventory`` keeps checksums), together with
        :meth:`checked`.
        """
        from timbrebench.core.audio import unusable

        corpus, wrong = self.corpus(), {}
        files = sorted({path for track in corpus.tracks for path in track.stems.values()})
        for number, path in enumerate(files, 1):
            if reason := unusable(path):
                wrong[str(path)] = reason
            progress("checking files", number / len(files))
        return {**wrong, **corpus.notes.get("left_out", {})}

    def checked(self) -> str:
        """What :meth:`verify` found of every file where it found nothing wrong, in words."""
        return "each file is there and opens as audio; no checksum of it is known"

    @abstractmethod
    def corpus(self) -> Corpus:
        """The index: tracks, split, tasks, fingerprint. Light: it decodes no audio, and for an
        embedded dataset it works before ``prepare``. MissingData if what it needs is absent."""


class PairMetric(ABC):
    """(reference, estimate) → values. Final classes only; raise CannotMeasure with a reason."""

    def __init__(self, options: Any) -> None:
        self.options = options

    @abstractmethod
    def measure(self, reference: Clip, estimate: Clip) -> dict[str, float]:
        """A value for each of the info's measures, by name."""


@dataclass(frozen=True)
class Evidence:
    """What a distance between sets was made from."""

    clips: "Mapping[str, np.ndarray]"  # of each estimate by track: [n, …], to be joined
    references: "Mapping[str, np.ndarray]"  # by a name of the metric's own


class SetMetric(ABC):
    """(references, estimates) → values."""

    # Whether its rows tell what real music that is not among the references has (floor), and what
    # the unchanged source has (ceiling).
    bounded = False

    def __init__(self, options: Any, embedding: "Embedding | None" = None) -> None:
        self.options, self.embedding = options, embedding

    @abstractmethod
    def measure(
        self, references: Sequence[Clip], estimates: Sequence[Clip]
    ) -> tuple[dict[str, float], dict[str, Any]]:
        """Values by name, and details that the row keeps ('n': vectors of the estimates)."""

    def evidence(self, references: Sequence[Clip], estimates: Sequence[Clip]) -> "Evidence | None":
        """What a comparison of two systems, track by track, needs; None where the metric cannot be
        made from it. Asked for after :meth:`measure`, of the same sets; kept beside the scores."""
        return None

    def distance_from(
        self, references: "Mapping[str, np.ndarray]"
    ) -> "Callable[[np.ndarray], float]":
        """The distance as a function of estimates' arrays, joined: of evidence that it gave."""
        raise NotImplementedError


class CellMetric(ABC):
    """The record of what a cell did → values."""

    def __init__(self, options: Any) -> None:
        self.options = options

    @abstractmethod
    def measure(self, outcome: Mapping[str, Any]) -> dict[str, float]:
        """Values by name; a name left out is a row with status 'not_applicable'."""


class Embedding(ABC):
    """Audio → vectors, one a window."""

    info: EmbeddingInfo  # its own; set by who creates it

    def __init__(self, options: Any) -> None:
        self.options = options

    def missing(self) -> str:
        """The command that gets its weights; '' if it is ready."""
        return ""

    @abstractmethod
    def embed(self, clip: Clip) -> "np.ndarray":
        """[windows, dimension] float32. CannotMeasure where the clip is too short."""

    def embed_all(self, clips: Sequence[Clip]) -> "list[np.ndarray]":
        """:meth:`embed` of several clips, none of which is too short; to be overridden where
        together they take less time."""
        return [self.embed(clip) for clip in clips]


class Vocoder(ABC):
    """Log-mel → audio."""

    def __init__(self, options: Any) -> None:
        self.options = options

    @abstractmethod
    def synthesise(self, log_mel: "np.ndarray", spec: "MelSpec", length: int) -> "np.ndarray":
        """[n_mels, frames] in ``spec``'s own log unit → [length] float32 at ``spec.rate``."""

    @property
    def provenance(self) -> Mapping[str, str]:
        """What a result must record of it, such as the sha256 of its weights."""
        return {}
