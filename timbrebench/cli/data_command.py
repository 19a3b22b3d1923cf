"""``bench data``."""

from pathlib import Path
from typing import Any

import click

from timbrebench.benchmarks.config import RunConfig
from timbrebench.cli.bar import bar
from timbrebench.cli.console import as_text, json_option, print_json, print_rows
from timbrebench.cli.run_options import merge_options
from timbrebench.core.errors import BenchError, UnknownName

root_option = click.option("--data-root", help="Where the data is; or TIMBREBENCH_DATA.")
options_option = click.option("-o", "--option", "options", multiple=True, help="NAME.OPTION=VALUE.")


@click.group("data")
def command() -> None:
    """Prepare a dataset or weights, and show what is there."""


@command.command("list")
@root_option
@json_option
def list_data(data_root: str | None, as_json: bool) -> None:
    """Show every dataset and weights file: licence, size, and what is missing."""
    from timbrebench.core.registry import registry
    from timbrebench.core.weights import KNOWN

    rows = [_dataset_row(e, data_root) for e in registry().of("dataset")]
    rows += [
        {
            "name": w.name,
            "kind": "weights",
            "size": f"at most {w.limit >> 20} MiB",
            "licence": "",
            "missing": w.missing(),
        }
        for w in KNOWN.values()
    ]
    for row in rows:
        row["state"] = "missing" if row["missing"] else "there"
    print_rows(rows, ("name", "kind", "licence", "size", "state", "missing"), as_json)


def _dataset_row(entry: Any, data_root: str | None) -> dict[str, Any]:
    from timbrebench.benchmarks.choices import choose
    from timbrebench.benchmarks.plan import data_root as root_of
    from timbrebench.benchmarks.plan import read_corpus
    from timbrebench.core.registry import registry

    config = _config(entry.name, data_root, ())
    try:
        choice = choose(registry(), "dataset", entry.name, config)[1]
        missing = read_corpus(choice, root_of(config), registry())[0]
    except BenchError as error:
        missing = str(error)
    return {
        "name": entry.name,
        "kind": "dataset",
        "licence": entry.info.licence,
        "size": entry.info.size,
        "citation": entry.info.citation,
        "missing": missing,
    }


@command.command("prepare")
@click.argument("name")
@root_option
@options_option
@click.option("--url", default="", help="A mirror, for weights.")
@click.option("--from", "file", type=click.Path(path_type=Path), help="A file already fetched.")
def prepare(
    name: str, data_root: str | None, options: tuple[str, ...], url: str, file: Path | None
) -> None:
    """Make or fetch what a dataset or a weights file lacks."""
    from timbrebench.core.registry import registry
    from timbrebench.core.weights import KNOWN

    if name in KNOWN:
        _prepare_weights(name, url, file)
        return
    names = [e.name for e in registry().of("dataset")]
    if name.partition("@")[0] not in names:
        raise UnknownName("dataset or weights", name, [*names, *KNOWN], hint="See: bench data list")
    if url or file:
        raise BenchError(f"--url and --from are for weights; '{name}' is a dataset.")
    _prepare_dataset(name, data_root, options)


def _prepare_weights(name: str, url: str, file: Path | None) -> None:
    from timbrebench.core import weights

    wanted = weights.known(name)
    with bar(f"weights {name}") as progress:
        path = (
            weights.install(wanted, file)
            if file
            else weights.fetch(wanted, url=url, progress=progress)
        )
    click.echo(f"{name} is in {path}.")


def _prepare_dataset(name: str, data_root: str | None, options: tuple[str, ...]) -> None:
    from timbrebench.benchmarks.choices import check_owners, choose
    from timbrebench.benchmarks.plan import data_root as root_of
    from timbrebench.core.registry import create, registry

    config = _config(name, data_root, options)
    check_owners(config, registry())
    entry, choice = choose(registry(), "dataset", name, config)
    dataset = create(entry, choice.values, root_of(config))
    with bar(f"prepare {name}") as progress:
        dataset.prepare(progress)
    missing = dataset.missing()
    if missing:
        raise BenchError(f"{name} is not complete: {missing}")
    click.echo(f"{name} is ready: {len(dataset.corpus().tracks)} tracks.")


def _config(name: str, data_root: str | None, options: tuple[str, ...]) -> RunConfig:
    return RunConfig(dataset=name, data_root=data_root or "", options=merge_options({}, options))


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
    from timbrebench.benchmarks.choices import choose
    from timbrebench.benchmarks.environment import describe_corpus
    from timbrebench.benchmarks.plan import data_root as root_of
    from timbrebench.benchmarks.plan import read_corpus
    from timbrebench.core.registry import registry
    from timbrebench.core.splits import apply_split

    config = _config(name, data_root, options)
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


def _told(value: Any) -> str:
    """A value of the card as text; a mapping as its parts."""
    if isinstance(value, dict):
        return "; ".join(f"{k} {_told(v)}" for k, v in value.items())
    return as_text(value)
