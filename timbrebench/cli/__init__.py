"""The command line: ``bench``. Each command is a thin file, imported when it is called."""

import importlib
import sys

import click

from timbrebench import __version__
from timbrebench.core.errors import BenchError, UnknownName

COMMANDS = {
    "run": "Train the methods, make their estimates, score them.",
    "plan": "Show what a run would do, and train nothing.",
    "tune": "Choose options of a method on validation tracks.",
    "transfer": "Play a sound of your own on another instrument.",
    "generate": "Make new music with a trained cell.",
    "accompany": "Accompany a voice by instruments.",
    "export": "Write a trained cell into one file, for another machine.",
    "import": "Put a cell that bench export wrote into a folder.",
    "report": "Compare the runs in one or several folders.",
    "compare": "Whether one run is worse than another, system by system.",
    "score": "Score a folder of audio against another.",
    "validity": "Show which metric sees which fault, on real clips.",
    "list": "List methods, datasets, metrics, embeddings, vocoders or suites.",
    "info": "Show all about one plugin: options, presets, source.",
    "plugins": "Show the installed plugin packages and their state.",
    "data": "Prepare a dataset or weights, and show what is there.",
    "show": "Show one cell of a run: options, stages, scores, log.",
    "clean": "Show what may be removed from a run folder, and remove it.",
    "doctor": "Check that this installation can work.",
}


class Group(click.Group):
    """Commands by name; a command's module is imported when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        return importlib.import_module(f"timbrebench.cli.{cmd_name}_command").command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            raise UnknownName("command", args[0], COMMANDS, hint="See: bench --help")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="timbrebench")
def bench() -> None:
    """Compare methods of musical timbre transfer and synthesis, fairly.

    \b
    Begin with:  bench run --methods palette,ldm --dataset starlet
                 bench report runs/starlet
    """


def main(arguments: list[str] | None = None) -> int:
    """Runs a command line and returns its exit code. A user's mistake is one line, exit 2."""
    try:
        code = bench.main(arguments, prog_name="bench", standalone_mode=False)
    except BenchError as error:
        click.echo(f"Error: {error}", err=True)
        return error.exit_code
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            sys.stderr.close()  # the reader of our output has gone: nothing to say to it
            return 0
        where = f"{error.filename}: " if error.filename else ""
        click.echo(f"Error: {where}{error.strerror or error}. What was done is kept.", err=True)
        return 2
    except click.exceptions.Abort:
        click.echo("Interrupted.", err=True)
        return 130
    except click.ClickException as error:
        error.show()
        return error.exit_code
    return code if isinstance(code, int) else 0
