"""Networks that cannot be built are refused before training, in words."""

from typing import Any

import pytest

from timbrebench.core.errors import BenchError
from timbrebench.core.footprint import step_flops
from timbrebench.core.mel import PRESETS
from timbrebench.core.records import Task
from timbrebench.core.registry import create, registry, values_of
from timbrebench.testing import tiny_corpus

REFUSED = [
    ("cross", {"patch": "3"}, "128 bands .* do not divide by 12"),
    ("cross", {"widths": "9/16"}, "9, which is no multiple of 8"),
    ("cross", {"widths": "8/8/8/8/8/8/8"}, "do not divide by 256"),
    ("cross", {"variant": "published", "widths": "32"}, "it takes 2 at least"),
    ("double", {"widths": "20"}, "no multiple of 8"),
    ("ddim", {"widths": "24"}, "it takes 2 at least"),
    ("ddim", {"variant": "published", "widths": "8/12"}, "no multiple of 8"),
    ("palette", {"variant": "published", "widths": "64"}, "it takes 2 at least"),
    ("palette", {"patch": "5"}, "do not divide by 40"),
    ("regress", {"patch": "5"}, "do not divide by 40"),
    ("ldm", {"widths": "40/64"}, "no multiple of 32"),
    ("ldm", {"widths": "32/32/32/32/32/32"}, "do not divide by 256"),
]
TASKS = {"ddim": Task("generate", "bow"), "double": Task("pair", "bell", "bow")}


def stages(name: str, given: dict[str, Any], tmp_path) -> list[Any]:
    entry = registry().find("method", name)
    values = values_of(entry, given)
    method = create(entry, values, PRESETS[str(values.get("mel", entry.info.mel))])
    task = TASKS.get(name, Task("transfer", "bell", "bow"))
    return list(method.stages(tiny_corpus(tmp_path), [task]))


@pytest.mark.parametrize(("name", "given", "told"), REFUSED)
def test_sizes_that_do_not_fit_are_refused(name, given, told, tmp_path) -> None:
    with pytest.raises(BenchError, match=told):
        stages(name, given, tmp_path)


@pytest.mark.parametrize("name", ["cross", "ddim", "palette"])
def test_any_multiple_of_8_can_be_built(name, tmp_path) -> None:
    """104 channels do not divide into three heads of 32."""
    for stage in stages(name, {"widths": "8/104/104"}, tmp_path):
        assert step_flops(stage) > 0
