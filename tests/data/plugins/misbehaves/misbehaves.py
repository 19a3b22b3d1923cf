"""Methods that fail in training, each in its own way: ``crashes``, ``hangs``, ``dies``,
``hoards``, which takes memory that no tensor tells of, and ``stumbles``, which can be traced."""

import os
import signal
import time

from timbrebench.core.hookspecs import hookimpl
from timbrebench.core.interfaces import Method, MethodInfo, Recipe, Stage

GOOD_EXAMPLES = 8  # before the fault


class Faulty(Stage):
    """Trains one weight until its fault comes."""

    drawn = 0

    def build(self):
        import torch

        return torch.nn.Linear(1, 1)

    def specimen(self, batch):
        import torch

        return {"x": torch.zeros(batch, 1)}

    def prepare(self, context):
        return {}

    def example(self, rng, split):
        import numpy as np

        self.drawn += 1
        if self.drawn > GOOD_EXAMPLES:
            self.fail()
        return {"x": np.float32(rng.standard_normal(1))}

    def loss(self, module, batch):
        return {"loss": module(batch["x"]).square().mean()}


class CrashingStage(Faulty):
    def fail(self):
        raise RuntimeError("this method crashes in training")


class HangingStage(Faulty):
    def fail(self):
        while True:
            time.sleep(1)


class DyingStage(Faulty):
    def fail(self):
        os.kill(os.getpid(), signal.SIGKILL)


class HoardingStage(Faulty):
    """150 MiB an example, while its loss is computed."""

    def fail(self):
        pass

    def loss(self, module, batch):
        import numpy as np

        hoard = np.empty(len(batch["x"]) * 150 * 2**20, np.uint8)
        return {"loss": module(batch["x"]).square().mean() + 0.0 * float(hoard.size > 0)}


class StumblingStage(Faulty):
    """Its loss fails on tensors that hold values."""

    def loss(self, module, batch):
        from torch._subclasses.fake_tensor import FakeTensor

        if not isinstance(batch["x"], FakeTensor):
            raise RuntimeError("this method stumbles over values")
        return super().loss(module, batch)


class FaultyMethod(Method):
    """Copies the source, if it ever gets that far."""

    stage: type

    def stages(self, corpus, tasks):
        return [self.stage("faulty", {}, Recipe(batch_size=4, valid_examples=0))]

    def transfer(self, clips, task, styles, rngs):
        return list(clips)


class Crashes(FaultyMethod):
    stage = CrashingStage


class Hangs(FaultyMethod):
    stage = HangingStage


class Dies(FaultyMethod):
    stage = DyingStage


class Hoards(FaultyMethod):
    stage = HoardingStage


class Stumbles(FaultyMethod):
    stage = StumblingStage


@hookimpl
def timbrebench_methods():
    return [
        MethodInfo(name, f"a method that {name} in training", f"misbehaves:{name.title()}", mel="")
        for name in ("crashes", "hangs", "dies", "hoards", "stumbles")
    ]
