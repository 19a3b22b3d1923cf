"""``check_method`` passes a good method and names the fault of each bad one."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
import torch

from timbrebench.core.interfaces import Method, MethodInfo, Recipe, Span, Stage
from timbrebench.core.mel import log_mel
from timbrebench.core.records import Mels
from timbrebench.testing import check_method, tiny_corpus
from timbrebench.testing.choices import check_choices
from timbrebench.testing.problems import Problems

GOOD = MethodInfo("good", "a good method", f"{__name__}:Good", supervision="unpaired")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return tiny_corpus(tmp_path_factory.mktemp("tiny"), seconds=1.5)


class GoodStage(Stage):
    """One gain for each band."""

    def build(self):
        module = torch.nn.Linear(128, 128)
        module.register_buffer("steps", torch.zeros(()))
        return module

    def specimen(self, batch):
        return {"x": torch.zeros(batch, 128)}

    def prepare(self, context):
        return {"low": -1.0, "high": 1.0}

    def example(self, rng, split):
        return {"x": rng.standard_normal(128).astype(np.float32)}

    def loss(self, module, batch):
        return {"loss": module(batch["x"]).square().mean()}


class Good(Method):
    stage = GoodStage

    def stages(self, corpus, tasks):
        return [self.stage("map", {"bands": 128}, Recipe())]

    def transfer(self, clips, task, styles, rngs):
        module = self.trained["map"].module
        with torch.inference_mode():
            values = [module(log_mel(c.samples, self.mel).T).T.numpy() for c in clips]
        state = self.trained["map"].state
        return Mels(values, self.mel, state, [len(c.samples) for c in clips])


def test_a_good_method_passes(corpus):
    check_method(GOOD, corpus=corpus)


# ---------------------------------------------------------------------------- faults of stages


class ForgetsWeights(GoodStage):
    def build(self):
        module = super().build()
        module.scale = torch.randn(())  # no buffer, so that it is not saved
        return module

    def loss(self, module, batch):
        return {"loss": (module.scale * module(batch["x"])).square().mean()}


class UsesGlobalNoise(GoodStage):
    def example(self, rng, split):
        return {"x": np.random.standard_normal(128).astype(np.float32)}


class DrawsInLoss(GoodStage):
    def loss(self, module, batch):
        return {"loss": (module(batch["x"]) + torch.randn(128)).square().mean()}


class WrongSpecimen(GoodStage):
    def specimen(self, batch):
        return {"x": torch.zeros(batch, 128, dtype=torch.float64)}


class LeavesTensors(GoodStage):
    def loss(self, module, batch):
        loss = module(batch["x"]).square().mean()
        return {"loss": loss, "rms": loss.item() ** 0.5}


class Explodes(GoodStage):
    def loss(self, module, batch):
        return {"loss": (module(batch["x"]) / 0).mean()}


class Unwritable(GoodStage):
    def prepare(self, context):
        return {"range": np.float32(1)}


@pytest.mark.parametrize(
    "stage, fault",
    [
        (ForgetsWeights, "another loss after saving and loading"),
        (UsesGlobalNoise, "depends on more than its rng"),
        (DrawsInLoss, "draws at random"),
        (WrongSpecimen, "specimen of stage 'map' has shapes"),
        (LeavesTensors, "something other than tensors"),
        (Explodes, "is not finite"),
        (Unwritable, "is no JSON"),
    ],
)
def test_a_faulty_stage_is_named(corpus, monkeypatch, stage, fault):
    monkeypatch.setattr(Good, "stage", stage)
    with pytest.raises(AssertionError, match=fault):
        check_method(GOOD, corpus=corpus)


# ---------------------------------------------------------------------------- faults of methods


class MixesItems(Good):
    def transfer(self, clips, task, styles, rngs):
        mels = super().transfer(clips, task, styles, rngs)
        frames = sum(v.shape[1] for v in mels.values)
        return replace(mels, values=[v / frames for v in mels.values])


class IgnoresRngs(Good):
    def transfer(self, clips, task, styles, rngs):
        mels = super().transfer(clips, task, styles, rngs)
        noise = [torch.randn(v.shape).numpy() for v in mels.values]
        return replace(mels, values=[v + n for v, n in zip(mels.values, noise, strict=True)])


class Shortens(Good):
    def transfer(self, clips, task, styles, rngs):
        mels = super().transfer(clips, task, styles, rngs)
        return replace(mels, values=[v[:, 8:] for v in mels.values])


class WritesToItsInput(Good):
    def transfer(self, clips, task, styles, rngs):
        mels = super().transfer(clips, task, styles, rngs)
        for clip in clips:
            clip.samples[:] = 0
        return mels


class FailsOnSilence(Good):
    def transfer(self, clips, task, styles, rngs):
        for clip in clips:
            if not clip.samples.any():
                raise ZeroDivisionError("no level")
        return super().transfer(clips, task, styles, rngs)


class NanOnSilence(Good):
    def transfer(self, clips, task, styles, rngs):
        with np.errstate(invalid="ignore"):
            return [
                replace(c, samples=c.samples / np.abs(c.samples).max(), instrument=task.target)
                for c in clips
            ]


class ForgetsTarget(Good):
    def transfer(self, clips, task, styles, rngs):
        return list(clips)


class ReturnsArrays(Good):
    def transfer(self, clips, task, styles, rngs):
        return [c.samples for c in clips]


class SharesNames(Good):
    def stages(self, corpus, tasks):
        return [*super().stages(corpus, tasks), *super().stages(corpus, tasks)]


class TrainsNothing(Good):
    def stages(self, corpus, tasks):
        return []


@pytest.mark.parametrize(
    "method, fault",
    [
        (MixesItems, "depends on what else is in the call"),
        (IgnoresRngs, "another result under the same rngs"),
        (Shortens, "gives a mel"),
        (WritesToItsInput, "changes the clips"),
        (FailsOnSilence, "transfer of silence raised ZeroDivisionError: no level"),
        (NanOnSilence, "transfer of silence gives samples that are not finite"),
        (ForgetsTarget, "a clip by 'bell', not 'bow'"),
        (ReturnsArrays, "neither Mels nor a list of Clip"),
        (SharesNames, "share a name"),
        (TrainsNothing, "trains=True and has 0 stages"),
    ],
)
def test_a_faulty_method_is_named(corpus, method, fault):
    info = replace(GOOD, factory=f"{__name__}:{method.__name__}")
    with pytest.raises(AssertionError, match=fault):
        check_method(info, corpus=corpus)


@pytest.mark.parametrize(
    "change, fault",
    [
        ({"name": "Has space"}, "is not like"),
        ({"summary": ""}, "summary"),
        ({"kinds": ("transform",)}, "kinds"),
        ({"supervision": "some"}, "supervision"),
        ({"trains_for": ("transfer",)}, "kinds other than its own"),
        ({"factory": f"{__name__}:Absent"}, "Absent"),
        ({"factory": f"{__name__}:GoodStage"}, "no subclass of Method"),
        ({"presets": {"quick": {"width": 3}}}, "unknown options"),
        ({"argument": "dir"}, "is no option"),
    ],
)
def test_a_faulty_info_is_named(corpus, change, fault):
    with pytest.raises(AssertionError, match=fault):
        check_method(replace(GOOD, **change), corpus=corpus)


def test_all_problems_are_told_at_once(corpus):
    with pytest.raises(AssertionError, match="has 2 problem") as caught:
        check_method(replace(GOOD, name="A", summary=""), corpus=corpus)
    assert "\n - " in str(caught.value)


# ---------------------------------------------------------------------------- imports


def _info_of(module: str, text: str, folder, monkeypatch) -> MethodInfo:
    import importlib

    (folder / f"{module}.py").write_text(text)
    monkeypatch.syspath_prepend(folder)
    return replace(GOOD, options=importlib.import_module(module).Options)


HEAD = "from dataclasses import dataclass\nfrom timbrebench.core.options import option\n"
BODY = "@dataclass(frozen=True)\nclass Options:\n    width: int = option(4, 'its width')\n"


def test_a_heavy_info_is_named(corpus, tmp_path, monkeypatch):
    info = _info_of("heavy_info", f"import numpy\n{HEAD}{BODY}", tmp_path, monkeypatch)
    with pytest.raises(AssertionError, match="importing heavy_info loads numpy"):
        check_method(info, corpus=corpus)


def test_an_info_that_uses_the_network_is_named(corpus, tmp_path, monkeypatch):
    call = (
        "import contextlib, socket\nwith contextlib.suppress(OSError):\n"
        "    socket.create_connection(('127.0.0.1', 9), 0.1)\n"
    )
    info = _info_of("network_info", f"{call}{HEAD}{BODY}", tmp_path, monkeypatch)
    with pytest.raises(AssertionError, match="uses the network"):
        check_method(info, corpus=corpus)


def test_an_option_without_help_is_named(corpus, tmp_path, monkeypatch):
    info = _info_of("mute_info", HEAD + BODY.replace("its width", ""), tmp_path, monkeypatch)
    with pytest.raises(AssertionError, match="option 'width' has no help"):
        check_method(info, corpus=corpus)


# ---------------------------------------------------------------------------- chosen, search

OPTIONS = (
    "@dataclass(frozen=True)\nclass Options:\n"
    "    depth: int = option(2, 'its depth', low=1)\n"
    "    start: float | None = option(None, 'its start', affects='sampling', low=0, high=1)\n"
    "    strength: float = option(1.0, 'its strength', affects='sampling')\n"
)


@pytest.fixture
def tunable(tmp_path, monkeypatch) -> MethodInfo:
    info = _info_of("tunable_info", HEAD + OPTIONS, tmp_path, monkeypatch)
    return replace(
        info,
        factory=f"{__name__}:Chooses",
        chosen={"start": (0.5, 0.9)},
        search={"depth": Span(1, 4), "strength": (0.5, 2.0)},
    )


class Chooses(Good):
    """Notes what its option was in each call."""

    starts: ClassVar[list[float | None]] = []

    def transfer(self, clips, task, styles, rngs):
        self.starts.append(self.options.start)
        return super().transfer(clips, task, styles, rngs)


def test_chosen_options_are_tried_as_none_and_as_a_candidate(corpus, tunable):
    Chooses.starts.clear()
    check_method(tunable, corpus=corpus)
    assert Chooses.starts[0] is None and set(Chooses.starts[1:]) == {0.5}
    Chooses.starts.clear()
    check_method(tunable, options={"start": 0.7}, corpus=corpus)
    assert set(Chooses.starts) == {0.7}


class NeedsAChoice(Good):
    def transfer(self, clips, task, styles, rngs):
        if self.options.start is None:
            raise ValueError("where?")
        return super().transfer(clips, task, styles, rngs)


def test_a_method_that_needs_a_choice_is_named(corpus, tunable):
    info = replace(tunable, factory=f"{__name__}:NeedsAChoice")
    with pytest.raises(AssertionError, match="transfer with no option chosen raised ValueError"):
        check_method(info, corpus=corpus)


@pytest.mark.parametrize(
    "change, fault",
    [
        ({"chosen": {"begin": (0.5,)}}, "chosen option 'begin' is no option"),
        ({"chosen": {"strength": (0.5,)}}, "'strength' is not one for sampling that may be none"),
        ({"chosen": {"start": (0.5, 2.0)}}, "has the value 2.0, which the option does not take"),
        ({"chosen": {"start": ()}}, "'start' has no values"),
        ({"search": {"width": Span(1, 4)}}, "'width' of its search is no option"),
        ({"search": {"depth": Span(1.5, 4)}}, "has the value 1.5"),
        ({"search": {"depth": Span(0, 4)}}, "has the value 0"),
        ({"search": {"depth": Span(4, 1)}}, "spans 4 to 1"),
        ({"search": {"strength": Span(0, 1, log=True)}}, "logarithmic and reaches zero"),
        ({"search": {"strength": ("strong",)}}, "has the value 'strong'"),
    ],
)
def test_faulty_choices_are_named(tunable, change, fault):
    problems = Problems("a method")
    check_choices(problems, tunable)
    assert not problems.found
    check_choices(problems, replace(tunable, **change))
    with pytest.raises(AssertionError, match=fault):
        problems.report()


class ForOtherTasks(Good):
    """Notes the kinds of the tasks that it was given to train for."""

    kinds: ClassVar[set[str]] = set()

    def stages(self, corpus, tasks):
        self.kinds.update(task.kind for task in tasks)
        return super().stages(corpus, tasks)


def test_stages_are_asked_for_the_kinds_that_it_trains_for(corpus):
    info = replace(GOOD, factory=f"{__name__}:ForOtherTasks", trains_for=("pair",))
    check_method(info, corpus=corpus)
    assert ForOtherTasks.kinds == {"transfer", "pair"}
