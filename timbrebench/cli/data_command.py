"""``bench data``."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from timbrebench.benchmarks.config import RunConfig
from timbrebench.cli.bar import bar
from timbrebench.cli.console import as_text, json_option, print_json, print_rows
from timbrebench.cli.run_options import merge_options
from timbrebench.cli.spectrograms_command import command as spectrograms
from timbrebench.core.errors import BenchError, UnknownName
from timbrebench.core.units import bytes_text

if TYPE_CHECKING:
    from timbrebench.core.interfaces import Dataset, Needs

_ASKS_FROM = 1 << 30  # bytes to download

root_option = click.option(
    "--data-root", "--root", "data_root", help="Where the data is; or TIMBREBENCH_DATA."
)
options_option = click.option("-o", "--option", "options", multiple=True, help="NAME.OPTION=VALUE.")


def part_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--stems`` and ``--tracks``, which stand for options of the dataset's."""
    stems = click.option("--stems", help="These stems only: -o NAME.stems=….")
    return stems(click.option("--tracks", help="These tracks only: -o NAME.tracks=….")(command))


@click.group("data")
def command() -> None:
    """Prepare a dataset or weights, verify them, and show what is there."""


# ---------------------------------------------------------------------------- list


@command.command("list")
@root_option
@options_option
@json_option
def list_data(data_root: str | None, options: tuple[str, ...], as_json: bool) -> None:
    """Show every dataset and weights file: licence, size, what is there and what is missing."""
    from timbrebench.benchmarks.choices import check_owners
    from timbrebench.core.registry import registry
    from timbrebench.core.weights import KNOWN

    check_owners(_config("starlet", data_root, options), registry())
    rows = [_dataset_row(e, data_root, options) for e in registry().of("dataset")]
    rows += [
        {
            "name": w.name,
            "kind": "weights",
            "size": f"at most {w.limit >> 20} MiB",
            "licence": w.licence,
            "citation": w.citation,
            "there": "" if w.missing() else bytes_text(w.path.stat().st_size),
            "missing": w.missing(),
        }
        for w in KNOWN.values()
    ]
    for row in rows:
        row["state"] = "missing" if row["missing"] else "there"
    print_rows(rows, ("name", "licence", "size", "citation", "state", "there"), as_json)
    for row in rows if not as_json else ():
        if row["missing"]:
            click.echo(f"{row['name']}: {row['missing']}")


def _dataset_row(entry: Any, data_root: str | None, options: tuple[str, ...]) -> dict[str, Any]:
    from timbrebench.benchmarks.choices import choose
    from timbrebench.benchmarks.plan import data_root as root_of
    from timbrebench.benchmarks.plan import read_corpus
    from timbrebench.core.registry import registry

    config, there = _config(entry.name, data_root, options), ""
    try:
        choice = choose(registry(), "dataset", entry.name, config)[1]
        missing, corpus = read_corpus(choice, root_of(config), registry())
        there = _there({path for track in corpus.tracks for path in track.stems.values()})
    except BenchError as error:
        missing = str(error)
    return {
        "name": entry.name,
        "kind": "dataset",
        "licence": entry.info.licence,
        "size": entry.info.size,
        "citation": entry.info.citation,
        "there": there,
        "missing": missing,
    }


def _there(files: set[Path]) -> str:
    """'12 files, 3 MiB', or '5 of 12 files, …' where the others are made when they are needed."""
    sizes = [path.stat().st_size for path in files if path.is_file()]
    counted = f"{len(files)}" if len(sizes) == len(files) else f"{len(sizes)} of {len(files)}"
    return f"{counted} files, {bytes_text(sum(sizes))}"


# ---------------------------------------------------------------------------- prepare


@command.command("prepare")
@click.argument("name")
@root_option
@part_options
@options_option
@click.option("--allow-private", is_flag=True, help="-o youtube.allow_private=true.")
@click.option("--mirror", default="", help="Address of a folder that has the files too.")
@click.option("--proxy", default="", help="http://HOST:PORT; else as HTTPS_PROXY says.")
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path),
    help="A folder with files already fetched, or a weights file.",
)
@click.option("--yes", is_flag=True, help="Do not ask before a large download.")
def prepare(
    name: str, data_root: str | None, mirror: str, proxy: str, source: Path | None, **given: Any
) -> int:
    """Make or fetch what a dataset or a weights file lacks.

    Says what it will take before it starts, may be stopped at any point, and goes on where it
    was when it is run again. Exit 1: something had to be left out.
    """
    from timbrebench.core.fetching import Fetching, using
    from timbrebench.core.weights import KNOWN

    yes = given.pop("yes")
    _refuse_of_weights(name, given)
    folder = source if source and not source.is_file() else None
    if folder and not folder.is_dir():
        raise BenchError(f"--from {folder}: there is no such file or folder.")
    with using(Fetching(source=folder, mirror=mirror, proxy=proxy)):
        if name in KNOWN:
            _prepare_weights(name, source if folder is None else None)
            return 0
        _refuse_unknown(name)
        if source and folder is None:
            raise BenchError(f"--from {source}: of a dataset it is a folder.")
        return _prepare_dataset(name, _open(name, data_root, **given), yes)


def _refuse_of_weights(name: str, given: dict[str, Any]) -> None:
    """BenchError where weights are asked for with a dataset's options."""
    from timbrebench.core.weights import KNOWN

    if name in KNOWN and any(given.values()):
        raise BenchError(f"the weights of {name} have no options.", hint=KNOWN[name].command)


def _refuse_unknown(name: str) -> None:
    from timbrebench.core.registry import registry
    from timbrebench.core.weights import KNOWN

    names = [e.name for e in registry().of("dataset")]
    if name.partition("[")[0].partition("@")[0] not in names:
        raise UnknownName("dataset or weights", name, [*names, *KNOWN], hint="See: bench data list")


def _prepare_weights(name: str, file: Path | None) -> None:
    from timbrebench.core import weights

    wanted = weights.known(name)
    with bar(f"weights {name}", lines=True) as progress:
        path = weights.install(wanted, file) if file else weights.fetch(wanted, progress=progress)
    click.echo(f"{name} is in {path}.")


def _open(
    name: str,
    data_root: str | None,
    options: tuple[str, ...],
    **said: str | bool | None,
) -> "Dataset":
    """The dataset with its options, some of which are ``said`` by a flag of their own."""
    from timbrebench.benchmarks.choices import check_owners, choose
    from timbrebench.benchmarks.plan import data_root as root_of
    from timbrebench.core.registry import create, registry

    owner = name.partition("[")[0].partition("@")[0]
    flags = [
        f"{owner}.{flag}={str(v).lower() if v is True else v}" for flag, v in said.items() if v
    ]
    config = _config(name, data_root, (*options, *flags))
    check_owners(config, registry())
    entry, choice = choose(registry(), "dataset", name, config)
    return create(entry, choice.values, root_of(config))


def _prepare_dataset(name: str, dataset: "Dataset", yes: bool) -> int:
    _tell_needs(name, dataset.needs(), dataset.root, yes)
    with bar(f"prepare {name}", lines=True) as progress:
        dataset.prepare(progress)
    missing = dataset.missing()
    if missing:
        raise BenchError(f"{name} is not complete: {missing}")
    corpus = dataset.corpus()
    left_out = corpus.notes.get("left_out", {})
    click.echo(f"{name} is ready: {len(corpus.tracks)} tracks.")
    for file, reason in left_out.items():
        click.echo(f"left out: {file}: {reason}", err=True)
    return 1 if left_out else 0


def _tell_needs(name: str, needs: "Needs", root: Path | None, yes: bool) -> None:
    """What it will take; on a terminal a large download is asked for."""
    import sys

    if not needs.download and not needs.disk and not needs.unknown:
        return
    words = [f"{bytes_text(needs.download)} to download"] if needs.download else []
    words += [f"at most {bytes_text(needs.disk)} of disk in {root}"] if needs.disk else []
    words += [needs.unknown] if needs.unknown else []
    click.echo(f"{name}: {', '.join(words)}.", err=True)
    large = (needs.download or 0) >= _ASKS_FROM
    if large and not yes and sys.stdin.isatty() and sys.stderr.isatty():
        click.confirm("Go on?", default=True, abort=True, err=True)


def _config(name: str, data_root: str | None, options: tuple[str, ...]) -> RunConfig:
    return RunConfig(dataset=name, data_root=data_root or "", options=merge_options({}, options))


# ---------------------------------------------------------------------------- verify


@command.command("verify")
@click.argument("name")
@root_option
@part_options
@options_option
@json_option
def verify(name: str, data_root: str | None, as_json: bool, **given: Any) -> int:
    """Check files against their checksums, or that they open where none are known.

    Names each that is damaged or missing, and the command that mends it; or says what was checked.
    Exit 1 if something is wrong.
    """
    from timbrebench.core.weights import KNOWN

    _refuse_of_weights(name, given)
    own: Mapping[str, str] = {}
    if name in KNOWN:
        wrong, mend = _wrong_weights(name), KNOWN[name].command
        checked = "it has the published sha256"
    else:
        _refuse_unknown(name)
        dataset = _open(name, data_root, **given)
        with bar(f"verify {name}", lines=True) as progress:
            wrong, mend = dict(dataset.verify(progress)), _mend(name, dataset)
        checked = dataset.checked()
        own = _left_out(dataset) if wrong else {}
    rows = [
        {"file": file, "wrong": reason, "mend": "" if own.get(file) == reason else mend}
        for file, reason in wrong.items()
    ]
    if as_json:
        print_json(rows)
        return 1 if rows else 0
    for file, reason in wrong.items():
        click.echo(f"{file}: {reason}")
    click.echo(_what_now(rows) if rows else f"{name}: nothing is wrong; {checked}.")
    return 1 if rows else 0


def _left_out(dataset: "Dataset") -> Mapping[str, str]:
    """What its corpus does without, as it is; nothing where it cannot be opened."""
    try:
        return dict(dataset.corpus().notes.get("left_out", {}))
    except BenchError:
        return {}


def _what_now(rows: list[dict[str, str]]) -> str:
    """The command that mends what is wrong; what was left out as it came is nothing it can mend."""
    commands = list(dict.fromkeys(row["mend"] for row in rows))
    if not any(commands):
        return "They are left out, and the rest is used: mend them, or take them away."
    return "\n".join(f"Mend it: {command}" for command in commands if command)


def _wrong_weights(name: str) -> dict[str, str]:
    from timbrebench.core.weights import known

    try:
        known(name).verified()
    except BenchError as error:
        return {str(known(name).path): error.what.partition(": ")[2].rstrip(".")}
    return {}


def _mend(name: str, dataset: "Dataset") -> str:
    """The command for what is wrong, with every option that the dataset was opened with: another
    one would make something else."""
    import shlex

    from timbrebench.core.options import words_of

    owner = name.partition("[")[0].partition("@")[0]
    root = ["--data-root", str(dataset.root)] if dataset.root else []
    asked = dataset.again() or words_of(owner, dataset.options)
    return shlex.join(["bench", "data", "prepare", name, *root, *asked])


# ---------------------------------------------------------------------------- info


@command.command("info")
@click.argument("name")
@root_option
@options_option
@click.option("--split", default="", help="As in bench run.")
@json_option
def info(
    name: str, data_root: str | None, options: tuple[str, ...], split: str, as_json: bool
) -> None:
    """Show a dataset's card: tracks by split, seconds, instruments, task groups."""
    from timbrebench.benchmarks.choices import check_owners, choose
    from timbrebench.benchmarks.environment import describe_corpus
    from timbrebench.benchmarks.plan import data_root as root_of
    from timbrebench.benchmarks.plan import read_corpus
    from timbrebench.core.registry import registry
    from timbrebench.core.splits import apply_split

    config = _config(name, data_root, options)
    check_owners(config, registry())
    choice = choose(registry(), "dataset", name, config)[1]
    missing, corpus = read_corpus(choice, root_of(config), registry())
    corpus = apply_split(corpus, split)
    groups = {g: [t.name for t in tasks] for g, tasks in corpus.groups.items()}
    card = {**describe_corpus(corpus), "missing": missing, "groups": groups}
    if as_json:
        print_json(card)
        return
    for key, value in {**card.pop("notes"), **card}.items():
        if value not in ("", [], {}):
            click.echo(f"{key}: {_told(value)}")


command.add_command(spectrograms)


def _told(value: Any) -> str:
    """A value of the card as text; a mapping as its parts."""
    if isinstance(value, dict):
        return "; ".join(f"{k} {_told(v)}" for k, v in value.items())
    return as_text(value)
