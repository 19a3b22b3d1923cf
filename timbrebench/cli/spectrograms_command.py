"""``bench data spectrograms``."""

from pathlib import Path

import click

from timbrebench.benchmarks.config import RunConfig, split_list
from timbrebench.cli.bar import bar
from timbrebench.cli.run_options import merge_options
from timbrebench.core.errors import MissingData, UnknownName
from timbrebench.core.records import SPLITS


@click.command("spectrograms")
@click.argument("name")
@click.option("--data-root", help="Where the data is; or TIMBREBENCH_DATA.")
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
) -> None:
    """Write a dataset as the LDM report has its data: greyscale PNG, and pairs.

    OUT/INSTRUMENT/STEM_chunkN.png are 3 s each; OUT/pairs.csv has 15,000 pairs of different
    instruments. The dataset 'folder' reads such folders back.
    """
    from timbrebench.benchmarks.choices import choose
    from timbrebench.benchmarks.plan import data_root as root_of
    from timbrebench.benchmarks.plan import read_corpus
    from timbrebench.core.registry import registry
    from timbrebench.core.splits import apply_split

    config = RunConfig(dataset=name, data_root=data_root or "", options=merge_options({}, options))
    choice = choose(registry(), "dataset", name, config)[1]
    missing, corpus = read_corpus(choice, root_of(config), registry())
    if missing:
        raise MissingData(missing)
    corpus = apply_split(corpus, split)
    wanted = _known("instrument", split_list(instruments), corpus.instruments)
    splits = _known("split", split_list(only), SPLITS)

    from timbrebench.benchmarks.spectrogram_folders import write_folders

    with bar(f"spectrograms of {name}") as progress:
        counts = write_folders(corpus, wanted, splits, out, progress)
    told = ", ".join(f"{count} of {instrument}" for instrument, count in sorted(counts.items()))
    click.echo(f"{told} are in {out}, and 15,000 pairs in {out / 'pairs.csv'}.")


def _known(kind: str, asked: list[str], known: tuple[str, ...]) -> tuple[str, ...]:
    for word in asked:
        if word not in known:
            raise UnknownName(kind, word, known)
    return tuple(asked) or known
