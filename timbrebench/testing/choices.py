"""Checks of the options whose values the benchmark finds: chosen ones, and those of a search."""

from typing import Any

from timbrebench.core.errors import BenchError
from timbrebench.core.interfaces import MethodInfo, Span
from timbrebench.core.options import OptionSpec, describe
from timbrebench.testing.problems import Problems


def check_choices(problems: Problems, info: MethodInfo) -> None:
    """``chosen`` and ``search`` name options, and each value there is one that the option takes."""
    specs = {spec.name: spec for spec in describe(info.options)}
    for name, values in info.chosen.items():
        told = f"its chosen option '{name}'"
        if problems.expect(name in specs, f"{told} is no option"):
            spec = specs[name]
            fits = spec.affects == "sampling" and spec.optional
            problems.expect(fits, f"{told} is not one for sampling that may be none")
            _check_values(problems, told, spec, values)
    for name, given in info.search.items():
        told = f"'{name}' of its search"
        if not problems.expect(name in specs, f"{told} is no option"):
            continue
        if isinstance(given, Span):
            _check_span(problems, told, specs[name], given)
        else:
            _check_values(problems, told, specs[name], given)


def _check_span(problems: Problems, told: str, spec: OptionSpec, span: Span) -> None:
    problems.expect(spec.type in ("int", "float"), f"{told} is a span, and the option no number")
    problems.expect(span.low < span.high, f"{told} spans {span.low:g} to {span.high:g}")
    problems.expect(not span.log or span.low > 0, f"{told} is logarithmic and reaches zero")
    _check_values(problems, told, spec, (span.low, span.high))


def _check_values(problems: Problems, told: str, spec: OptionSpec, values: tuple[Any, ...]) -> None:
    problems.expect(values, f"{told} has no values")
    for value in values:
        try:
            taken = spec.parse(value, told) == value
        except BenchError:
            taken = False
        problems.expect(taken, f"{told} has the value {value!r}, which the option does not take")
