"""The documentation says what the code does: names, help texts, options, links, code that runs."""

import dataclasses
import importlib
import importlib.util
import inspect
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from timbrebench.benchmarks import config as configs
from timbrebench.benchmarks.plan import make_plan
from timbrebench.cli import bench
from timbrebench.cli.run_options import build, build_suite
from timbrebench.core import hookspecs, interfaces
from timbrebench.core.interfaces import StageContext
from timbrebench.core.manifest import KINDS
from timbrebench.core.records import Task
from timbrebench.core.registry import OURS, load, registry
from timbrebench.core.results import ROW_FIELDS
from timbrebench.testing import check_metric, tiny_corpus

ROOT = Path(__file__).parents[1]
# Of the repository that a document of a plugin kind is in.
BY_KIND = {
    "method": "methods.md",
    "vocoder": "methods.md",
    "dataset": "datasets.md",
    "embedding": "metrics.md",
}
STRANGERS = {"drive", "tilt"}  # methods in examples that are not installed here


def _tool() -> Any:
    """tools/write_docs.py, which is no part of a package."""
    spec = importlib.util.spec_from_file_location("write_docs", ROOT / "tools" / "write_docs.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


write_docs = _tool()
DOCUMENTS = [*write_docs.documents(), *sorted(ROOT.glob("examples/*/README.md"))]
each_document = pytest.mark.parametrize(
    "path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT))
)


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(text: str, *languages: str) -> Iterator[str]:
    """The code in a document's fences of these languages."""
    for language, code in re.findall(r"^```(\w+)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        if language in languages:
            yield code


def marked(name: str) -> dict[str, str]:
    """What a document marks as tested: label → code."""
    form = r"^<!-- tested: (.+?) -->\n```\w+\n(.*?)^```$"
    return dict(re.findall(form, text_of(name), re.DOTALL | re.MULTILINE))


# ---------------------------------------------------------------------------- what is documented


@each_document
def test_generated_parts_are_up_to_date(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert write_docs.filled(text) == text, "run: python tools/write_docs.py"


def _commands(group: click.Group, names: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        yield (*names, name)
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from _commands(command, (*names, name))


def test_every_command_is_documented() -> None:
    text = text_of("docs/command-line.md")
    for names in _commands(bench):
        assert f"<!-- generated: help {' '.join(names)} -->" in text
        assert f"bench {names[0]}" in text_of("README.md")


def test_every_plugin_is_documented() -> None:
    for entry in registry().entries:
        if entry.distribution == OURS and entry.kind != "metric":
            text = text_of(f"docs/{BY_KIND[entry.kind]}")
            assert f"<!-- generated: {entry.kind} {entry.name} -->" in text


def test_every_metric_has_a_page_that_says_when_it_misleads() -> None:
    for entry in registry().of("metric"):
        if entry.distribution == OURS:
            name = write_docs.family_of(entry.info)
            text = text_of(f"docs/metrics/{write_docs.page_of(name)}.md")
            family = write_docs.is_family(entry.info)
            part = f"family {name}" if family else f"metric {name}"
            assert f"<!-- generated: {part} -->" in text
            assert "*It misleads*" in text
            prose = re.sub(r"<!-- generated.*?/generated -->", "", text, flags=re.S)
            for measure in () if family else entry.info.measures:
                assert measure.name in prose, f"{measure.name} is not explained"


def test_every_hook_and_field_is_documented() -> None:
    text = text_of("docs/plugins.md")
    for name in vars(hookspecs):
        if name.startswith(f"{hookspecs.GROUP}_"):
            assert f"\n### {name}\n" in text
    fields = {f.name for info in KINDS.values() for f in dataclasses.fields(info)}
    for name in fields - {"citation"}:
        assert f"`{name}" in text, f"the field {name} of an info is not documented"


def test_every_check_is_documented() -> None:
    for name in importlib.import_module("timbrebench.testing").__all__:
        assert f"`{name}(" in text_of("docs/plugins.md")


def test_every_field_of_a_row_is_documented() -> None:
    for name in ROW_FIELDS:
        assert f"| `{name}` |" in text_of("docs/run-folder.md")


def test_stated_budgets_are_those_of_the_presets() -> None:
    flops = f"{configs.QUICK_FLOPS:g}".replace("e+", "e")
    for name in ("README.md", "docs/architecture.md"):
        assert f"{flops}" in text_of(name)
        assert f"{configs.PAPER_EXAMPLES:,}" in text_of(name)


# ---------------------------------------------------------------------------- links, places


def _links(path: Path, image: bool) -> Iterator[tuple[Path, str]]:
    """(file, anchor) of each link of a document, or picture in it, that is not to the web."""
    text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.S | re.M)
    for mark, target in re.findall(r"(!?)\[[^\]]*\]\(([^)\s]+)\)", text):
        if bool(mark) == image and not target.startswith(("http://", "https://")):
            file, _, anchor = target.partition("#")
            yield (path.parent / file if file else path), anchor


def _anchors(path: Path) -> set[str]:
    """The names that GitHub gives to a document's headings."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_document
def test_links_resolve(path: Path) -> None:
    for target, anchor in _links(path, image=False):
        assert target.exists(), f"{path.name} links to {target}, which is not there"
        assert not anchor or anchor in _anchors(target), f"{target} has no heading #{anchor}"


@each_document
def test_pictures_are_there(path: Path) -> None:
    for target, _ in _links(path, image=True):
        assert target.is_file(), f"{path.name} shows {target}, which is not there"


@each_document
def test_no_place_of_a_machine_is_named(path: Path) -> None:
    found = re.findall(r"(?<![\w.~-])/(?:home|root|tmp|work|mnt|Users)\b\S*", path.read_text())
    assert not found


# ---------------------------------------------------------------------------- examples


@each_document
def test_code_is_well_formed(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for code in blocks(text, "python"):
        compile(code.replace("[...]", "[]"), str(path), "exec")
    for code in blocks(text, "json"):
        json.loads(code)
    for code in blocks(text, "toml"):
        tomllib.loads(code)


def _lines(path: Path) -> Iterator[list[str]]:
    """The ``bench`` lines in a document, as words."""
    for code in blocks(path.read_text(encoding="utf-8"), "sh"):
        for line in code.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words and words[0].rpartition("/")[2] == "bench":
                yield words[1:]


@each_document
def test_command_lines_are_right(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every example parses; what runs on ``starlet`` can be planned as well."""
    monkeypatch.chdir(tmp_path)
    for name in ("DIR/one.wav", "FILE"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).touch()
    for words in _lines(path):
        context = _parsed(words)
        given = dict(context.params)
        if context.command.name in ("run", "plan") and not given["config_file"]:
            for name in ("form", "json_flag", "calibrate"):
                given.pop(name, None)
            for config in _configs(given):
                if config.dataset == "starlet" and not STRANGERS & set(config.methods):
                    make_plan(config, registry())


def _configs(given: dict[str, Any]) -> list[configs.RunConfig]:
    """What a run or each part of a suite is asked to do."""
    suite, scale = given.pop("suite"), given.pop("scale")
    return [*build_suite(suite, scale, given)[0].parts.values()] if suite else [build(given)[0]]


def _parsed(words: list[str]) -> click.Context:
    """The context of the command that the words name; a mistake in them raises."""
    context = bench.make_context("bench", list(words[:1]), resilient_parsing=True)
    command: click.Command = bench
    while isinstance(command, click.Group):
        found = command.get_command(context, words[0])
        assert found is not None, f"there is no command {words[0]}"
        command, words = found, words[1:]
    return command.make_context(command.name, words)


@pytest.mark.parametrize("name", ["README.md", "docs/command-line.md"])
def test_configuration_files_can_be_planned(name: str, tmp_path: Path) -> None:
    file = tmp_path / "bench.toml"
    file.write_text(marked(name)["bench.toml"])
    fields = configs.read_toml(file)
    fields.pop("out", None)
    plan = make_plan(configs.check(configs.RunConfig(**fields)), registry())
    assert len(plan.cells) > len(fields["seeds"])


# ---------------------------------------------------------------------------- plugins


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which the README's plugin is installed."""
    site = tmp_path_factory.mktemp("site")
    project = tomllib.loads(marked("README.md")["plugin pyproject"])["project"]
    (site / "drive_plugin.py").write_text(marked("README.md")["plugin"])
    metadata = site / f"drive_plugin-{project['version']}.dist-info"
    metadata.mkdir()
    told = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (metadata / "METADATA").write_text(told)
    [(group, points)] = project["entry-points"].items()
    lines = [f"[{group}]", *(f"{name} = {module}" for name, module in points.items())]
    (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n")
    path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": path}


def run(env: dict[str, str], *words: object) -> str:
    """What ``bench`` prints where it is well."""
    command = [sys.executable, "-m", "timbrebench", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_readmes_plugin_is_short_and_listed(drive: dict[str, str]) -> None:
    lines = [line for line in marked("README.md")["plugin"].splitlines() if line.strip()]
    assert len(lines) <= 20
    rows = json.loads(run(drive, "list", "methods", "--json"))
    assert {"drive-plugin"} == {r["distribution"] for r in rows if r["name"] == "drive"}


def test_the_readmes_plugin_runs_and_the_run_folder_is_as_documented(
    drive: dict[str, str], tmp_path: Path
) -> None:
    tiny_corpus(tmp_path / "data")
    where = ("--dataset", "folder", "--data-root", tmp_path / "data", "--out", tmp_path / "run")
    small = ("--no-controls", "--tasks", "bell:bow", "--metrics", "level_error_db")
    run(drive, "run", "--methods", "drive", *where, *small)
    rows = [json.loads(line) for line in (tmp_path / "run/scores.jsonl").read_text().splitlines()]
    assert rows and {"ok"} == {row["status"] for row in rows}
    expect_documented(tmp_path / "run")


def expect_documented(folder: Path) -> None:
    """Every file of a run is named in docs/run-folder.md, by its name or by its place."""
    text = text_of("docs/run-folder.md")
    by_place = {"estimates": "estimates/TASK/TRACK.flac", "references": "INSTRUMENT/TRACK.flac"}
    by_place["scores"] = "scores/METRIC-KEY.json"
    for path in folder.rglob("*"):
        places = [by_place[p] for p in path.relative_to(folder).parts[:-1] if p in by_place]
        if path.is_file():
            told = places[0] if places else path.name
            assert told in text, f"{path.relative_to(folder)} is not documented"


# ---------------------------------------------------------------------------- recipes

_OWN = re.compile(
    r"timbrebench\.(?:methods|datasets|benchmarks\.metrics)\.(framemap|multitrack|crest)\b"
)


@pytest.fixture(scope="module")
def recipes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The code of CONTRIBUTING. Its modules can be imported, by the last part of their package's
    name, since the package itself is left as it is."""
    found = {label: _OWN.sub(r"\1", code) for label, code in marked("CONTRIBUTING.md").items()}
    site = tmp_path_factory.mktemp("site")
    for label, code in found.items():
        if label.endswith(".py"):
            short = _OWN.sub(r"\1", label.removesuffix(".py").replace("/", "."))
            file = site / f"{short.replace('.', '/')}.py"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(code)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(site))
        yield found


def call_tests(code: str, tmp_path: Path) -> None:
    """Runs the code and every test function that it defines."""
    names: dict[str, Any] = {}
    exec(code, names)
    functions = [f for name, f in names.items() if name.startswith("test_")]
    assert functions
    for function in functions:
        function(*(tmp_path for _ in inspect.signature(function).parameters))


def test_what_training_leaves_is_documented(recipes: dict[str, str], tmp_path: Path) -> None:
    from timbrebench.core.mel import preset
    from timbrebench.core.training import TrainPlan, train

    options = importlib.import_module("framemap.plugin").Options(width=2, batch=2)
    corpus = tiny_corpus(tmp_path / "data")
    model = importlib.import_module("framemap.model")
    stage = model.FrameStage(Task("transfer", "bell", "bow"), options, preset("soundstream"))
    context = StageContext(corpus, {}, "cpu", lambda what, share: None)
    train(stage, context, TrainPlan(2, 0, "tiny"), tmp_path / "model", lambda event: None)
    expect_documented(tmp_path / "model")


@pytest.mark.parametrize("what", ["method", "dataset", "metric"])
def test_recipes_work(what: str, recipes: dict[str, str], tmp_path: Path) -> None:
    call_tests(recipes[f"check a {what}"], tmp_path)


@pytest.mark.parametrize("what", ["dataset", "metric"])
def test_infos_in_recipes_are_right(what: str, recipes: dict[str, str]) -> None:
    info = eval(recipes[f"info of a {what}"], dict(vars(interfaces)))
    assert isinstance(info, KINDS[what])
    assert load(info.factory).__doc__
    if what == "metric":
        check_metric(info)
