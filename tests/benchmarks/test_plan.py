"""From names to cells; what makes a cell another one, and what does not."""

import dataclasses
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from timbrebench.benchmarks.choices import check_owners, choose_metrics, parse_choice
from timbrebench.benchmarks.config import RunConfig
from timbrebench.benchmarks.plan import Cell, Plan, make_plan
from timbrebench.benchmarks.tasks import choose_tasks, why_impossible
from timbrebench.core.errors import BenchError
from timbrebench.core.interfaces import MethodInfo
from timbrebench.core.records import Budget, Corpus, Task, Track
from timbrebench.core.registry import Registry


@pytest.fixture
def cell(plugins: Registry, config):
    """The one cell of a method, with what is given changed."""

    def make(method: str = "learner", **fields: Any) -> Cell:
        (found,) = make_plan(config(method, **fields), plugins).cells
        return found

    return make


def labels(plan: Plan) -> list[str]:
    return [c.method.label for c in plan.cells]


# ---------------------------------------------------------------------------- cells


def test_a_cell_for_each_method_and_seed(plugins: Registry, config) -> None:
    plan = make_plan(config("learner", "player", "learner", seeds=(0, 1)), plugins)
    found = [(c.method.label, c.seed) for c in plan.cells]
    assert found == [("learner", 0), ("learner", 1), ("player", 0), ("player", 1)]
    assert len({c.key for c in plan.cells}) == len({c.place for c in plan.cells}) == 4
    assert {c.tasks for c in plan.cells} == {(Task("transfer", "bell", "bow"),)}


def test_a_plan_is_the_same_each_time(plugins: Registry, config) -> None:
    one, other = (make_plan(config("learner", "player"), plugins) for _ in range(2))
    assert [c.key for c in one.cells] == [c.key for c in other.cells]


def test_shares_of_the_budget_are_cells_of_their_own_where_anything_is_trained(
    plugins: Registry, config
) -> None:
    asked = config(
        "learner", "player", budget=Budget("steps", 10), budget_fractions=("1/4", "1/2", "1")
    )
    plan = make_plan(asked, plugins)
    found = [(c.method.label, c.fraction, c.budget.amount) for c in plan.cells if c.trains]
    assert found == [("learner", "1/4", 2), ("learner", "1/2", 5), ("learner", "1", 10)]
    assert [c.method.label for c in plan.cells if not c.trains] == ["player"]
    assert len({c.key for c in plan.cells}) == len({c.place for c in plan.cells}) == 4
    whole = make_plan(config("learner", budget=Budget("steps", 10)), plugins).cells[0]
    assert whole.key == plan.cells[2].key and whole.place == plan.cells[2].place


def test_a_budget_for_each_direction(plugins: Registry, config) -> None:
    known = {"budget": Budget("flops", 6.0), "tasks": ("bell:bow", "bow:bell", "generate:bow")}
    (of_system,) = make_plan(config("learner", **known), plugins).cells
    (of_direction,) = make_plan(config("learner", budget_per="direction", **known), plugins).cells
    assert (of_system.budget.amount, of_direction.budget.amount) == (6.0, 12.0)
    (maker,) = make_plan(
        config(
            "maker", budget_per="direction", budget=Budget("flops", 6.0), tasks=("generate:bow",)
        ),
        plugins,
    ).cells
    assert maker.budget.amount == 6.0


CHANGES = {
    "a training option": {"options": {"learner": {"width": 9}, "player": {"width": 9}}},
    "a sampling option": {"options": {"learner": {"steps": 9}, "player": {"steps": 9}}},
    "the preset": {"preset": "paper"},
    "the seed": {"seeds": (1,)},
    "the tasks": {"tasks": ("bow:bell",)},
    "the split": {"split": "valid=tune2;test=tune4,tune5"},
    "the length": {"max_seconds": 0.5},
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("method", ["learner", "player"])
def test_what_makes_a_cell_another(cell, method: str, change: str) -> None:
    assert cell(method).key != cell(method, **CHANGES[change]).key


TRAINING = {
    "the budget": {"budget": Budget("steps", 3)},
    "the precision": {"precision": "bf16"},
    "the vocoder": {"options": {"griffinlim": {"iterations": 3}}},
}


@pytest.mark.parametrize("change", TRAINING)
def test_what_concerns_only_those_that_train_or_make_mels(cell, change: str) -> None:
    assert cell("learner").key != cell("learner", **TRAINING[change]).key
    assert cell("player").key == cell("player", **TRAINING[change]).key


@pytest.mark.parametrize("fields", [{"metrics": ("mel_l1",)}, {"controls": True}])
def test_what_makes_no_cell_another(
    plugins: Registry, config, cell, fields: dict[str, Any]
) -> None:
    plan = make_plan(config("learner", "player", **fields), plugins)
    assert cell("learner").key in {c.key for c in plan.cells}


def test_one_meaning_said_in_two_ways_is_one_cell(cell) -> None:
    plain = cell("learner")
    for other in ("learner[width=8]", "learner[preset=quick]"):
        assert cell(other).key == plain.key
        assert cell(other).place != plain.place
    assert cell("learner[width=9]").key == cell(options={"learner": {"width": "9"}}).key


def test_other_code_is_another_cell(plugins: Registry, config, cell) -> None:
    changed = Registry(
        tuple(dataclasses.replace(e, code="new") if e.name == "learner" else e
              for e in plugins.entries)
    )  # fmt: skip
    (found,) = make_plan(config("learner"), changed).cells
    assert found.key != cell("learner").key
    assert found.place == cell("learner").place


def test_other_audio_is_another_cell_and_another_place_is_not(
    cell, corpus_folder: Path, tmp_path: Path
) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(corpus_folder, moved)
    assert cell(data_root=str(moved)).key == cell().key
    path = moved / "bell" / "tune0.wav"
    path.write_bytes(path.read_bytes()[:-2] + b"\1\1")
    os.utime(path, ns=(0, 0))
    assert cell(data_root=str(moved)).key != cell().key


# ---------------------------------------------------------------------------- options


def test_options_come_from_the_preset_the_table_and_the_brackets(cell) -> None:
    def width(method: str, **fields: Any) -> int:
        return cell(method, **fields).method.values["width"]

    table = {"learner": {"width": "9"}}
    assert width("learner") == 8
    assert width("learner", preset="paper") == 256
    assert width("learner", options=table) == 9
    assert width("learner[width=10]", options=table) == 10
    assert width("theirs@stranger", options={"theirs": {"width": "9"}}) == 9


@pytest.mark.parametrize(
    ("text", "name", "given"),
    [
        ("palette", "palette", {}),
        ("palette@mine[steps=5; eta=1]", "palette@mine", {"steps": "5", "eta": "1"}),
        ("files:DIR[x=a=b]", "files:DIR", {"x": "a=b"}),
        ("palette[]", "palette", {}),
    ],
)
def test_a_choice(text: str, name: str, given: dict[str, str]) -> None:
    assert parse_choice(text) == (name, given)


@pytest.mark.parametrize("text", ["palette[x=1", "palette[x]", "palette[=1;x]"])
def test_what_is_no_choice(text: str) -> None:
    with pytest.raises(BenchError):
        parse_choice(text)


def test_options_of_nobody_are_refused(plugins: Registry) -> None:
    with pytest.raises(BenchError, match=r"unknown plugin in -o: 'lerner'. Did you mean learner"):
        check_owners(RunConfig(options={"lerner": {}}), plugins)


def test_a_folder_of_estimates_is_known_by_its_content(cell, tmp_path: Path) -> None:
    path = tmp_path / "a" / "bell-bow" / "tune4.wav"
    path.parent.mkdir(parents=True)
    path.write_text("one")
    before = cell(f"files:{tmp_path / 'a'}")
    assert before.method.label == f"files:{tmp_path / 'a'}"
    assert before.method.values["dir"] == str(tmp_path / "a")
    path.write_text("other")
    assert cell(f"files:{tmp_path / 'a'}").key != before.key
    with pytest.raises(BenchError, match=r"files: there is no file or folder"):
        cell(f"files:{tmp_path / 'b'}")
    with pytest.raises(BenchError, match=r"method 'copy' takes nothing behind a colon"):
        cell("copy:x")


# ---------------------------------------------------------------------------- controls


def test_controls_that_train_nothing_join(plugins: Registry, config) -> None:
    plan = make_plan(config("learner", "copy", controls=True), plugins)
    assert labels(plan)[:2] == ["learner", "copy"]
    assert {"eq", "affine", "shuffled", "noise"} <= set(labels(plan))
    assert len(set(labels(plan))) == len(plan.cells)


def test_an_oracle_for_each_mel_of_the_methods(plugins: Registry, config) -> None:
    plan = make_plan(config("learner", "lonely", "oracle"), plugins)
    assert labels(plan) == ["learner", "lonely", "oracle[ldm]", "oracle[soundstream]"]
    assert [c.method.values.get("mel") for c in plan.cells[2:]] == ["ldm", "soundstream"]
    assert labels(make_plan(config("player", "oracle"), plugins)) == [
        "player",
        "oracle[soundstream]",
    ]


def test_a_stranger_that_claims_a_control_keeps_none_from_joining(
    plugins: Registry, config
) -> None:
    copy = dataclasses.replace(plugins.find("method", "copy"), distribution="stranger")
    claimed = Registry((*plugins.entries, copy))
    plan = make_plan(config("learner", controls=True), claimed)
    assert "copy@timbrebench" in labels(plan) and "eq" in labels(plan)
    with pytest.raises(BenchError, match=r"claimed by stranger and timbrebench"):
        make_plan(config("copy"), claimed)


# ---------------------------------------------------------------------------- tasks

PAIR = Task("transfer", "a", "b")
GROUPS = {"single": (PAIR, Task("transfer", "b", "a")), "make": (Task("generate", "a"),)}


def corpus(*tracks: Track, groups: Any = GROUPS) -> Corpus:
    return Corpus("c", tracks, groups, "")


def track(id: str, split: str, *instruments: str) -> Track:
    return Track(id, {i: Path(i) for i in instruments}, split)


BOTH = corpus(track("1", "train", "a", "b"), track("2", "test", "a", "b"))


def test_tasks_by_name_and_group() -> None:
    assert choose_tasks([], BOTH) == GROUPS["single"]
    assert choose_tasks(["make", "a:b", "single"], BOTH) == (GROUPS["make"][0], *GROUPS["single"])
    assert choose_tasks(["generate:b", "pair:a/b"], BOTH) == (
        Task("generate", "b"),
        Task("pair", "a", "b"),
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["singel"], "unknown task or task group 'singel'. Did you mean single"),
        (["a:c"], "unknown instrument of c: 'c'. Known: a, b"),
        (["a:a"], "task a:a: source and target are the same"),
        (["a:"], "'a:' is no task"),
    ],
)
def test_what_is_no_task(words: list[str], told: str) -> None:
    with pytest.raises(BenchError, match=told):
        choose_tasks(words, BOTH)


def test_methods_that_do_no_transfer_bring_tasks_of_their_own() -> None:
    groups = {
        "single": (PAIR,),
        "generate": (Task("generate", "a"), Task("generate", "c")),
        "pair": (Task("pair", "a", "b"), Task("pair", "a", "c")),
    }
    of = replace(BOTH, groups=groups)
    maker, doubler = method(kinds=("generate",)), method(kinds=("pair",))
    assert choose_tasks([], of, [method()]) == (PAIR,)
    assert choose_tasks([], of, [method(), maker]) == (PAIR, Task("generate", "a"))
    assert choose_tasks([], of, [doubler]) == (PAIR, Task("pair", "a", "b"))
    assert choose_tasks([], of, [method(kinds=("generate",), control=True)]) == (PAIR,)
    assert choose_tasks(["single"], of, [maker]) == (PAIR,)


def test_a_corpus_without_tasks() -> None:
    with pytest.raises(BenchError, match=r"c offers no task"):
        choose_tasks([], corpus(groups={}))


def test_tasks_whose_estimates_would_share_a_folder_are_refused() -> None:
    twins = (Task("transfer", "a-b", "c"), Task("transfer", "a", "b-c"))
    with pytest.raises(BenchError, match=r"the tasks a-b:c and a:b-c would share the folder a-b-c"):
        choose_tasks([], corpus(groups={"all": twins}))


def method(**fields: Any) -> MethodInfo:
    return MethodInfo("m", "", "nowhere:Nothing", **fields)


HALVES = corpus(track("1", "train", "a"), track("2", "train", "b"), track("3", "test", "a", "b"))
UNTESTED = corpus(track("1", "train", "a", "b"))
UNTRAINED = corpus(track("1", "test", "a", "b"))


@pytest.mark.parametrize(
    ("info", "of", "told"),
    [
        (method(supervision="paired"), BOTH, ""),
        (method(supervision="unpaired"), HALVES, ""),
        (method(supervision="paired"), HALVES, "no training track has a and b; see --split"),
        (method(supervision="unpaired"), UNTRAINED, "no training track has a; see --split"),
        (method(trains=False), UNTRAINED, ""),
        (method(), UNTESTED, "no test track has a; give one with --split test=ID"),
        (method(kinds=("generate",)), BOTH, "m does generate tasks only"),
    ],
)
def test_why_a_cell_is_impossible(info: MethodInfo, of: Corpus, told: str) -> None:
    assert why_impossible(info, [PAIR], of) == told


def test_a_cell_is_possible_if_one_of_its_tasks_is() -> None:
    assert why_impossible(method(kinds=("generate",)), [PAIR, Task("generate", "a")], BOTH) == ""


# ---------------------------------------------------------------------------- metrics


def metrics(plugins: Registry, *words: str) -> list[str]:
    return [c.name for c in choose_metrics(plugins, RunConfig(metrics=words))]


def test_metrics_by_name_and_family(plugins: Registry) -> None:
    assert metrics(plugins, "mel_l1", "mel_l1") == ["mel_l1"]
    assert set(metrics(plugins, "jaccard")) == {"jaccard_melodia16k", "jaccard_cifka8k"}
    assert {"fad_logmel", "fad_vggish"} <= set(metrics(plugins, "fad"))
    assert {"jaccard_melodia16k", "fad_logmel"} <= set(metrics(plugins))
    with pytest.raises(BenchError, match=r"unknown metric 'jacard'. Did you mean jaccard"):
        metrics(plugins, "jacard")


def test_fetched_weights_make_a_metrics_scores_others(plugins: Registry, cache: Path) -> None:
    """What was 'missing' is then measured."""
    from timbrebench.core.weights import KNOWN

    (before,) = choose_metrics(plugins, RunConfig(metrics=("fad_vggish",)))
    KNOWN["vggish"].path.parent.mkdir(parents=True)
    KNOWN["vggish"].path.touch()
    (after,) = choose_metrics(plugins, RunConfig(metrics=("fad_vggish",)))
    assert before.inputs != after.inputs


# ---------------------------------------------------------------------------- data


def test_missing_data_is_told(plugins: Registry, config, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"absent"):
        make_plan(config(data_root=str(tmp_path / "absent")), plugins)


def test_what_an_embedded_dataset_has_to_make_is_counted(plugins: Registry, cache: Path) -> None:
    small = {"starlet": {"pieces": 2, "valid_pieces": 1, "test_pieces": 1, "seconds": 4}}
    plan = make_plan(RunConfig(methods=("copy",), options=small), plugins)
    assert plan.unprepared > 0
    assert not plan.cells[0].impossible


def test_controls_and_metrics_are_those_of_the_tasks(plugins: Registry, config) -> None:
    made = make_plan(config("maker", controls=True, tasks=("generate:bow",)), plugins)
    assert {"shuffled", "oracle[soundstream]", "other"} <= {c.method.label for c in made.cells}
    assert "copy" not in {c.method.label for c in made.cells}
    assert "novelty" in {m.name for m in made.metrics}
    assert "mel_l1" not in {m.name for m in made.metrics}
    made = make_plan(config(controls=True), plugins)
    assert "other" not in {c.method.label for c in made.cells}
    assert "novelty" not in {m.name for m in made.metrics}


def test_augmentation_is_of_what_trains(config, plugins: Registry) -> None:
    plain, copies, same = (
        make_plan(config("learner", "player", augment=text), plugins).cells
        for text in ("", "pitch=-2..2", "copies=4,pitch=-2..2")
    )
    assert copies[0].key != plain[0].key and copies[0].key == same[0].key
    assert copies[0].augment == "pitch=-2..2,copies=4" and copies[0].place != plain[0].place
    assert copies[1].key == plain[1].key and not copies[1].augment
    with pytest.raises(BenchError, match="whole semitones"):
        make_plan(config("learner", augment="pitch=-0.5..1"), plugins)
