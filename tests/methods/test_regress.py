import torch

from timbrebench.core.records import Task
from timbrebench.methods.palette.model import Palette
from timbrebench.methods.palette.plugin import INFO as PALETTE
from timbrebench.methods.palette.plugin import Options as PaletteOptions
from timbrebench.methods.regress.model import Regress
from timbrebench.methods.regress.plugin import INFO, Options
from timbrebench.testing import check_method

TASK = Task("transfer", "bell", "bow")


def test_contract():
    check_method(INFO, options={"widths": (8, 16)})


def test_it_is_palettes_network_but_for_the_noisy_input():
    ours = Regress(Options()).stage(TASK).build()
    theirs = Palette(PaletteOptions()).stage(TASK).build()
    differing = {
        name
        for name, (a, b) in {
            n: (p.shape, q.shape)
            for (n, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True)
        }.items()
        if a != b
    }
    assert differing == {"first.weight"}
    shared = Options.__dataclass_fields__.keys()
    assert all(getattr(Options(), n) == getattr(PaletteOptions(), n) for n in shared)
    assert PALETTE.supervision == INFO.supervision and INFO.control


def test_the_loss_is_the_mean_absolute_error():
    stage = Regress(Options(widths=(8, 16))).stage(TASK)
    batch = {"condition": torch.zeros(2, 1, 128, 128), "target": torch.full((2, 1, 128, 128), 0.5)}
    assert stage.loss(stage.build(), batch)["loss"].item() == 0.5  # an untrained network gives 0
