"""The summary against numbers worked out by hand."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import scipy.stats

from timbrebench.core.statistics import separated, t_interval
from timbrebench.reports.summary import summarise, to_json

JD = "jaccard_melodia16k"


def line_of(table, label):
    return next(line for line in table.lines if line.system.label == label)


def test_t_interval_of_a_textbook_sample():
    # Mean 2, deviation 1, n 3: half width t(2, 0.975) / sqrt(3) = 4.302653 / 1.732051.
    low, high = t_interval([1.0, 2.0, 3.0])
    assert low == pytest.approx(2 - 2.484138, abs=1e-5)
    assert high == pytest.approx(2 + 2.484138, abs=1e-5)
    assert t_interval([1.0, 2.0]) is None


def test_separated_asks_the_paired_differences():
    a = {"x": 1.0, "y": 5.0, "z": 9.0}
    assert separated(a, {k: v - 1 + 0.01 * i for i, (k, v) in enumerate(a.items())}) is True
    assert separated(a, {"x": 2.0, "y": 4.0, "z": 9.0}) is False
    assert separated(a, {"x": 2.0}) is None
    assert separated({}, {}) is None


def test_a_mean_over_tracks_has_n_interval_and_direction(make):
    of = make.cell("palette")
    rows = make.pair_rows(of, JD, {"x": 0.1, "y": 0.2, "z": 0.3})
    (table,) = summarise([make.run([of], rows)]).headline
    entry = line_of(table, "palette").entries[JD]
    assert entry.value == pytest.approx(0.2)
    assert entry.n == 3
    assert entry.high - entry.value == pytest.approx(0.2484138, abs=1e-6)
    assert table.columns[0].higher_is_better is False


def test_two_tracks_give_no_interval(make):
    of = make.cell("palette")
    rows = make.pair_rows(of, JD, {"x": 0.1, "y": 0.2})
    (table,) = summarise([make.run([of], rows)]).headline
    entry = line_of(table, "palette").entries[JD]
    assert (entry.low, entry.high) == (None, None)


def test_a_system_that_does_nothing_of_a_task_has_no_line_in_its_table(make):
    of, other = make.cell("palette"), make.cell("maker")
    rows = make.pair_rows(of, JD, {"x": 0.1, "y": 0.2})
    rows.append(make.row(other, JD, None, status="not_applicable", reason="makes only"))
    (table,) = summarise([make.run([of, other], rows)]).headline
    assert [line.system.label for line in table.lines] == ["palette"]
    failed = make.cell("broken", status="failed", reason="no luck")
    (table,) = summarise([make.run([of, failed], rows[:-1])]).headline
    assert {line.system.label for line in table.lines} == {"palette", "broken"}


def test_what_is_measured_between_halves_has_no_better(make):
    task = "pair:a/b"
    pair, of = make.cell("double", tasks=(task,)), make.cell("palette")
    rows = make.pair_rows(of, JD, {"x": 0.1})
    rows += [
        make.row(pair, JD, 0.9, task=task, reference="the other half", higher_is_better=None),
        make.row(pair, "fad_logmel", 5.0, task=task),
        make.row(of, "fad_logmel", 3.0),
        make.row(of, JD, None, task=task, status="not_applicable", reason="no pairs"),
    ]
    tables = {t.task: t for t in summarise([make.run([pair, of], rows)]).headline}
    directions = {
        name: {c.metric: c.higher_is_better for c in table.columns}
        for name, table in tables.items()
    }
    assert directions[task] == {"fad_logmel": False, JD: None}
    assert directions["a:b"][JD] is False
    assert [line.system.label for line in tables[task].lines] == ["double"]  # palette: absent, n/a


def test_overall_is_the_mean_over_tasks_and_never_pooled(make):
    of = make.cell("palette", tasks=("a:b", "c:d"))
    rows = make.pair_rows(of, JD, {"x": 0.1, "y": 0.1, "z": 0.1})
    rows += make.pair_rows(of, JD, {"x": 0.5}, task="c:d")
    summary = summarise([make.run([of], rows)])
    (table,) = summary.headline
    assert table.task == "overall"
    assert table.tasks == ("a:b", "c:d")
    assert line_of(table, "palette").entries[JD].value == pytest.approx(0.3)  # pooled: 0.2
    assert [t.task for t in summary.tables] == ["a:b", "c:d"]


def test_overall_interval_is_over_tracks_that_all_tasks_share(make):
    of = make.cell("palette", tasks=("a:b", "c:d"))
    rows = make.pair_rows(of, JD, {"x": 0.0, "y": 0.2, "z": 0.4})
    rows += make.pair_rows(of, JD, {"x": 0.2, "y": 0.2, "z": 0.2}, task="c:d")
    (table,) = summarise([make.run([of], rows)]).headline
    entry = line_of(table, "palette").entries[JD]
    assert entry.by_item == pytest.approx({"x": 0.1, "y": 0.2, "z": 0.3})
    assert (entry.low, entry.high) == pytest.approx(t_interval([0.1, 0.2, 0.3]))


def test_overall_interval_of_several_seeds_knows_how_they_differ(make):
    """Worked out by hand: on three tracks the means over tasks are 1, 2, 3 and, of the other seed,
    3, 4, 5. Then MS_tracks = 2, MS_seeds = 6 and MS_rest = 0: the variance is 8 / 6 with
    8² / (2² / 2 + 6² / 1) = 64 / 38 degrees of freedom. Over tracks alone: 1 / 3 with 2."""
    cells = [make.cell("palette", tasks=("a:b", "c:d"), seed=seed) for seed in (0, 1)]
    rows = []
    for of, more in zip(cells, (0.0, 2.0), strict=True):
        for task, off in (("a:b", 0.5), ("c:d", -0.5)):
            by_track = {t: v + more + off for t, v in (("x", 1.0), ("y", 2.0), ("z", 3.0))}
            rows += make.pair_rows(of, JD, by_track, task=task)
    (table,) = summarise([make.run(cells, rows)]).headline
    entry = line_of(table, "palette").entries[JD]
    assert entry.value == pytest.approx(3)
    half = scipy.stats.t.ppf(0.975, 64 / 38) * math.sqrt(8 / 6)
    assert (entry.low, entry.high) == (pytest.approx(3 - half), pytest.approx(3 + half))


def test_an_interval_of_a_distance_over_seeds_stops_at_its_least(make):
    cells = [make.cell("palette", seed=seed) for seed in (0, 1)]
    without = {"x": 1.0, "y": 2.0, "z": 6.0}
    details = {"without": without, "interval": [0.0, 9.0], "n": 900}
    for least, expected in (({"least": 0.0}, True), ({}, False)):
        told = details | least
        rows = [make.row(c, "fad_logmel", 2.0, n=900, details=told) for c in cells]
        entry = line_of(summarise([make.run(cells, rows)]).headline[0], "palette").entries[
            "fad_logmel"
        ]
        assert (entry.low == 0) is expected and entry.low <= 0
        assert entry.details == {}


def test_a_system_that_lacks_a_task_has_no_overall_value(make):
    both, one = make.cell("ldm", tasks=("a:b", "c:d")), make.cell("palette", tasks=("a:b",))
    rows = make.pair_rows(both, JD, {"x": 0.4}) + make.pair_rows(both, JD, {"x": 0.6}, task="c:d")
    rows += make.pair_rows(one, JD, {"x": 0.1})
    (table,) = summarise([make.run([both, one], rows)]).headline
    entry = line_of(table, "palette").entries[JD]
    assert (entry.value, entry.status) == (None, "incomplete")
    assert "c:d" in entry.reason
    assert any("palette" in note and "c:d" in note for note in table.notes)
    assert line_of(table, "ldm").entries[JD].value == pytest.approx(0.5)


def test_kinds_of_task_are_never_averaged_together(make):
    of = make.cell("ldm", tasks=("a:b", "generate:b"))
    rows = [make.row(of, "fad_x", v, task=t) for t, v in (("a:b", 1.0), ("generate:b", 9.0))]
    summary = summarise([make.run([of], rows)])
    assert [t.task for t in summary.headline] == ["a:b", "generate:b"]


def test_seeds_are_averaged_seed_by_seed_and_counted(make):
    cells = [make.cell("palette", seed=seed) for seed in (0, 1)]
    rows = make.pair_rows(cells[0], JD, {"x": 0.1, "y": 0.3})
    rows += make.pair_rows(cells[1], JD, {"x": 0.5, "y": 0.7})
    rows += [make.row(c, "fad_logmel", v, n=900) for c, v in zip(cells, (1.0, 3.0), strict=True)]
    summary = summarise([make.run(cells, rows)])
    line = line_of(summary.headline[0], "palette")
    assert line.system.seeds == (0, 1)
    assert line.entries[JD].by_seed == pytest.approx({0: 0.2, 1: 0.6})
    assert line.entries[JD].value == pytest.approx(0.4)
    assert line.entries["fad_logmel"].value == pytest.approx(2.0)
    assert not any("One seed" in note for note in summary.notes)


def test_a_seed_that_failed_is_told(make):
    cells = [make.cell("palette"), make.cell("palette", seed=1, status="killed", reason="node")]
    rows = make.pair_rows(cells[0], JD, {"x": 0.1})
    summary = summarise([make.run(cells, rows)])
    system = line_of(summary.headline[0], "palette").system
    assert (system.done, system.seeds, system.status) == ((0,), (0, 1), "killed")
    assert summary.failures[0].reason == "node"
    assert any("One seed" in note for note in summary.notes)


def test_items_that_not_every_seed_has_are_left_out_and_named(make):
    cells = [make.cell("palette", seed=seed) for seed in (0, 1)]
    rows = make.pair_rows(cells[0], JD, {"x": 0.1, "y": 0.9})
    rows += make.pair_rows(cells[1], JD, {"x": 0.3, "y": None})
    entry = line_of(summarise([make.run(cells, rows)]).headline[0], "palette").entries[JD]
    assert (entry.value, entry.n) == (pytest.approx(0.2), 1)
    assert "y" in entry.reason


def test_a_control_that_beats_a_method_is_told_and_the_oracle_is_no_rival(make):
    values = {"palette": 0.4, "copy": 0.3, "eq": 0.5, "oracle": 0.1}
    cells = [make.cell(label) for label in values]
    rows = []
    for of, value in zip(cells, values.values(), strict=True):
        rows += make.pair_rows(of, JD, {"x": value, "y": value + 0.01, "z": value - 0.01})
        rows.append(make.row(of, "voiced_fraction", value))  # no direction: no warning
        rows.append(make.row(of, "train_seconds", value, task="", unit="s"))  # a cost: none
    (warning,) = summarise([make.run(cells, rows)]).warnings
    assert (warning.label, warning.task, warning.column.metric) == ("palette", "a:b", JD)
    assert warning.value == pytest.approx(0.4)
    (rival,) = warning.rivals
    assert (rival.label, rival.value) == ("copy", pytest.approx(0.3))
    assert rival.separated is True


def test_higher_is_better_turns_the_comparison(make):
    cells = [make.cell("palette"), make.cell("copy")]
    rows = [
        make.row(of, "note_f1", value, higher_is_better=True)
        for of, value in zip(cells, (0.5, 0.6), strict=True)
    ]
    (warning,) = summarise([make.run(cells, rows)]).warnings
    assert warning.rivals[0].label == "copy"


def test_rows_over_other_test_items_stand_apart_and_are_not_compared(make):
    cells = [make.cell("palette"), make.cell("ldm"), make.cell("copy")]
    rows = make.pair_rows(cells[0], JD, {"x": 0.4, "y": 0.4})
    rows += make.pair_rows(cells[1], JD, {"x": 0.5, "y": None})
    rows += make.pair_rows(cells[2], JD, {"x": 0.3, "y": 0.6})
    summary = summarise([make.run(cells, rows)])
    (table,) = summary.headline
    assert [[line.system.label for line in b.lines] for b in table.blocks] == [
        ["palette", "copy"],
        ["ldm"],
    ]
    assert "without y" in table.blocks[1].note
    assert not summary.warnings  # copy's 0.45 beats ldm's 0.5 only on other items
    assert not any(e.best for line in table.lines for e in line.entries.values())
    assert any("other test items" in note for note in summary.notes)


def test_distances_to_other_references_stand_apart(make):
    cells = [make.cell("palette"), make.cell("copy")]
    rows = [
        make.row(of, "fad_logmel", 1.0, n=900, reference=reference)
        for of, reference in zip(cells, ("train", "all"), strict=True)
    ]
    assert len(summarise([make.run(cells, rows)]).headline[0].blocks) == 2


def test_one_dataset_name_with_two_contents_stands_apart(make):
    first, second = make.cell("palette"), make.cell("palette", key="other", options={"w": 2})
    runs = [
        make.run([of], make.pair_rows(of, JD, {"x": 0.1}), Path(name), corpus={"fingerprint": name})
        for of, name in ((first, "r1"), (second, "r2"))
    ]
    assert len(summarise(runs).headline[0].blocks) == 2


def test_the_best_and_what_cannot_be_told_from_it(make):
    values = {"palette": (0.1, 0.2, 0.3), "ldm": (0.2, 0.1, 0.33), "cross": (0.8, 0.9, 1.0)}
    cells = [make.cell(label) for label in values]
    rows = []
    for of, own in zip(cells, values.values(), strict=True):
        rows += make.pair_rows(of, JD, dict(zip("xyz", own, strict=True)))
    (table,) = summarise([make.run(cells, rows)]).headline
    best = {line.system.label: line.entries[JD].best for line in table.lines}
    assert best == {"palette": True, "ldm": True, "cross": False}
    tiers = {line.system.label: line.entries[JD].tier for line in table.lines}
    assert tiers == {"palette": 1, "ldm": 1, "cross": 2}
    assert f"Tiers in {JD}: 1. palette, ldm; 2. cross." in table.notes


def test_a_set_distance_over_few_vectors_is_grey_and_never_best(make):
    cells = [make.cell("palette"), make.cell("ldm")]
    rows = [make.row(of, "fad_logmel", v, n=100) for of, v in zip(cells, (1, 2), strict=True)]
    (table,) = summarise([make.run(cells, rows)]).headline
    entry = line_of(table, "palette").entries["fad_logmel"]
    assert entry.grey and not entry.best
    rows = [{**row, "n": 100, "details": {"grey": False}} for row in rows]
    (table,) = summarise([make.run(cells, rows)]).headline
    assert line_of(table, "palette").entries["fad_logmel"].best


def test_the_interval_of_a_set_distance_is_the_metric_s_own(make):
    of = make.cell("palette")
    rows = [make.row(of, "fad_logmel", 1.0, n=900, details={"interval": [0.5, 2.0]})]
    entry = line_of(summarise([make.run([of], rows)]).headline[0], "palette").entries["fad_logmel"]
    assert (entry.low, entry.high) == (0.5, 2.0)


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_a_failure_is_a_status_and_never_a_number(make, value):
    good, bad = make.cell("ldm"), make.cell("palette")
    status = "failed" if value is None else "ok"
    rows = [make.row(good, JD, 0.3), make.row(bad, JD, value, status=status, reason="too short")]
    entry = line_of(summarise([make.run([good, bad], rows)]).headline[0], "palette").entries[JD]
    assert (entry.value, entry.status) == (None, "failed")


def test_a_failed_cell_shows_its_status_in_every_column(make):
    good = make.cell("ldm")
    bad = make.cell("palette", status="oom", phase="training", reason="9 GiB", log_tail="tail")
    summary = summarise([make.run([good, bad], [make.row(good, JD, 0.3)])])
    entry = line_of(summary.headline[0], "palette").entries[JD]
    assert (entry.value, entry.status) == (None, "oom")
    (problem,) = summary.failures
    assert (problem.labels, problem.phase, problem.log_tail) == (("palette",), "training", "tail")


def test_problems_with_one_reason_are_one_and_skipped_ones_are_no_failures(make):
    cells = [make.cell("palette"), make.cell("ldm")]
    rows = [make.row(of, "fad_vggish", None, status="missing", reason="get X") for of in cells]
    rows.append(make.row(cells[0], "note_f1", None, status="not_applicable", reason="no score"))
    summary = summarise([make.run(cells, rows)])
    assert [(p.labels, p.reason) for p in summary.failures] == [(("palette", "ldm"), "get X")]
    assert [p.metrics for p in summary.skipped] == [("note_f1",)]
    assert any("fad_vggish" in note for note in summary.headline[0].notes)


def test_several_runs_combine_and_a_shared_cell_counts_once(make):
    of = make.cell("palette")
    first = make.run([of], make.pair_rows(of, JD, {"x": 0.1}), Path("r1"))
    more = [*make.pair_rows(of, JD, {"x": 0.1}), make.row(of, "fad_logmel", 2.0, n=900)]
    other = make.cell("copy")
    second = make.run([of, other], [*more, *make.pair_rows(other, JD, {"x": 0.2})], Path("r2"))
    summary = summarise([first, second])
    assert summary.runs == ("r1", "r2")
    assert [s.label for s in summary.systems] == ["palette", "copy"]
    line = line_of(summary.headline[0], "palette")
    assert line.system.seeds == (0,)
    assert set(line.entries) == {JD, "fad_logmel"}


def test_two_budgets_of_one_method_are_two_systems(make):
    small, large = (
        make.cell("palette", key=str(n), budget={"kind": "steps", "amount": n}) for n in (100, 400)
    )
    rows = [make.row(small, JD, 0.4), make.row(large, JD, 0.2)]
    labels = {s.label for s in summarise([make.run([small, large], rows)]).systems}
    assert labels == {"palette (100 steps)", "palette (400 steps)"}


def test_the_same_seed_from_other_code_is_another_system(make):
    one, two = make.cell("palette", key="k1"), make.cell("palette", key="k2")
    runs = [make.run([one], [make.row(one, JD, 0.4)], Path("r1"))]
    runs.append(make.run([two], [make.row(two, JD, 0.2)], Path("r2")))
    assert {s.label for s in summarise(runs).systems} == {"palette (r1)", "palette (r2)"}


def test_a_stranger_s_metric_has_its_column(make):
    of = make.cell("palette")
    rows = [make.row(of, "sparkle", 7.0, unit="st", higher_is_better=True)]
    (column,) = summarise([make.run([of], rows)]).headline[0].columns
    assert (column.metric, column.unit, column.higher_is_better) == ("sparkle", "st", True)


def test_json_is_json_and_nothing_scored_is_no_error(make):
    of = make.cell("palette")
    summary = summarise([make.run([of], make.pair_rows(of, JD, {"x": 0.1}))])
    assert json.loads(json.dumps(to_json(summary), allow_nan=False))["runs"] == ["run"]
    assert summarise([make.run([], [])]).headline == ()
    pending = replace(of, status="pending")
    assert summarise([make.run([pending], [])]).failures[0].status == "pending"


def test_set_distances_are_compared_track_by_track(make):
    """A mean over four tracks as a set distance: its shares are the tracks' own values, so that
    two systems are separable exactly where their means over tracks are."""

    def line(label, values):
        of = make.cell(label)
        without = {
            f"t{i}": sum(values[:i] + values[i + 1 :]) / (len(values) - 1)
            for i in range(len(values))
        }
        details = {"without": without, "items": [f"t{i}" for i in range(len(values))]}
        value = sum(values) / len(values)
        fields = {"n": 900, "details": details, "higher_is_better": False}
        return of, make.row(of, "kad_logmel", value, **fields)

    cells, rows = zip(
        line("near", [1.0, 2.0, 3.0, 4.0]),
        line("as near", [1.2, 1.9, 3.1, 4.0]),
        line("far", [3.0, 4.1, 5.0, 6.1]),
        strict=True,
    )
    (table,) = summarise([make.run(cells, rows)]).headline
    found = {entry.system.label: entry.entries["kad_logmel"] for entry in table.lines}
    assert found["far"].by_share == pytest.approx({"t0": 3, "t1": 4.1, "t2": 5, "t3": 6.1})
    assert {label: e.best for label, e in found.items()} == {
        "near": True, "as near": True, "far": False,
    }  # fmt: skip


def cells_of_budgets(make, values):
    """{(label, steps; None: trains nothing): values by track} → a run of it."""
    cells, rows = [], []
    for (label, steps), own in values.items():
        budget = {"kind": "steps", "amount": steps or 40}
        stages = (f"stage of {label} {steps}",) if steps else ()
        key = f"{label}-{steps}"
        cells.append(make.cell(label, key=key, budget=budget, stages=stages))
        rows += make.pair_rows(cells[-1], JD, dict(zip("xyz", own, strict=True)))
    return make.run(cells, rows)


def test_controls_of_a_larger_budget_are_no_rivals(make):
    run = cells_of_budgets(
        make,
        {
            ("palette", 10): (0.50, 0.51, 0.52),
            ("palette", 40): (0.30, 0.31, 0.32),
            ("regress", 10): (0.60, 0.61, 0.62),
            ("regress", 40): (0.20, 0.21, 0.22),
            ("copy", None): (0.40, 0.41, 0.42),
        },
    )
    found = {w.label: [r.label for r in w.rivals] for w in summarise([run]).warnings}
    assert found == {
        "palette (10 steps)": ["copy"],
        "palette (40 steps)": ["regress (40 steps)"],
    }


def test_the_best_and_the_tiers_are_those_of_one_budget(make):
    """Files of a system that was trained elsewhere stand beside every budget."""
    run = cells_of_budgets(
        make,
        {
            ("palette", 10): (0.50, 0.51, 0.52),
            ("ldm", 10): (0.60, 0.61, 0.62),
            ("palette", 40): (0.30, 0.31, 0.32),
            ("ldm", 40): (0.20, 0.21, 0.22),
            ("files", None): (0.25, 0.26, 0.27),
        },
    )
    summary = summarise([run])
    found = {
        line.system.label: (line.entries[JD].best, line.entries[JD].tier)
        for line in summary.headline[0].lines
    }
    assert found == {
        "palette (10 steps)": (False, 2),
        "ldm (10 steps)": (False, 3),
        "palette (40 steps)": (False, 3),
        "ldm (40 steps)": (True, 1),
        "files": (False, 2),
    }
    assert any("those of one budget" in note for note in summary.notes)
