"""``bench data spectrograms``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from timbrebench.benchmarks.config import RunConfig, split_list
from timbrebench.cli.bar import bar
from timbrebench.cli.run_options import merge_options
from timbrebench.core.errors import MissingData, UnknownName
from timbrebench.core.records import SPLITS, Corpus

if TYPE_CHECKING:
    from timbrebench.benchmarks.choices import Choice


@click.command("spectrograms")
@click.argument("name")
@click.option("--data-root", "--root", "data_root", help="Where the data is; or TIMBREBENCH_DATA.")
@click.option("-o", "--option", "options", multiple=True, help="NAME.OPTION=VALUE.")
@click.option("--split", default="", help="As in bench run.")
@click.option("--instruments", default="", help="Comma list; default: all.")
@click.option("--only", default="", help="Comma list of train, valid, test; default: all.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A new folder.")
def command(
    name: str,
    data_root: str | None,
    options: tuple[str, ...],
    split: str,
    instruments: str,
    only: str,
    out: Path,
) -> int:
    """Write a dataset as the LDM report has its data: greyscale PNG, and pairs.

    OUT/INSTRUMENT/STEM_chunkN.png are 3 s each; OUT/pairs.csv has 15,000 pairs of different
    instruments; OUT/splits.csv says which tracks train and test. The dataset 'folder' reads such
    folders back. Exit 1: something had to be left out.
    """
    from timbrebench.benchmarks.choices import check_owners, choose
    from timbrebench.benchmarks.plan import data_root as root_of
    from timbrebench.benchmarks.plan import make_embedded
    from timbrebench.core.registry import registry

    config = RunConfig(dataset=name, data_root=data_root or "", options=merge_options({}, options))
    check_owners(config, registry())
    entry, choice = choose(registry(), "dataset", name, config)
    corpus = _corpus(choice, config, split)
    wanted = _known("instrument", split_list(instruments), corpus.instruments)
    splits = _known("split", split_list(only), SPLITS)

    from timbrebench.benchmarks.spectrogram_folders import check_free, write_folders

    check_free(out)  # before anything is made, which may take long
    with bar(f"spectrograms of {name}", lines=True) as progress:
        if make_embedded(entry, choice.values, root_of(config), progress):
            corpus = _corpus(choice, config, split)  # without what turned out to be unusable
        written = write_folders(corpus, wanted, splits, out, progress)
    told = ", ".join(f"{count} of {each}" for each, count in sorted(written.counts.items()))
    click.echo(f"{told} are in {out}, and 15,000 pairs in {out / 'pairs.csv'}.")
    left_out = {**corpus.notes.get("left_out", {}), **written.left_out}
    for recording, reason in left_out.items():
        click.echo(f"left out: {recording}: {reason}", err=True)
    return 1 if left_out else 0


def _corpus(choice: "Choice", config: RunConfig, split: str) -> Corpus:
    from timbrebench.benchmarks.plan import data_root, read_corpus
    from timbrebench.core.registry import registry
    from timbrebench.core.splits import apply_split

    missing, corpus = read_corpus(choice, data_root(config), registry())
    if missing:
        raise MissingData(missing)
    return apply_split(corpus, split)


def _known(kind: str, asked: list[str], known: tuple[str, ...]) -> tuple[str, ...]:
    for word in asked:
        if word not in known:
            raise UnknownName(kind, word, known)
    return tuple(asked) or known
