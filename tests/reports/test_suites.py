"""Published figures beside measured ones, and heat maps, from runs made by hand."""

import dataclasses
import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from timbrebench.benchmarks.suites import SUITES, Asked
from timbrebench.core.layouts import (
    Measured,
    SuiteColumn,
    SuiteGrid,
    SuiteLayout,
    SuiteRecord,
    SuiteRow,
    SuiteTable,
    layout_from_json,
)
from timbrebench.core.results import ItemRecord, StageRecord
from timbrebench.reports import summarise, to_json, to_latex, to_markdown, write_html
from timbrebench.reports.heatmap_plot import heat_map
from timbrebench.reports.heatmaps import sheet_of_map
from timbrebench.reports.terminal import terminal_table

JD, FAD = "jaccard_melodia16k", "fad_logmel"
HOSTILE = "<script>alert('x')</script> 50%_of&$|*"
TASK = "a:b"


def record(layout, cells, name="suite", part="main"):
    return SuiteRecord(name, "quick", layout, {part: [cell.key for cell in cells]})


def table_of(*rows, columns=2, **fields):
    names = [SuiteColumn("FAD", published=True), *(SuiteColumn(f"m{i}") for i in range(columns))]
    return SuiteLayout("Title", tables=(SuiteTable("Table", tuple(names), rows, **fields),))


def texts(sheet):
    return [[cell.text for cell in row.cells] for row in sheet.rows]


def measured(method, quantity, *tasks, scale=1.0):
    return Measured("main", method, quantity, tasks, scale)


# ---------------------------------------------------------------------------- tables


def test_published_and_measured_stand_side_by_side(make):
    of = make.cell("palette", tasks=("a:b", "b:a"))
    rows = make.pair_rows(of, JD, {"x": 0.25}) + make.pair_rows(of, JD, {"x": 0.75}, task="b:a")
    rows.append(make.row(of, "train_seconds", 7200.0, task="", unit="s"))
    layout = table_of(
        SuiteRow(
            "DiffTransfer",
            (10.47, measured("palette", JD, "a:b", "b:a"),
             measured("palette", "train_seconds", scale=1 / 3600)),
            source="a paper",
        ),
        SuiteRow("Music-STAR", (12_609_985.0, None, "word")),
    )  # fmt: skip
    (report,) = summarise([make.run([of], rows, suite=record(layout, [of]))]).suites
    (sheet,) = report.sheets
    assert texts(sheet) == [["10.47", "0.500", "2.00"], ["12,609,985", "–", "word"]]
    assert sheet.published == 1
    assert "a paper" in sheet.notes[0]


def test_a_figure_that_is_not_there_says_why_and_an_empty_column_is_left_out(make):
    good = make.cell("good")
    bad = make.cell("bad", status="oom", reason="9 GiB wanted")
    rows = make.pair_rows(good, JD, {"x": 0.25})
    layout = table_of(
        SuiteRow("row", (None, measured("good", JD, TASK), measured("good", "fad_vggish", TASK))),
        SuiteRow("row", (None, measured("bad", JD, TASK), measured("bad", "fad_vggish", TASK))),
        SuiteRow("row", (None, measured("else", JD, TASK), None)),
    )
    suite = record(layout, [good, bad])
    (sheet,) = summarise([make.run([good, bad], rows, suite=suite)]).suites[0].sheets
    assert texts(sheet) == [["–", "0.250"], ["–", "oom"], ["–", "–"]]
    assert "9 GiB wanted" in sheet.rows[1].cells[1].explanation
    assert any("m1" in note for note in sheet.notes)


def test_parameters_and_losses_of_the_weights_that_were_kept(make):
    curve = [
        {"step": 1, "loss": 9.0, "mse": 8.0},
        {"step": 1, "valid_loss": 5.0, "valid_mse": 4.0},
        {"step": 2, "loss": 3.0, "mse": 2.0},
        {"step": 2, "valid_loss": 6.0, "valid_mse": 1.0},
    ]
    stage = StageRecord("s", "autoencoder", "ok", 2, 1.0, 1.0, {}, curve)
    of = make.cell("ldm", stages=("s",),
                   outcome={"parameters": {"autoencoder.encoder": 111_840, "unet": 2}})  # fmt: skip
    layout = table_of(
        SuiteRow("parts", (None, measured("ldm", "parameters:autoencoder.encoder"),
                           measured("ldm", "parameters:all"))),
        SuiteRow("losses", (None, measured("ldm", "curve:autoencoder/valid_mse"),
                            measured("ldm", "curve:autoencoder/mse"))),
    )  # fmt: skip
    run = make.run([of], [], suite=record(layout, [of]), stages={"s": stage})
    (sheet,) = summarise([run]).suites[0].sheets
    assert texts(sheet) == [["–", "111,840", "111,842"], ["–", "4.00", "2.00"]]


def test_parts_that_differ_in_budget_alone_are_told_apart(make):
    cells = [
        make.cell("ddim", key=f"ddim-{amount}", budget={"kind": "flops", "amount": amount})
        for amount in (1e12, 2e12)
    ]
    rows = [make.row(of, FAD, value, n=900) for of, value in zip(cells, (3.0, 2.0), strict=True)]
    layout = table_of(
        *(SuiteRow(p, (None, Measured(p, "ddim", FAD, (TASK,)))) for p in ("half", "whole")),
        columns=1,
    )
    parts = {"half": [cells[0].key], "whole": [cells[1].key]}
    run = make.run(cells, rows, suite=SuiteRecord("s", "quick", layout, parts))
    assert texts(summarise([run]).suites[0].sheets[0]) == [["–", "3.00"], ["–", "2.00"]]


# ---------------------------------------------------------------------------- grids

KS, SS = (0, 250, 500), (0, 25)


def grid_run(make, lost=True, **fields):
    """A grid in which more noise halves the FAD and, if ``lost``, doubles the JD."""
    places = {f"cross[k={k}; s={s}]": (float(k), float(s)) for k in KS for s in SS}
    matched = ("cross[k=250; s=25]", "cross[k=500; s=0]")
    grid = SuiteGrid("Grid", "main", *("k", "s"), places, matched, (TASK,), (FAD,), (JD,))
    known = {"copy": (8.0, 0.2), "cross": (3.0, 0.4)}
    known |= {label: (4 - k / 250, 0.3 + lost * k / 1000) for label, (k, _) in places.items()}
    cells = [make.cell(label, **fields) for label in known]
    rows = []
    for of, (fad, jaccard) in zip(cells, known.values(), strict=True):
        rows.append(make.row(of, FAD, fad, n=900))
        rows += make.pair_rows(of, JD, {"x": jaccard})
    layout = SuiteLayout("Grid of cells", grids=(grid,))
    return make.run(cells, rows, suite=record(layout, cells))


def test_a_grid_is_a_heat_map_and_does_not_drown_the_table(make):
    summary = summarise([grid_run(make)])
    labels = [line.system.label for line in summary.headline[0].lines]
    assert labels == ["cross", "copy"]
    assert [s.label for s in summary.systems] == ["copy", "cross"]
    fad, jaccard = summary.suites[0].grids[0].maps
    assert (fad.column.metric, jaccard.column.metric) == (FAD, JD)
    assert fad.entry(250.0, 25.0).value == pytest.approx(3.0)
    sheet = sheet_of_map(fad)
    assert [row.label for row in sheet.rows] == ["s = 25", "s = 0"]
    assert texts(sheet)[1] == ["4.00", "3.00", "2.00"]
    assert [[c.marked for c in row.cells] for row in sheet.rows] == [
        [False, True, False],
        [False, False, True],
    ]


def test_the_trade_off_is_told_from_the_figures(make):
    (text,) = summarise([grid_run(make)]).suites[0].grids[0].sentences
    assert f"copy has {FAD} 8.00 and {JD} 0.200" in text
    assert f"at k = 250, 500, {FAD} is 0.375, 0.250 of copy's, {JD} is 0.550, 0.800." in text
    assert "brings the timbre nearer and takes content away" in text
    assert f"The least {FAD} of all cells is 2.00, at k = 500, s = 25, with {JD} 0.800" in text
    (kept,) = summarise([grid_run(make, lost=False)]).suites[0].grids[0].sentences
    assert "content is not lost" in kept


def test_a_cell_without_value_is_a_hole_with_its_status(make):
    run = grid_run(make)
    bad = "cross[k=0; s=0]"
    cells = [
        dataclasses.replace(c, status="timeout", reason="stuck") if c.label == bad else c
        for c in run.cells
    ]
    rows = [row for row in run.rows if row["method"] != bad]
    run = dataclasses.replace(run, cells=cells, rows=rows)
    summary = summarise([run])
    (fad, _) = summary.suites[0].grids[0].maps
    assert texts(sheet_of_map(fad))[1][0] == "timeout"
    assert any(bad in problem.labels for problem in summary.failures)
    svg = heat_map(fad)
    assert svg is not None and b"timeout" in svg and b"3.00" in svg


def test_a_heat_map_is_the_same_for_the_same_figures_and_none_without_any(make):
    (fad, _) = summarise([grid_run(make)]).suites[0].grids[0].maps
    svg = heat_map(fad)
    assert svg == heat_map(fad)
    for text in (b"k", b"500", b"25", b"lower is better"):
        assert text in svg
    empty = tuple(
        tuple(dataclasses.replace(e, value=None, status="oom") for e in row) for row in fad.entries
    )
    assert heat_map(dataclasses.replace(fad, entries=empty)) is None


def test_matched_cells_are_played_and_the_others_are_not(make, tmp_path):
    clip = make.tone(tmp_path / "clip.flac", 440.0, 0.3)
    run = grid_run(make, items=[make.item(TASK, "x", clip)])
    write_html([run], summarise([run]), tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert text.count("<audio") == 1 + 2 + 2  # the source, copy and cross, two matched cells
    assert text.count('<section id="suite1">') == 1
    assert text.count("data:image/svg") >= 2


# ---------------------------------------------------------------------------- every form


def hostile_run(make):
    of = make.cell("m")
    rows = make.pair_rows(of, JD, {"x": 0.5})
    row = SuiteRow(HOSTILE, (HOSTILE, measured("m", JD, TASK)), HOSTILE, HOSTILE)
    table = SuiteTable(
        HOSTILE, (SuiteColumn(HOSTILE, True), SuiteColumn(HOSTILE)), (row,), (HOSTILE,)
    )
    layout = SuiteLayout(HOSTILE, (HOSTILE,), (table,))
    return make.run([of], rows, suite=record(layout, [of]))


def test_published_rows_are_escaped_in_every_form(make, tmp_path):
    run = hostile_run(make)
    summary = summarise([run])
    write_html([run], summary, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "<script>alert" not in page and "&lt;script&gt;" in page
    markdown = to_markdown(summary)
    assert "<script>" not in markdown
    for table in re.findall(r"(?:^\|.*\n)+", markdown, flags=re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1
    latex = to_latex(summary)
    bare = re.sub(r"\\[{}%&$#_]", "", re.sub(r"^%.*$", "", latex, flags=re.MULTILINE))
    assert not set("%#_~^<>|") & set(bare)
    console = Console(width=200, file=io.StringIO(), color_system=None)
    console.print(terminal_table(summary))
    assert HOSTILE in console.file.getvalue()


def test_grids_are_in_every_form_and_in_the_json(make):
    summary = summarise([grid_run(make)])
    for text in (to_markdown(summary), to_latex(summary)):
        assert "k = 250" in text and "s = 25" in text
    assert "**2.00**" in to_markdown(summary)
    data = json.loads(json.dumps(to_json(summary), allow_nan=False))
    assert data["suites"][0]["grids"][0]["maps"][0]["entries"][0][1]["value"] == 3.0


PUBLISHED = {  # some of the published figures, as their tables have them
    "quickstart": (),
    "difftransfer-table-1": ("7.09", "10.47", "8.93", "0.38", "3.78", "2.58"),
    "cross-diffusion-grid": ("0.000 to 0.017",),
    "ddim-table": ("6.129", "7.875", "2.992", "7.342", "10.24"),
    "ldm-tables": ("111,840", "12,609,985", "8,155,296", "0.005", "0.82"),
}


@pytest.mark.parametrize("name", SUITES)
@pytest.mark.parametrize("scale", ["quick", "paper"])
def test_every_suite_of_ours_has_a_report(name, scale, make):
    """Its layout goes through JSON and is shown, whatever the run has of it."""
    suite = SUITES[name].build(Asked(scale))
    layout = layout_from_json(json.loads(json.dumps(dataclasses.asdict(suite.layout))))
    assert layout == suite.layout
    cells, rows, parts = [], [], {}
    for part, config in suite.parts.items():
        own = [make.cell(label, key=f"{part}-{label}", dataset=config.dataset,
                         tasks=config.tasks) for label in (*config.methods, "copy")]  # fmt: skip
        rows += [make.row(of, FAD, 2.0, n=900, task=t) for of in own for t in config.tasks]
        cells += own
        parts[part] = [of.key for of in own]
    run = make.run(cells, rows, suite=SuiteRecord(name, scale, layout, parts))
    text = to_markdown(summarise([run]))
    assert layout.title.split(":")[0] in text
    for figure in PUBLISHED[name]:
        assert f" {figure} " in text


def test_a_suite_that_another_version_wrote_is_none():
    with pytest.raises((KeyError, TypeError)):
        layout_from_json({"title": "x"})


# ---------------------------------------------------------------------------- other kinds of tasks


def test_halves_of_a_pair_play_beside_each_other(make, tmp_path):
    task = "pair:violin/piano"
    halves = [make.tone(tmp_path / f"{n}.flac", 300.0 + 90 * n, 0.3) for n in range(2)]
    item = ItemRecord(task, "x", halves[0], None, None, other=halves[1])
    of = make.cell("double", tasks=(task,), items=[item])
    rows = [make.row(of, f"{FAD}{half}", 1.0, task=task, n=900)
            for half in ("", "[piano]", "[violin]")]  # fmt: skip
    rows += make.pair_rows(of, JD, {"x": 0.5}, task=task, reference="the other half")
    run = make.run([of], rows)
    summary = summarise([run])
    names = [c.metric for c in summary.headline[0].columns]
    assert names == [FAD, f"{FAD}[piano]", f"{FAD}[violin]", JD]
    write_html([run], summary, tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert text.count("<audio") == 2 and "<h4>source" not in text
    assert "<h4>double, violin" in text and "<h4>double, piano" in text
    assert "the other half" in text


def test_the_mean_over_pairs_leaves_out_what_is_of_one_instrument(make):
    tasks = ("pair:a/b", "pair:a/c")
    of = make.cell("double", tasks=tasks)
    rows = [make.row(of, FAD, 1.0, task=t, n=900) for t in tasks]
    rows += [make.row(of, f"{FAD}[{t[-1]}]", 1.0, task=t, n=900) for t in tasks]
    summary = summarise([make.run([of], rows)])
    assert [c.metric for c in summary.headline[0].columns] == [FAD]
    assert not any("incomplete" in note for note in summary.headline[0].notes)
    assert [len(t.columns) for t in summary.tables] == [2, 2]


def test_generated_clips_play_without_source_or_reference(make, tmp_path):
    clip = make.tone(tmp_path / "clip.flac", 440.0, 0.3)
    item = ItemRecord("generate:piano", "x", clip, None, None)
    of = make.cell("ddim", tasks=("generate:piano",), items=[item])
    run = make.run([of], [make.row(of, FAD, 1.0, task="generate:piano", n=900)])
    write_html([run], summarise([run]), tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text().count("<audio") == 1


def test_options_chosen_on_validation_tracks_are_told(make, tmp_path):
    chosen = {
        TASK: {
            "values": {"k": 300},
            "rule": "least error",
            "tried": [{"k": k, FAD: 1.0, JD: 0.5, "sum": 0.6} for k in (100, 300)],
            "tracks": ["v1", "v2"],
        }
    }
    of = make.cell("cross", outcome={"chosen": chosen})
    run = make.run([of], make.pair_rows(of, JD, {"x": 0.5}))
    summary = summarise([run])
    (choice,) = summary.choices
    assert (choice.task, choice.values, choice.tracks) == (TASK, "k = 300", ("v1", "v2"))
    assert choice.curves == (((1.0, 0.5), (1.0, 0.5)),)
    assert choice.tried[0] == f"k = 100: {FAD} 1.00, {JD} 0.500, sum 0.600"
    assert "k = 300 on 2 validation tracks (least error; tried k = 100" in to_markdown(summary)
    write_html([run], summary, tmp_path / "page.html")
    assert "Options chosen on validation tracks" in (tmp_path / "page.html").read_text()


def test_a_run_over_several_corpora_shows_each_of_their_cards(make, tmp_path):
    corpora = {f"starlet[pieces={n}]": {"name": "starlet", "fingerprint": str(n)} for n in (1, 2)}
    cells = [make.cell("ddim", dataset=name, key=name) for name in corpora]
    rows = [make.row(of, FAD, 1.0, n=900) for of in cells]
    run = make.run(cells, rows, path=Path("run"), corpus=corpora)
    summary = summarise([run])
    assert [t.dataset for t in summary.headline] == list(corpora)
    write_html([run], summary, tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert all(f"Data of run, {name}" in text for name in corpora)
