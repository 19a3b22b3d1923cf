"""The suites: what they plan, what a command line may say beside them, and each of them run, in a
reduced form, from training to report."""

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from timbrebench.benchmarks import suites, tracing, worker
from timbrebench.benchmarks.choices import parse_choice
from timbrebench.benchmarks.config import Execution, RunConfig
from timbrebench.benchmarks.jobs import Job, Outcome
from timbrebench.benchmarks.parts import PartsRunner
from timbrebench.benchmarks.plan import make_plan
from timbrebench.benchmarks.reading import read_run
from timbrebench.benchmarks.runner import Listener, Result
from timbrebench.benchmarks.store import Store
from timbrebench.benchmarks.suites import SUITES, Asked, Suite, SuiteInfo, find, with_budget
from timbrebench.cli import main
from timbrebench.core.errors import BenchError, UnknownName
from timbrebench.core.layouts import Figure, Measured, SuiteLayout, SuiteTable, layout_from_json
from timbrebench.core.records import Budget
from timbrebench.core.registry import registry
from timbrebench.core.results import RunRecord
from timbrebench.reports import summarise, to_markdown
from timbrebench.reports.records import Sheet

REGISTERED = {entry.name for entry in registry().of("method")}


def methods_of(suite: Suite) -> set[str]:
    return {parse_choice(word)[0] for c in suite.parts.values() for word in c.methods}


COMPLETE = [name for name, info in SUITES.items() if methods_of(info.make(Asked())) <= REGISTERED]

# ---------------------------------------------------------------------------- what they plan


@pytest.mark.parametrize("name", COMPLETE)
@pytest.mark.parametrize("scale", suites.SCALES)
def test_every_part_of_a_suite_can_be_planned(name: str, scale: str) -> None:
    for config in find(name).build(Asked(scale)).parts.values():
        plan = make_plan(config, registry())
        planned = {c.method.label: c.impossible for c in plan.cells}
        assert {planned[label] for label in config.methods} == {""}


@pytest.mark.parametrize("name", SUITES)
@pytest.mark.parametrize("scale", suites.SCALES)
def test_what_a_layout_asks_for_is_planned(name: str, scale: str) -> None:
    """Every figure is of a method (or control) of its part and of tasks that it has."""
    suite = find(name).build(Asked(scale))
    controls = {"copy", "affine", "shuffled", "oracle[soundstream]"}
    for table in suite.layout.tables:
        assert all(len(row.figures) == len(table.columns) for row in table.rows)
        wanted = [f for row in table.rows for f in row.figures if hasattr(f, "part")]
        for figure in wanted:
            assert figure.method in {*suite.parts[figure.part].methods, *controls}
    for grid in suite.layout.grids:
        assert set(grid.cells) <= set(suite.parts[grid.part].methods)
        assert set(grid.diagonal) <= set(grid.cells)
        assert set(grid.tasks) == set(suite.parts[grid.part].tasks)


def test_the_published_grid_shares_two_models_and_marks_matched_cells() -> None:
    (config,) = find("cross-diffusion-grid").build(Asked()).parts.values()
    (grid,) = find("cross-diffusion-grid").build(Asked()).layout.grids
    assert len(grid.cells) == 30 and len(config.methods) == 31
    assert [grid.cells[label] for label in grid.diagonal] == [
        (100, 40), (200, 30), (300, 20), (400, 10), (500, 0)
    ]  # fmt: skip


def test_rows_of_the_ddim_table_share_what_they_train() -> None:
    """GTZAN-50 at three S is one model: the three cells differ in a sampling option."""
    suite = find("ddim-table").build(Asked())
    (part,) = (c for c in suite.parts.values() if c.dataset == "starlet[pieces=50]")
    options = [parse_choice(word)[1] for word in part.methods]
    assert [o.pop("steps") for o in options] == ["100", "50", "10"]
    assert options[0] == options[1] == options[2] == {"batch": "4"}
    paper = find("ddim-table").build(Asked("paper")).parts.values()
    examples = [config.spent.amount for config in paper]
    assert examples == [100 * 5 * 100, 100 * 5 * 200, 10 * 5 * 200, 10 * 2 * 200, 50 * 5 * 200]


def test_another_budget_keeps_the_proportions() -> None:
    suite = find("ddim-table").build(Asked())
    amounts = [c.spent.amount for c in with_budget(suite, Budget("steps", 9)).parts.values()]
    assert amounts == [4, 9, 9, 9, 9]
    tiny = with_budget(suite, Budget("steps", 1)).parts.values()
    assert {c.spent.amount for c in tiny} == {1}


def test_methods_join_and_get_rows() -> None:
    suite = find("difftransfer-table-1").build(Asked(methods=("files:DIR", "palette")))
    (config,) = suite.parts.values()
    assert config.methods == ("palette", "regress", "files:DIR")
    labels = [row.label for row in suite.layout.tables[0].rows]
    assert labels.count("files:DIR") == 3 and labels.count("Music-STAR") == 1


def test_another_corpus_where_the_suite_allows_it() -> None:
    real = find("difftransfer-table-1").build(Asked(dataset="starnet"))
    assert real.parts["main"].dataset == "starnet"
    told = [" ".join(find("difftransfer-table-1").build(Asked(dataset=d)).layout.tables[0].notes)
            for d in ("starnet", "starlet")]  # fmt: skip
    assert "same corpus" in told[0] and "No published figure may be compared" in told[1]
    with pytest.raises(BenchError, match="decides its dataset"):
        find("ddim-table").build(Asked(dataset="starnet"))


def test_an_unknown_suite_or_scale_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match="Did you mean quickstart"):
        find("quikstart")
    with pytest.raises(UnknownName, match="paper, quick"):
        find("quickstart").build(Asked("huge"))


# ---------------------------------------------------------------------------- reduced runs

SMALL = "pieces=2; valid_pieces=2; test_pieces=2; seconds=3"
TINY: dict[str, dict[str, Any]] = {
    "palette": {"widths": "8/8/16", "blocks": 1, "steps": 2, "batch": 2},
    "cross": {"widths": "8/8/16", "batch": 2},
    "ddim": {"widths": "8/8/8/8"},
    "ldm": {"latent_dim": 2, "autoencoder_width": 4, "widths": "32/32/32", "steps": 2,
            "batch": 2, "autoencoder_batch": 2, "guidance": 2.0, "start_noise": 1.0},
}  # fmt: skip
LEFT_OUT = dict.fromkeys(SUITES, ()) | {
    "quickstart": ("ldm", "regress"),  # ldm runs in ldm-tables
    "difftransfer-table-1": ("regress",),
}
FEWER = {  # tasks that are left of a part
    "difftransfer-table-1": (
        *("clarinet:strings", "vibraphone:piano"),
        "mixed:clarinet+vibraphone:strings+piano",
        "clarinet+vibraphone:strings+piano",
    ),
    "ldm-tables": ("piano:violin",),
}


def reduced(name: str) -> Suite:
    """The extremes of each axis, networks and data as small as they may be, two steps."""
    suite = with_budget(find(name).build(Asked()), Budget("steps", 2))
    first, *_, last = [*suite.parts, *suite.parts]
    parts = {
        part: _reduced_part(name, suite.parts[part], suite.layout)
        for part in dict.fromkeys((first, last))
    }
    tables = tuple(_reduced_table(table, parts) for table in suite.layout.tables)
    return Suite(parts, replace(suite.layout, tables=tables))


def _reduced_table(table: SuiteTable, parts: Mapping[str, RunConfig]) -> SuiteTable:
    """Means over the tasks that are left."""

    def fewer(figure: Figure) -> Figure:
        if not isinstance(figure, Measured) or figure.part not in parts:
            return figure
        left = tuple(t for t in figure.tasks if t in parts[figure.part].tasks)
        return replace(figure, tasks=left)

    rows = (replace(row, figures=tuple(map(fewer, row.figures))) for row in table.rows)
    return replace(table, rows=tuple(rows))


def _reduced_part(name: str, config: RunConfig, layout: SuiteLayout) -> RunConfig:
    cells = {label: place for grid in layout.grids for label, place in grid.cells.items()}
    ends = [{min(axis), max(axis)} for axis in zip(*cells.values(), strict=True)]
    corners = {label for label, xy in cells.items() if all(map(set.__contains__, ends, xy))}
    kept = [m for m in config.methods if m not in cells or m in corners]
    if name == "ddim-table":
        kept = [kept[0], kept[-1]]
    control = "shuffled" if name == "ddim-table" else "copy"
    options = {m: TINY[m] for m in TINY if m in {parse_choice(word)[0] for word in kept}}
    return replace(
        config,
        methods=tuple(m for m in dict.fromkeys((*kept, control)) if m not in LEFT_OUT[name]),
        dataset=f"starlet[{SMALL}]",
        tasks=FEWER.get(name, config.tasks),
        metrics=("fad_logmel", "jaccard_melodia16k", "runtime"),
        controls=False,
        precision="fp32",
        max_seconds=2.0,  # enough for a covariance over one track
        options={**options, "griffinlim": {"iterations": 2}},
    )


class Events:
    """Takes what a worker tells."""

    phase = "start"

    def __init__(self, listen: Callable[[Mapping[str, Any]], None]) -> None:
        self.listen = listen

    def __call__(self, event: Mapping[str, Any]) -> None:
        self.listen(event)

    def enter(self, phase: str) -> None:
        self.phase = phase

    def alive(self, *_: int) -> None: ...


def work(
    kind: str,
    data: Mapping[str, Any],
    folder: Path = Path(),
    listen: Callable[[Mapping[str, Any]], None] = lambda event: None,
) -> Outcome:
    """A job as a worker does it, in this process: importing torch for each would take longer."""
    job = {"kind": kind, "data": json.loads(json.dumps(data)), "folder": str(folder), "threads": 1}
    answer = worker._answer(job, Events(listen))
    return Outcome(answer["status"], answer, answer.get("phase", ""), answer.get("reason", ""))


class Here:
    """An executor without processes."""

    def run(self, jobs: Sequence[Job], listen: Listener) -> Iterator[tuple[Job, Outcome]]:
        for job in jobs:
            job.folder.mkdir(parents=True, exist_ok=True)
            yield job, work(job.kind, job.data, job.folder)

    def cancel(self) -> None: ...


@pytest.fixture(scope="module", autouse=True)
def traced_here() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracing, "run_apart", work)
        yield


def run(suite: Suite, out: Path, name: str = "some", scale: str = "quick") -> Result:
    record = {"name": name, "scale": scale, "layout": dataclasses.asdict(suite.layout)}
    plans = {part: make_plan(config, registry()) for part, config in suite.parts.items()}
    return PartsRunner(
        record, plans, Store(out), Here(), lambda job, event: None, Execution()
    ).run()


def ran(name: str, out: Path) -> RunRecord:
    """The reduced suite, run; every cell of it ended well."""
    result = run(reduced(name), out, name)
    record = read_run(out)
    told = [(c.label, c.status, c.phase, c.reason) for c in record.cells]
    assert {status for _, status, *_ in told} == {"ok"}, told
    assert result.exit_code == 0
    return record


@pytest.mark.parametrize("name", COMPLETE)
def test_a_reduced_suite_runs_from_training_to_report(name: str, tmp_path: Path) -> None:
    record = ran(name, tmp_path / name)
    assert record.suite is not None and record.suite.name == name
    assert len(list((tmp_path / name / "models").iterdir())) == MODELS[name]
    summary = summarise([record])
    (report,) = summary.suites
    for grid in report.grids:
        values = [e.value for m in grid.maps for row in m.entries for e in row]
        assert sum(v is not None for v in values) == 4 * len(grid.maps) > 0
    text = to_markdown(summary)
    assert record.suite.layout.title.split(":")[0] in text
    for row in (row for sheet in report.sheets for row in sheet.rows):
        statuses = [cell.text for cell in row.cells]
        assert not {"failed", "missing", "incomplete"} & set(statuses), row
    for label, group in MEASURED[name]:
        (row,) = _rows(report.sheets, label, group)[:1]
        assert "–" not in row, row


def _rows(sheets: Sequence[Sheet], label: str, group: str) -> list[list[str]]:
    """The measured figures of a row as text, sheet by sheet."""
    return [
        [cell.text for cell in row.cells[sheet.published :]]
        for sheet in sheets
        for row in sheet.rows
        if (row.label, row.group) == (label, group)
    ]


MODELS = {  # trained: cells that differ in sampling alone share theirs
    "quickstart": 1,
    "difftransfer-table-1": 3,
    "cross-diffusion-grid": 2,
    "ddim-table": 2,
    "ldm-tables": 4,
}
MEASURED: dict[str, tuple[tuple[str, str], ...]] = {  # rows whose figures the reduced run has
    "quickstart": (),
    "difftransfer-table-1": tuple(
        ("DiffTransfer", group) for group in ("single instruments", "single/mixed", "mixtures")
    ),
    "cross-diffusion-grid": (
        *(("cross", "violin:acoustic_guitar"), ("copy", "acoustic_guitar:violin")),
    ),
    "ddim-table": (("GTZAN-100", ""), ("GTZAN-50", "")),
    "ldm-tables": tuple(
        (row, "") for row in ("style encoder", "KL, validation", "training (hours)")
    ),
}


# ---------------------------------------------------------------------------- the folder


@pytest.fixture
def copies(corpus_folder: Path) -> Suite:
    """A suite of one control in two parts that differ in nothing that a cell's place names."""
    one = RunConfig(
        methods=("copy",),
        dataset="folder",
        data_root=str(corpus_folder),
        split="valid=tune3;test=tune4,tune5",
        tasks=("bell:bow",),
        controls=False,
        metrics=("mel_l1",),
    )
    parts = {"long": one, "short": replace(one, max_seconds=0.5)}
    return Suite(parts, SuiteLayout("Copies"))


def test_parts_stand_side_by_side_in_one_folder(copies: Suite, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert run(copies, out).exit_code == 0
    record = read_run(out)
    assert record.suite is not None
    assert {name: len(keys) for name, keys in record.suite.parts.items()} == {"long": 1, "short": 1}
    assert len(record.cells) == 2
    run(copies, out)
    assert read_run(out).suite == record.suite


def test_a_folder_holds_one_suite(copies: Suite, tmp_path: Path) -> None:
    run(copies, tmp_path)
    with pytest.raises(BenchError, match="holds the suite some at scale quick"):
        run(copies, tmp_path, scale="paper")
    with pytest.raises(BenchError, match="holds the suite some"):
        run(copies, tmp_path, name="other")


def test_an_interruption_ends_all_parts(copies: Suite, tmp_path: Path) -> None:
    plans = {part: make_plan(config, registry()) for part, config in copies.parts.items()}
    record = {"name": "some", "scale": "quick", "layout": dataclasses.asdict(copies.layout)}
    runner = PartsRunner(
        record, plans, Store(tmp_path), Here(), lambda job, event: runner.cancel(), Execution()
    )
    result = runner.run()
    assert result.exit_code == 130 and len(result.statuses) == 1


def test_a_damaged_layout_is_no_suite(copies: Suite, tmp_path: Path) -> None:
    run(copies, tmp_path)
    data = json.loads((tmp_path / "run.json").read_text())
    assert layout_from_json(data["suite"]["layout"]) == copies.layout
    del data["suite"]["layout"]["title"]
    (tmp_path / "run.json").write_text(json.dumps(data))
    assert read_run(tmp_path).suite is None


# ---------------------------------------------------------------------------- the command line


def test_suites_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "suites", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["name"] for row in rows} == set(SUITES)
    assert main(["list", "--json"]) == 0
    assert "quickstart" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--suite quickstar", "Did you mean quickstart"),
        ("--suite quickstart --scale huge", "unknown scale 'huge'"),
        ("--suite quickstart --tasks a:b -o palette.steps=2", "decides -o and --tasks"),
        ("--suite quickstart --preset paper", "--scale"),
        ("--suite quickstart --no-controls", "decides --controls"),
        ("--suite quickstart --dataset starnet", "decides its dataset"),
        ("--suite quickstart --steps 2 --examples 3", "a cell has one budget"),
        ("--suite quickstart --methods nothing", "unknown method 'nothing'"),
        ("--suite quickstart --seeds a", "--seeds takes whole numbers"),
        ("--scale quick", "Add --suite NAME"),
    ],
)
def test_what_may_not_stand_beside_a_suite(
    words: str, told: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["run", *words.split(), "--out", str(tmp_path / "run")]) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_suite_runs_by_one_command(
    copies: Suite,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    info = SuiteInfo("copies", "", lambda asked: copies)
    monkeypatch.setitem(SUITES, "copies", info)
    monkeypatch.setattr("timbrebench.benchmarks.executors.local.LocalExecutor", lambda *_: Here())
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.chdir(tmp_path)
    assert main(["run", "--suite", "copies", "--scale", "paper", "--seeds", "0,1", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["run"] == "runs/copies-paper" and len(told["cells"]) == 4
    assert main(["report", "runs/copies-paper"]) == 0
    assert "Copies (paper)" in (tmp_path / "runs/copies-paper/report/report.md").read_text()
