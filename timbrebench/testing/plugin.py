"""``check_plugin``: everything that a module registers."""

import importlib
from collections.abc import Mapping
from typing import Any

import pluggy

from timbrebench.core import hookspecs
from timbrebench.core.interfaces import DatasetInfo, MethodInfo, MetricInfo
from timbrebench.testing.dataset import check_dataset
from timbrebench.testing.imports import wrong_with_import
from timbrebench.testing.infos import make
from timbrebench.testing.method import check_method
from timbrebench.testing.metric import check_metric
from timbrebench.testing.problems import Problems


def check_plugin(module: str, *, options: Mapping[str, Mapping[str, Any]] = {}) -> None:
    """Checks the module that an entry point names, and each method, embedded dataset and pair
    or cell metric in it.

    ``options``: plugin → options, to make heavy ones small. A dataset that is not embedded and
    a set metric need data of yours: call ``check_dataset`` and ``check_metric`` for them.
    """
    problems = Problems(f"plugin '{module}'")
    wrong = wrong_with_import(module)
    problems.expect(not wrong, wrong)
    infos: dict[str, list[Any]] = {}
    with problems.attempt("registering it"):
        infos = registered(module)
    problems.expect(any(infos.values()), "it registers nothing: see timbrebench.core.hookspecs")
    for kind, found in infos.items():
        names = [info.name for info in found]
        problems.expect(len(set(names)) == len(names), f"two of its {kind} share a name: {names}")
        for info in found:
            _check(problems, info, options.get(info.name, {}))
    problems.report()


def registered(module: str) -> dict[str, list[Any]]:
    """'methods', 'datasets', … → the infos that a module's hooks give."""
    manager = pluggy.PluginManager(hookspecs.GROUP)
    manager.add_hookspecs(hookspecs)
    manager.register(importlib.import_module(module))
    manager.check_pending()
    prefix = f"{hookspecs.GROUP}_"
    hooks = [name for name in vars(hookspecs) if name.startswith(prefix)]
    return {
        name.removeprefix(prefix): [i for infos in getattr(manager.hook, name)() for i in infos]
        for name in hooks
    }


def _check(problems: Problems, info: Any, options: Mapping[str, Any]) -> None:
    try:
        if isinstance(info, MethodInfo):
            check_method(info, options=options)
        elif isinstance(info, DatasetInfo) and info.embedded:
            check_dataset(make(info, options, None))
        elif isinstance(info, MetricInfo) and info.kind != "set":
            check_metric(info, options=options)
    except AssertionError as error:
        problems.expect(False, str(error))
