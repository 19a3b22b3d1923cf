"""Declared comparisons in a report."""

from timbrebench.reports import summarise, to_markdown
from timbrebench.reports.html import write_html

FAD, TASK = "fad_logmel", "a:b"
ROW = {
    "dataset": "starlet",
    "method": "palette",
    "rival": "copy",
    "task": TASK,
    "metric": FAD,
    "value": -9.5,
    "low": -12.0,
    "high": -7.0,
    "p": 0.002,
    "p_holm": 0.016,
    "n": 10,
}


def run_with(make, *rows):
    cells = [make.cell("palette", tasks=(TASK,)), make.cell("copy", tasks=(TASK,), control=True)]
    found = [make.row(of, FAD, 1.0, task=TASK, n=900) for of in cells]
    return make.run(cells, found, comparisons=rows)


def test_a_difference_counts_where_p_is_small_and_the_interval_agrees(make):
    rows = [ROW, ROW | {"p_holm": 0.06}, ROW | {"value": 3.0}, ROW | {"low": None, "high": None}]
    rows.append(ROW | {"high": 0.5})
    summary = summarise([run_with(make, *rows)])
    assert [c.verdict for c in summary.comparisons] == [
        "better", "not separable", "worse", "better", "not separable",
    ]  # fmt: skip


def test_they_are_told_in_markdown_and_on_the_page(make, tmp_path):
    run = run_with(make, ROW)
    summary = summarise([run])
    text = to_markdown(summary)
    assert "### Declared comparisons" in text and "−9.50 (−12.0 to −7.00)" in text
    assert "| better |" in text and "Holm" in text
    write_html([run], summary, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "Declared comparisons" in page and "−9.50 (−12.0 to −7.00)" in page


def test_budgets_are_told_where_there_are_several(make):
    steps = [{"kind": "steps", "amount": n} for n in (10.0, 40.0)]
    rows = [ROW | {"budget": of, "rival": "regress", "rival_budget": of} for of in steps]
    rows.append(ROW | {"budget": steps[0], "rival_budget": {}})
    found = summarise([run_with(make, *rows)]).comparisons
    assert [(c.label, c.rival) for c in found] == [
        ("palette (10 steps)", "regress (10 steps)"),
        ("palette (40 steps)", "regress (40 steps)"),
        ("palette (10 steps)", "copy"),
    ]
    (one,) = summarise([run_with(make, rows[0])]).comparisons
    assert (one.label, one.rival) == ("palette", "regress")


def test_without_any_nothing_is_told(make, tmp_path):
    run = run_with(make)
    assert "Declared" not in to_markdown(summarise([run]))
    write_html([run], summarise([run]), tmp_path / "page.html")
    assert "Declared" not in (tmp_path / "page.html").read_text()
