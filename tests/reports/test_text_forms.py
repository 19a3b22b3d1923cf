"""Terminal, Markdown, LaTeX and CSV: values as chosen, foreign names harmless."""

import csv
import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from timbrebench.core.results import ROW_FIELDS
from timbrebench.reports.latex import to_latex
from timbrebench.reports.markdown import to_markdown
from timbrebench.reports.publish import write_all
from timbrebench.reports.records import Entry
from timbrebench.reports.rows import to_csv
from timbrebench.reports.summary import summarise
from timbrebench.reports.terminal import terminal_table
from timbrebench.reports.wording import entry_text, interval_text, number

JD = "jaccard_melodia16k"
HOSTILE = r"<script>|50%_of&$5#{x}~^\end{table}[red]`*"


@pytest.fixture
def hostile(make):
    of = make.cell(HOSTILE, tasks=("a_b:c%d",), method="mine")
    bad = make.cell("other", tasks=("a_b:c%d",), status="failed", reason=HOSTILE)
    copy = make.cell("copy", tasks=("a_b:c%d",))
    rows = make.pair_rows(of, JD, {"x": 0.125, HOSTILE: None}, task="a_b:c%d")
    rows += make.pair_rows(copy, JD, {"x": 0.0625}, task="a_b:c%d")
    rows.append(make.row(of, "we|ird_metric", -1.5, task="a_b:c%d", unit="%"))
    return make.run([of, bad, copy], rows)


def shown(summary, width=160):
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(terminal_table(summary))
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.2484, "", "0.248"),
        (4.937, "", "4.94"),
        (24.04, "", "24.0"),
        (165.2, "", "165"),
        (-0.5, "dB", "−0.500"),
        (0.0, "", "0"),
        (3e-5, "", "3.0e−05"),
        (910_000, "", "910 k"),
        (2e13, "FLOP", "20 T"),
        (3 * 2**29, "B", "1.5 GiB"),
        (12, "bytes", "12 B"),
    ],
)
def test_numbers_have_about_three_figures(value, unit, text):
    assert number(value, unit) == text


def test_an_entry_without_value_shows_its_status():
    assert entry_text(Entry(status="oom")) == "oom"
    assert entry_text(Entry(status="not_applicable")) == "n/a"
    assert interval_text(Entry(value=1.0)) == ""
    assert interval_text(Entry(value=0.0, low=-1.0, high=1.0)) == "−1.00 to 1.00"


def test_terminal_names_controls_apart_and_failures_with_reasons(make):
    good, copy = make.cell("palette"), make.cell("copy")
    bad = make.cell("ldm", status="oom", phase="training", reason="9 GiB wanted")
    rows = make.pair_rows(good, JD, {"x": 0.5}) + make.pair_rows(copy, JD, {"x": 0.25})
    text = shown(summarise([make.run([good, copy, bad], rows)]))
    assert text.index("Methods") < text.index("palette") < text.index("Controls")
    assert re.search(r"ldm \[oom\].*oom", text)
    assert "ldm: oom in training: 9 GiB wanted" in text
    assert "palette 0.500; copy 0.250" in text
    assert "1 test track" in text


def test_terminal_takes_markup_in_names_literally(hostile):
    text = shown(summarise([hostile]), width=400)
    assert "[red]" in text and "0.125" in text


def test_markdown_tables_are_rectangular_and_escaped(hostile):
    text = to_markdown(summarise([hostile]))
    assert "<script>" not in text
    for table in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1
    assert "0.125" in text and "we\\|ird\\_metric" in text


def test_the_precision_of_training_is_told_in_every_form(make, tmp_path):
    """Not of runs that train nothing; with the run's name where they differ."""
    runs = []
    for name, precision, stages in (("a", "fp32", ("s",)), ("b", "bf16", ("t",)), ("c", "x", ())):
        of = make.cell(f"palette[steps={name}]", key=name, stages=stages)
        config = {"precision": precision}
        runs.append(make.run([of], [make.row(of, "mel_l1", 0.5)], Path(name), config=config))
    for some, told in ((runs[:1], "Trained in fp32."), (runs, "Trained in fp32 (a), bf16 (b).")):
        summary = summarise(some)
        assert told in shown(summary)
        assert told in to_markdown(summary).replace("\\", "")
        assert told in to_latex(summary)
        assert told in write_all(some, summary, tmp_path).read_text()
    assert "Trained in" not in to_markdown(summarise(runs[2:]))


def test_latex_is_well_formed_whatever_the_names(hostile):
    text = to_latex(summarise([hostile]))
    body = re.sub(r"^%.*$", "", text, flags=re.MULTILINE)
    bare = re.sub(r"\\[{}%&$#_]", "", body)  # without escaped characters
    assert bare.count("{") == bare.count("}")
    assert not set("%#_~^<>|") & set(bare)
    assert set(re.findall(r"\$[^$]*\$", bare)) <= {r"$\downarrow$", r"$\uparrow$", "$-$", r"$\pm$"}
    assert (
        body.count(r"\begin{table}")
        == body.replace(r"textbackslash{}end", "").count(r"\end{table}")
        == 1
    )
    (columns,) = re.findall(r"\\begin\{tabular\}\{(l+r+)\}", body)
    for line in bare.splitlines():
        if line.endswith(r"\\") and r"\multicolumn" not in line:
            assert line.count("&") == len(columns) - 1
    assert r"\toprule" in body and r"\bottomrule" in body and "0.125" in body


def test_csv_holds_every_row_of_every_run_exactly(hostile):
    read = list(csv.DictReader(io.StringIO(to_csv([hostile, hostile]))))
    assert len(read) == 2 * len(hostile.rows)
    assert tuple(read[0]) == ROW_FIELDS
    assert (read[0]["value"], read[0]["method"]) == ("0.125", HOSTILE)
    failed = next(line for line in read if line["status"] == "failed")
    assert (failed["value"], failed["reason"]) == ("", "too short")
    assert json.loads(read[0]["details"]) == {}


def test_every_form_is_written_and_names_its_page(hostile, tmp_path):
    page = write_all([hostile], summarise([hostile]), tmp_path / "out")
    assert page == tmp_path / "out" / "report.html"
    names = {path.name for path in page.parent.iterdir()}
    assert names == {"report.html", "report.md", "report.tex", "scores.csv"}


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_terminal_table_fits_and_keeps_whole_labels(make, width):
    of = make.cell("oracle[soundstream]")
    rows = [make.row(of, f"fad_number_{i}", float(i), n=900) for i in range(12)]
    text = shown(summarise([make.run([of], rows)]), width)
    assert max(map(len, text.splitlines())) <= width
    assert "oracle[soundstream]" in text and "more measures" in text
