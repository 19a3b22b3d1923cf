"""``bench tune``."""

import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from timbrebench.benchmarks.search import OBJECTIVE
from timbrebench.cli.console import as_text, json_option, print_json, print_table
from timbrebench.cli.run_options import Names, build, run_options

COLUMNS = ("number", "options", "value", "at_quarter", "state", "seconds", "reason")
# Of a run's options: a search has one method, one seed, one measure, no controls, its own folder.
NOT_OURS = ("methods", "metrics", "seeds", "controls", "out")


@click.command("tune")
@click.option(
    "--method", "-m", type=Names("method"), required=True, help="One that says what to search."
)
@click.option("--trials", type=click.IntRange(1), default=20, help="In all; default 20.")
@click.option("--objective", default=OBJECTIVE, help=f"A measure; default {OBJECTIVE}.")
@click.option("--seed", type=int, default=0, help="Of the search and of its cells; default 0.")
@click.option(
    "--prune/--no-prune", default=True, help="Try a quarter of the budget first (default)."
)
@run_options
@click.option(
    "--out", "folder", type=click.Path(path_type=Path), help="Run folder; runs/tune-METHOD."
)
@click.option("--deadline", type=float, help="Seconds that a job may take.")
@click.option("--stall", type=float, help="Seconds without a sign of life; default 600.")
@click.option("--checkpoint-seconds", type=float, help="Between two checkpoints; default 30.")
@json_option
def command(
    method: str,
    trials: int,
    objective: str,
    seed: int,
    prune: bool,
    folder: Path | None,
    as_json: bool,
    **given: Any,
) -> int:
    """Choose options of a method on validation tracks, by Optuna.

    Each trial is a cell of the run folder. The same command goes on where it stopped; more --trials
    add to what is there.
    """
    from timbrebench.benchmarks.executors.opening import executor
    from timbrebench.benchmarks.runner import Runner
    from timbrebench.benchmarks.search import make_search
    from timbrebench.benchmarks.store import Store
    from timbrebench.benchmarks.tuning import Tuner, need_optuna
    from timbrebench.cli.progress import listener
    from timbrebench.core.registry import registry

    need_optuna()
    given |= {"methods": (method,), "metrics": (), "seeds": str(seed), "controls": False}
    config, out, execution = build({**given, "out": folder or _folder(method)})
    search = make_search(config, registry(), objective, prune)
    store = Store(out)
    tell = (lambda line: None) if as_json else click.echo
    with executor(execution, config.device, out, tell) as runs, listener(quiet=as_json) as listen:
        tuner = Tuner(
            search,
            out,
            lambda plan: Runner(plan, store, runs, listen, execution),
            lambda trial: None if as_json else _tell_trial(trial, trials, objective),
        )
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: tuner.cancel())
        report = tuner.run(trials)
    print_json({"run": str(out), **report}) if as_json else _tell(report, out)
    if tuner.stopped and len(report["trials"]) < trials:
        click.echo("Interrupted. The same command goes on from here.", err=True)
        return 130
    return int(any(t["state"] == "failed" for t in report["trials"]))


command.params = [p for p in command.params if p.name not in NOT_OURS]


def _folder(method: str) -> Path:
    from timbrebench.benchmarks.store import file_name

    return Path("runs") / f"tune-{file_name(method.partition('[')[0])}"


def _tell_trial(trial: Mapping[str, Any], trials: int, objective: str) -> None:
    told = {
        "complete": f"{objective} {as_text(trial['value'])}",
        "pruned": f"{objective} {as_text(trial['value_at_rung'])} at a quarter of the budget",
        "failed": trial["reason"],
    }
    state = trial["state"]
    click.echo(f"Trial {trial['number'] + 1} of {trials}, {state}: {told[state]}")


def _tell(report: Mapping[str, Any], out: Path) -> None:
    from timbrebench.benchmarks.trials import RELIABLE

    rows = [
        {**t, "options": _options(t["options"]), "at_quarter": t["value_at_rung"]}
        for t in report["trials"]
    ]
    shown = [c for c in COLUMNS if any(row[c] not in (None, "") for row in rows)]
    print_table(rows, shown, f"{report['objective']} on validation tracks")
    click.echo(f"All of it: {out / 'tuning.json'}")
    best = report["best"]
    if best is None:
        click.echo("No trial was completed, so there is no best.")
        return
    click.echo(f"Best: trial {best['number']}, {as_text(best['value'])}. For bench run:")
    click.echo(f"  {best['words']}")
    if not report["importance"]:
        return
    told = ", ".join(f"{k} {share:.2f}" for k, share in report["importance"].items())
    click.echo(f"Importance (PED-ANOVA): {told}")
    complete = sum(t["state"] == "complete" for t in report["trials"])
    if complete < RELIABLE:
        click.echo(
            f"Of {complete} completed trials: too few to rely on (some {RELIABLE} are needed)."
        )


def _options(options: Mapping[str, Any]) -> str:
    from timbrebench.benchmarks.search import as_word

    return "; ".join(f"{k}={as_word(v)}" for k, v in options.items())
