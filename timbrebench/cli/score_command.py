"""``bench score``."""

from pathlib import Path
from typing import Any

import click

from timbrebench.cli import score_formats
from timbrebench.cli.bar import bar
from timbrebench.cli.run_options import Names, merge_options

_Folder = click.Path(path_type=Path)


@click.command("score")
@click.option("--reference", type=_Folder, help="What should be: counterparts by name.")
@click.option("--estimate", required=True, type=_Folder, help="What is.")
@click.option(
    "--against", type=_Folder, help="Real music that sets are compared with; --reference."
)
@click.option("--source", type=_Folder, help="What the estimates were made from, by name.")
@click.option("--metrics", type=Names("metric"), multiple=True, help="Comma list.")
@click.option(
    "--embedding",
    "embeddings",
    type=Names("embedding"),
    multiple=True,
    help="Comma list: fad and kad of these alone, or beside --metrics.",
)
@click.option("--jobs", type=click.IntRange(1), help="Processes; one a core.")
@click.option("-o", "--option", "options", multiple=True, help="METRIC.OPTION=VALUE.")
@click.option(
    "--format", "form", type=click.Choice(score_formats.NAMES), default="table", help="Printed."
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
def command(
    reference: Path | None,
    estimate: Path,
    against: Path | None,
    source: Path | None,
    metrics: tuple[str, ...],
    embeddings: tuple[str, ...],
    jobs: int | None,
    options: tuple[str, ...],
    form: str,
    as_json: bool,
) -> int:
    """Score a folder of audio against another: files of equal names are compared.

    Sets are compared with --against, the real music of other tracks that a timbre is learned
    from, or else with the counterparts. With both, real music has its own distance beside each
    (floor); with --source, the unchanged source has (ceiling).
    """
    from timbrebench.benchmarks.choices import parse_words
    from timbrebench.benchmarks.score import obstacle, score_folders

    words = _words(parse_words(metrics), parse_words(embeddings))
    chosen = _chosen(words, options)
    if not words:
        has = {"reference": reference, "source": source, "against": against}
        given = {name: folder is not None for name, folder in has.items()}
        chosen = [c for c in chosen if not obstacle(c, **given)]
    with bar("score") as progress:
        result = score_folders(
            reference,
            estimate,
            chosen,
            against=against,
            source=source,
            jobs=jobs,
            progress=progress,
        )
    score_formats.show(result, "json" if as_json else form)
    rows = result["metrics"].values()
    return 1 if any(row["failed"] or row.get("status") == "failed" for row in rows) else 0


def _words(metrics: tuple[str, ...], embeddings: tuple[str, ...]) -> tuple[str, ...]:
    from timbrebench.core.registry import registry

    for name in embeddings:
        registry().find("embedding", name)
    return (*metrics, *(f"{kind}_{name}" for name in embeddings for kind in ("fad", "kad")))


def _chosen(words: tuple[str, ...], options: tuple[str, ...]) -> list[Any]:
    from timbrebench.benchmarks.choices import check_owners, choose_metrics
    from timbrebench.benchmarks.config import RunConfig
    from timbrebench.benchmarks.measure import chosen_metric
    from timbrebench.benchmarks.records import metric_record
    from timbrebench.core.records import Task
    from timbrebench.core.registry import registry

    config = RunConfig(metrics=words, options=merge_options({}, options))
    check_owners(config, registry())
    tasks = [Task("transfer", "reference", "estimate")]  # what a pair of folders is like
    return [chosen_metric(metric_record(c)) for c in choose_metrics(registry(), config, tasks)]
