"""The page: whole, harmless, the same for the same runs, and it loads nothing from anywhere."""

import base64
import hashlib
import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile as sf

from timbrebench.reports.data_card import card_notes, card_rows
from timbrebench.reports.drawing import colours
from timbrebench.reports.html import write_html
from timbrebench.reports.plots import timbre_content_map
from timbrebench.reports.spectrogram import BANDS, band_levels_db
from timbrebench.reports.summary import summarise

ATTRIBUTES = {  # all that our own templates use
    *("alt", "aria-label", "charset", "checked", "class", "colspan", "content", "controls"),
    *("data-sort", "data-type", "height", "href", "http-equiv", "id", "lang", "loading", "name"),
    *("open", "preload", "scope", "src", "title", "type", "width"),
}
FEW = ("palette", "ldm", "copy", "oracle[soundstream]")
VOID = {"meta", "img", "input", "wbr", "br", "link"}
HOSTILE = "<script>alert('x')</script>\"'&$\\frac{1}$ \u202e名前🎻 " + "long" * 60


class Page(HTMLParser):
    """Checks that tags nest, and keeps what the tests ask for."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags = [], []
        self.texts = {"style": "", "script": ""}
        self.feed(text)
        assert not self.open, f"left open: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in self.texts:
            self.texts[self.open[-1]] += data

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="module")
def rich(make, tmp_path_factory):
    """(run, the page's text, the page) of a run with everything in it."""
    root = tmp_path_factory.mktemp("rich")
    run = make.rich_run(root, tracks=("t001", "t002", "t003"), labels=FEW)
    write_html([run], summarise([run]), root / "report.html", max_items=1)
    text = (root / "report.html").read_text(encoding="utf-8")
    return run, text, Page(text)


def written(runs, path, **options):
    write_html(runs, summarise(runs), path, **options)
    text = path.read_text(encoding="utf-8")
    return text, Page(text)


def policy_of(page):
    (policy,) = (m["content"] for m in page.all("meta") if "http-equiv" in m)
    return dict(part.strip().split(" ", 1) for part in policy.split(";"))


def test_nothing_is_loaded_from_anywhere(rich):
    _, text, page = rich
    for _, attrs in page.tags:
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            assert attrs.get(name, "#").startswith(("#", "data:")), attrs
        assert not any(name.startswith("on") or name == "style" for name in attrs)
    assert not re.search(r"url\(|@import|fetch\(|XMLHttp|import\(", text)
    assert not page.all("link") and not page.all("iframe")


def test_the_policy_admits_this_style_and_script_and_nothing_else(rich):
    page = rich[2]
    policy = policy_of(page)
    assert policy["default-src"] == "'none'"
    for tag in ("style", "script"):
        digest = hashlib.sha256(page.texts[tag].encode()).digest()
        assert policy[f"{tag}-src"] == f"'sha256-{base64.b64encode(digest).decode()}'"
    assert policy["media-src"] == policy["img-src"] == "data:"


def test_the_same_runs_give_the_same_page(rich, tmp_path):
    run, text, _ = rich
    assert written([run], tmp_path / "report.html", max_items=1)[0] == text


def test_rows_can_be_sorted_and_groups_are_apart(rich):
    _, text, page = rich
    heads = [th for th in page.all("th") if "data-type" in th]
    assert {th["data-type"] for th in heads} == {"text", "number"}
    assert len(page.all("button")) == len(heads)
    for td in page.all("td"):
        if "data-sort" in td and "num" in td.get("class", "") and td["data-sort"]:
            float(td["data-sort"])
    first = text[text.index("<table>") : text.index("</table>")]
    assert first.count('<tbody class="methods">') == first.count('<tbody class="controls">') == 1
    assert "localeCompare" in page.texts["script"] and "tBodies" in page.texts["script"]


def test_a_failed_cell_has_a_status_a_reason_and_no_number(rich):
    text = rich[1]
    lines = re.findall(r'<tr>\n<th scope="row" data-sort="double">.*?</tr>', text, re.DOTALL)
    assert len(lines) == 2  # the scores and the costs
    for line in lines:
        values = re.findall(r'data-sort="([^"]*)"', line)
        assert values[:3] == ["double", "unpaired", "0"] and not any(values[3:])
    assert "9 GiB wanted" in text and "line 1\nline 2" in text
    assert "no weights: run X" in text


def test_what_an_expert_looks_for_is_there(rich):
    _, text, page = rich
    anchors = "summary map compute controls listen cost loss failures setup"
    for anchor in anchors.split():
        assert f'<section id="{anchor}">' in text
    assert "Quality over compute" in text and "910,000" in text
    assert "No control beats palette" in text
    assert "it is not VGGish" in text and "Never read a pitch distance" in text
    figures = [img for img in page.all("img") if img["src"].startswith("data:image/svg")]
    svg = base64.b64decode(figures[0]["src"].partition(",")[2]).decode()
    assert "palette" in svg and "oracle[soundstream]" in svg and "copy" in svg


def test_source_and_reference_play_once_beside_every_estimate(rich):
    run, _, page = rich
    clips = page.all("audio")
    systems = [cell for cell in run.cells if cell.items]
    assert len(clips) == 2 + len(systems)
    assert all(clip["preload"] == "none" and "controls" in clip for clip in clips)
    samples, rate = sf.read(io.BytesIO(base64.b64decode(clips[0]["src"].partition(",")[2])))
    source, _ = sf.read(run.cells[0].items[0].source)
    assert rate == 16000
    np.testing.assert_allclose(samples, source, atol=1e-4)


def test_clips_over_the_cap_go_beside_the_page(make, tmp_path):
    run = make.rich_run(tmp_path, tracks=("t001", "t002"), labels=FEW)
    _, page = written([run], tmp_path / "page.html", max_items=2, audio_cap_bytes=300_000)
    sources = [clip["src"] for clip in page.all("audio")]
    inside = [s.startswith("data:") for s in sources]
    assert True in inside and False in inside
    for source in sources:
        if not source.startswith("data:"):
            assert re.fullmatch(r"page_media/[0-9a-f]{24}\.flac", source)
            assert sf.info(tmp_path / source).samplerate == 16000
    assert policy_of(page)["media-src"] == "data: 'self' file:"


def test_a_clip_that_cannot_be_read_is_told_and_the_rest_plays(make, tmp_path):
    run = make.rich_run(tmp_path, tracks=("t001",), labels=FEW)
    run.cells[0].items[0].estimate.write_bytes(b"no audio")
    run.cells[1].items[0].estimate.unlink()
    text, page = written([run], tmp_path / "page.html")
    assert text.count("Cannot be played") == 2
    assert len(page.all("audio")) == 2 + len(FEW) - 2


def test_hostile_names_are_text(make, tmp_path):
    of = make.cell(HOSTILE, tasks=(HOSTILE,), method="m", options={HOSTILE: HOSTILE})
    other = make.cell("other", tasks=(HOSTILE,), status="failed", reason=HOSTILE, log_tail=HOSTILE)
    copy = make.cell("copy", tasks=(HOSTILE,))
    clip = make.tone(tmp_path / "clip.flac", 440.0, 0.5)
    of = replace(of, items=[make.item(HOSTILE, HOSTILE, clip)])
    rows = make.pair_rows(of, "jaccard_x", {HOSTILE: 0.5, "b": None}, task=HOSTILE, unit=HOSTILE)
    rows += make.pair_rows(copy, "jaccard_x", {HOSTILE: 0.2, "b": 0.2}, task=HOSTILE)
    rows += [make.row(c, "fad_x", 1.0, task=HOSTILE, reference=HOSTILE) for c in (of, copy)]
    run = make.run(
        [of, other, copy], rows, config={HOSTILE: [HOSTILE]}, environment={HOSTILE: HOSTILE}
    )
    text, page = written([run], tmp_path / "page.html")
    assert "<script>alert" not in text
    assert len(page.all("script")) == 1
    assert {name for _, attrs in page.tags for name in attrs} <= ATTRIBUTES


def test_a_run_with_nothing_in_it_still_has_a_page(make, tmp_path):
    text, page = written([make.run([], [])], tmp_path / "page.html")
    assert "Nothing was scored" in text and not page.all("audio")


def test_band_levels_show_a_tone_where_it_is():
    """A 1 kHz tone lies at 999.99 mel of 2840.02 (8 kHz): band 39 of 112."""
    tone = np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000)
    levels = band_levels_db(tone, 16000)
    assert levels.shape[0] == BANDS
    assert abs(int(levels.mean(axis=1).argmax()) - 39) <= 1
    assert np.isfinite(band_levels_db(np.zeros(100, np.float32), 16000)).all()


def test_a_distance_of_zero_has_a_place_on_the_map(make):
    cells = [make.cell("palette"), make.cell("copy")]
    rows = [make.row(of, "fad_x", v, n=900) for of, v in zip(cells, (0.0, 2.0), strict=True)]
    rows += [make.row(of, "jaccard_x", 0.5) for of in cells]
    summary = summarise([make.run(cells, rows)])
    svg = timbre_content_map(summary.headline[0], colours(summary.systems))
    assert svg is not None and b"palette" in svg and b"copy" in svg


def test_what_was_tried_is_a_curve_on_the_map_of_its_own_measures(make):
    """One curve for each value of the first option, along the second; none on other axes."""
    tried = [
        {"guidance": g, "start_noise": n, "fad_logmel": 10 * n * g, "jaccard_melodia16k": 1 - n}
        for g in (1.0, 3.0)
        for n in (0.25, 0.5, 0.75)
    ]
    chosen = {"t": {"values": {"guidance": 1.0, "start_noise": 0.5}, "tried": tried}}
    cells = [
        make.cell("ldm", tasks=("t",), outcome={"chosen": chosen}),
        make.cell("copy", tasks=("t",)),
    ]
    drawn = []
    for timbre, content in (("fad_logmel", "jaccard_melodia16k"), ("kad_logmel", "jaccard_x")):
        rows = [make.row(of, timbre, 5.0, task="t", n=900) for of in cells]
        rows += [make.row(of, content, 0.5, task="t") for of in cells]
        summary = summarise([make.run(cells, rows)])
        (choice,) = summary.choices
        assert [len(curve) for curve in choice.curves] == [3, 3]
        assert choice.curves[0][0] == (2.5, 0.75)
        table, shown = summary.headline[0], colours(summary.systems)
        plain = timbre_content_map(table, shown)
        drawn.append(timbre_content_map(table, shown, summary.choices) != plain)
    assert drawn == [True, False]


BUDGETS = (10, 20, 40)  # steps


def run_with_budgets(make, metric):
    """Palette and regress by three budgets, and copy; one metric and what training took."""
    cells, rows = [make.cell("copy")], []
    for steps in BUDGETS:
        budget = {"kind": "steps", "amount": steps}
        for label in ("palette", "regress"):
            key = f"{label}-{steps}"
            cells.append(make.cell(label, key=key, budget=budget, stages=(f"stage of {key}",)))
    for number, of in enumerate(cells):
        rows.append(make.row(of, metric, 2.0 - 0.2 * number, n=900, higher_is_better=False))
        spent = 1e9 * of.budget.get("amount", 0)
        rows.append(make.row(of, "train_flops", spent, task="", unit="FLOP"))
    return make.run(cells, rows)


@pytest.mark.parametrize("metric", ["fad_logmel", "mel_l1"])
def test_quality_over_compute_needs_no_measure_of_content(make, metric, tmp_path):
    """A line for each trained method through its three budgets, and a name for each."""
    text, _ = written([run_with_budgets(make, metric)], tmp_path / "report.html")
    assert '<section id="map">' not in text
    assert '<section id="compute">' in text and '<a href="#compute">' in text
    part = text.partition('<section id="compute">')[2].partition("</section>")[0]
    (picture,) = Page(part).all("img")
    svg = base64.b64decode(picture["src"].partition(",")[2]).decode()
    words = re.findall(r">([^<>]+)</text>", svg)
    assert words.count("palette") == words.count("regress") == 1
    assert "copy" not in words and any(metric in word for word in words)
    marked = [g for g in svg.split('<g id="line2d_') if g.count("<use ") == len(BUDGETS)]
    assert len(marked) == 2


def test_the_data_card_has_a_row_for_each_instrument() -> None:
    row = {"tracks": {"train": 3, "test": 1}, "seconds": {"train": 60.0, "test": 20.0}}
    levels = {"rms_db": -20.04, "peak_db": -6.0, "silent_share": 0.125}
    card = {
        "name": "some",
        "heard": {
            "stems": {"piano": row | levels},
            "duplicates_across_splits": ["a piano (train) = b piano (test)"],
            "unreadable": {"c piano": "the file is empty"},
        },
    }
    assert card_rows(card) == [
        {
            "instrument": "piano",
            "tracks": "train: 3, test: 1",
            "seconds": "train: 60, test: 20",
            "rms": "-20.0 dB",
            "peak": "-6.0 dB",
            "silent": "12.5%",
        }
    ]
    assert card_notes(card) == [
        "The same sound in several splits (allowed): a piano (train) = b piano (test).",
        "Cannot be read: c piano: the file is empty.",
    ]
    assert card_rows({"name": "some"}) == [] and card_notes({"name": "some"}) == []
