"""What is checked of every info, and how an instance is made from one."""

import re
from collections.abc import Mapping
from typing import Any

from timbrebench.core.interfaces import Info
from timbrebench.core.options import NoOptions, OptionSpec, build, describe, resolve
from timbrebench.core.registry import load
from timbrebench.testing.imports import wrong_with_import
from timbrebench.testing.problems import Problems

NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")


def check_info(problems: Problems, info: Info, base: type) -> bool:
    """The checks of any info; False where the plugin cannot even be made."""
    problems.expect(NAME.fullmatch(info.name), f"its name '{info.name}' is not like 'my_name2'")
    one_line = info.summary.strip() and "\n" not in info.summary
    problems.expect(one_line, "its summary is not one line of text")
    if info.options is not NoOptions:
        wrong = wrong_with_import(info.options.__module__)
        problems.expect(not wrong, wrong)
    before = len(problems.found)
    with problems.attempt("its options"):
        _check_options(problems, info)
    with problems.attempt(f"its factory '{info.factory}'"):
        made = load(info.factory)
        fits = isinstance(made, type) and issubclass(made, base)
        if problems.expect(fits, f"{info.factory} is no subclass of {base.__name__}"):
            left = ", ".join(sorted(getattr(made, "__abstractmethods__", ())))
            problems.expect(not left, f"{info.factory} does not implement {left}")
    return len(problems.found) == before


def _check_options(problems: Problems, info: Info) -> None:
    specs = describe(info.options)
    for spec in specs:
        problems.expect(spec.help, f"its option '{spec.name}' has no help text")
        _check_default(problems, info, spec)
    for name in info.presets:
        resolve(info.name, specs, info.presets, {"preset": name})
        unknown = set(info.presets[name]) - {s.name for s in specs}
        problems.expect(not unknown, f"its preset '{name}' sets unknown options {unknown}")
    known = {s.name for s in specs} | {""}
    problems.expect(info.argument in known, f"its argument '{info.argument}' is no option")


def _check_default(problems: Problems, info: Info, spec: OptionSpec) -> None:
    with problems.attempt(f"the default of its option '{spec.name}'"):
        parsed = spec.parse(spec.default, info.name)
        problems.expect(
            parsed == spec.default, f"the default of its option '{spec.name}' is no {spec.type}"
        )


def make(info: Info, given: Mapping[str, Any], *arguments: Any) -> Any:
    """An instance as a run with ``--preset quick`` makes it."""
    values = resolve(info.name, describe(info.options), info.presets, given, "quick")
    return load(info.factory)(build(info.options, values), *arguments)
