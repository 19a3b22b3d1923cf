"""``check_method``: whether a method keeps its contract."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from timbrebench.core.interfaces import Method, MethodInfo, Stage, StageContext, Trained
from timbrebench.core.mel import MelSpec, preset
from timbrebench.core.records import KINDS, Corpus, Task
from timbrebench.testing.choices import check_choices
from timbrebench.testing.corpus import tiny_corpus
from timbrebench.testing.inference import check_calls_succeed, check_inference
from timbrebench.testing.infos import check_info, make
from timbrebench.testing.problems import Problems
from timbrebench.testing.stages import check_stage, check_stages, tiny

SUPERVISION = ("paired", "unpaired", "none")


def check_method(
    info: MethodInfo, *, options: Mapping[str, Any] = {}, corpus: Corpus | None = None
) -> None:
    """Checks a method on a tiny corpus (or yours); AssertionError with all that is wrong.

    Contract, shapes, determinism under a seed, batch independence, saving and loading, import
    weight; with the options that the benchmark chooses left none, and chosen. ``options`` override
    those of the preset 'quick': give sizes that are fast.
    """
    problems = Problems(f"method '{info.name}'")
    _check_claims(problems, info)
    with problems.attempt("its options to choose among"):
        check_choices(problems, info)
    if check_info(problems, info, Method):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            corpus = corpus or tiny_corpus(folder / "tiny")
            with problems.attempt("the method"):
                _check_on(problems, info, options, corpus, folder)
    problems.report()


def _check_claims(problems: Problems, info: MethodInfo) -> None:
    known = info.kinds and set(info.kinds) <= set(KINDS)
    problems.expect(known, f"its kinds {info.kinds} are not among {KINDS}")
    trained = set(info.trains_for) <= set(KINDS) - set(info.kinds)
    problems.expect(
        trained, f"it trains for {info.trains_for}, which must be kinds other than its own"
    )
    problems.expect(
        info.supervision in SUPERVISION, f"its supervision is none of {', '.join(SUPERVISION)}"
    )


def _check_on(
    problems: Problems,
    info: MethodInfo,
    options: Mapping[str, Any],
    corpus: Corpus,
    folder: Path,
) -> None:
    tasks = _tasks((*info.kinds, *info.trains_for), corpus)
    method = _make(info, options)
    stages = [tiny(stage) for stage in method.stages(corpus, tasks)]
    problems.expect(
        info.trains == bool(stages), f"it says trains={info.trains} and has {len(stages)} stages"
    )
    again = _make(info, options).stages(corpus, tasks)
    same = [_identity(s) for s in stages] == [_identity(tiny(s)) for s in again]
    problems.expect(same, "stages differ between two calls with the same arguments")
    if not check_stages(problems, stages):
        return
    trained: dict[str, Trained] = {}
    for stage in stages:
        depends = {name: trained[name] for name in stage.depends}
        context = StageContext(corpus, depends, "cpu", lambda what, share: None)
        trained[stage.name] = check_stage(problems, stage, context, folder / stage.name)
    method = _make(info, options)  # a run infers in another process than it trains in
    method.stages(corpus, tasks)
    method.setup(corpus, trained, "cpu")
    asked = _tasks(info.kinds, corpus)
    chosen = {
        k: v[0] for k, v in info.chosen.items() if v and getattr(method.options, k, 0) is None
    }
    if chosen:
        check_calls_succeed(problems, method, asked)
        method.options = replace(method.options, **chosen)
    check_inference(problems, method, asked)


def _tasks(kinds: Sequence[str], corpus: Corpus) -> list[Task]:
    """One task of each of the kinds."""
    a, b = corpus.instruments[:2]
    tasks = [Task("transfer", a, b), Task("generate", b), Task("pair", a, b)]
    return [task for task in tasks if task.kind in kinds]


def _make(info: MethodInfo, options: Mapping[str, Any]) -> Method:
    method = make(info, options, _mel(info, options))
    assert isinstance(method, Method)
    return method


def _mel(info: MethodInfo, options: Mapping[str, Any]) -> MelSpec | None:
    name = options.get("mel", info.mel)
    return preset(name) if name else None


def _identity(stage: Stage) -> list[Any]:
    return [stage.name, stage.config, asdict(stage.recipe), stage.share, stage.depends]
