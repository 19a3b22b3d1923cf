"""One page with everything: tables, figures, clips to play. It loads nothing from anywhere."""

import base64
import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from timbrebench.core.files import write_text
from timbrebench.core.results import RunRecord, StageRecord
from timbrebench.reports import drawing, grid, wording
from timbrebench.reports.data_card import card_notes, card_rows, known_beside
from timbrebench.reports.declared import DECLARED_NOTE, difference_text
from timbrebench.reports.heatmaps import sheet_of_map
from timbrebench.reports.listening import Media, listening_items
from timbrebench.reports.lookup import found_of
from timbrebench.reports.pictures import pictures
from timbrebench.reports.records import Summary, System
from timbrebench.reports.suites import in_grids, on_diagonals
from timbrebench.reports.systems import Evidence, gather, options_text, systems_of

if TYPE_CHECKING:
    import jinja2

TEMPLATES = Path(__file__).parent / "templates"
AUDIO_CAP_BYTES = 7_000_000  # of clips and spectrograms in the page; more goes beside it


def write_html(
    runs: Sequence[RunRecord],
    summary: Summary,
    path: Path,
    *,
    max_items: int = 3,
    audio_cap_bytes: int = AUDIO_CAP_BYTES,
) -> None:
    """Writes the page; clips over the cap go to a folder beside it, named after the page."""
    owned, played = _shown_systems(runs, summary)
    media = Media(path.with_name(f"{path.stem}_media"), audio_cap_bytes)
    items = listening_items(played, media, max_items=max_items)
    style, script = (_part(name) for name in ("report.css", "report.js"))
    headline = {(table.dataset, table.task) for table in summary.headline}
    page = _environment().get_template("report.html.j2")
    text = page.render(
        summary=summary,
        runs=runs,
        items=items,
        style=style,
        script=script,
        policy=_policy(style, script, beside=media.used_folder),
        declared_note=DECLARED_NOTE,
        first=_first_look(summary),
        configurations=_configurations(owned),
        stages=_stages(runs, owned),
        beaten={(b.dataset, b.task, b.column.metric, b.label): b for b in summary.warnings},
        headline_warnings=[b for b in summary.warnings if (b.dataset, b.task) in headline],
        task_warnings=[b for b in summary.warnings if (b.dataset, b.task) not in headline],
        unbeaten=_unbeaten(summary),
        colours=drawing.colours(summary.systems),
        **pictures(summary, _trainings(runs, owned)),
    )
    write_text(path, text)


# ---------------------------------------------------------------------------- the template


def _environment() -> "jinja2.Environment":
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        w=wording,
        title_of=grid.title_of,
        items_text=grid.items_text,
        main_columns=grid.main_columns,
        other_columns=grid.other_columns,
        grouped=grid.grouped,
        sheet_of_map=sheet_of_map,
        corpora=_corpora,
        card_rows=card_rows,
        card_notes=card_notes,
        known_beside=known_beside,
        difference_text=difference_text,
    )
    environment.filters.update(plain=wording.plain, breakable=_breakable, small=_small_print)
    return environment


def _part(name: str) -> str:
    """A partial that is ours, and so goes into the page unescaped."""
    import markupsafe

    return markupsafe.Markup((TEMPLATES / name).read_text(encoding="utf-8"))


def _policy(style: str, script: str, *, beside: bool) -> str:
    """Nothing may be loaded but what the page holds (and, if need be, the folder beside it)."""
    media = "data: 'self' file:" if beside else "data:"
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        f"img-src {media}; media-src {media}; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _breakable(text: str) -> str:
    """A name that may break at '_', ':' and '[' where a column is narrow."""
    import markupsafe

    shown = str(markupsafe.escape(text))
    return markupsafe.Markup(
        shown.replace("_", "_<wbr>").replace(":", ":<wbr>").replace("[", "<wbr>[")
    )


def _small_print(entry: Any, column: Any, tracks: int) -> str:
    """Under a value: its interval, and n where it is not the block's number of tracks."""
    if entry.value is None or column.cost:
        return ""
    n = "" if entry.by_item and entry.n == tracks else wording.sample_text(entry)
    return " · ".join(p for p in (wording.interval_text(entry, column.unit), n) if p)


# ---------------------------------------------------------------------------- what it shows


Owned = dict[System, list[Evidence]]


def _shown_systems(runs: Sequence[RunRecord], summary: Summary) -> tuple[Owned, Owned]:
    """(all that tables show, all that can be played): of the cells of a heat map only those that
    are matched are played, behind the others."""
    every = systems_of(gather(runs))
    suites = [found_of(run, every, {}) for run in runs if run.suite]
    apart = {system for found in suites for system in in_grids(found)}
    matched = {system for found in suites for system in on_diagonals(found)}
    owned = _in_table_order({s: e for s, e in every.items() if s not in apart}, summary)
    return owned, owned | {s: e for s, e in every.items() if s in matched}


def _corpora(run: RunRecord) -> list[tuple[str, Mapping[str, Any]]]:
    """(name, data card); the name is '' where a run has one corpus."""
    cards = list(run.corpus.values())
    several = cards and all(isinstance(card, Mapping) and "name" in card for card in cards)
    return list(run.corpus.items()) if several else [("", run.corpus)]


def _in_table_order(
    owned: Mapping[System, list[Evidence]], summary: Summary
) -> dict[System, list[Evidence]]:
    order = [line.system for table in summary.headline for line in table.lines]
    rank = {system: i for i, system in reversed(list(enumerate(order)))}
    return dict(sorted(owned.items(), key=lambda pair: rank.get(pair[0], len(rank))))


def _first_look(summary: Summary) -> dict[str, str]:
    """The facts at the head of the page: name → text."""
    methods = [s for s in summary.systems if not s.control]
    seeds = sorted({len(s.done) for s in summary.systems if s.done})
    tasks = dict.fromkeys(task for s in summary.systems for task in s.tasks)
    items = dict.fromkeys(
        text for t in summary.headline for b in t.blocks if (text := grid.items_text(b))
    )
    budgets = dict.fromkeys(s.budget for s in methods if s.budget)
    return {
        "Data": wording.names_text(summary.datasets),
        "Tasks": wording.names_text(tasks, 6),
        "Tested on": wording.names_text(items, 3),
        "Systems": f"{len(methods)} methods, {len(summary.systems) - len(methods)} controls",
        "Seeds": " or ".join(map(str, seeds)),
        "Budget of training": wording.names_text(budgets, 4),
    }


def _unbeaten(summary: Summary) -> list[str]:
    """Methods with values that no control beats on anything."""
    worse = {(b.dataset, b.label) for b in summary.warnings}
    lines = [
        line.system
        for table in (*summary.headline, *summary.tables)
        for block in table.blocks
        if any(not line.system.bound for line in block.controls)
        for line in block.methods
        if any(line.entry(c).value is not None for c in table.columns if not c.cost)
    ]
    return list(dict.fromkeys(s.label for s in lines if (s.dataset, s.label) not in worse))


def _configurations(owned: Mapping[System, list[Evidence]]) -> list[tuple[System, str, str]]:
    """(system, options, vocoder and the like that its outcome names)."""
    return [
        (system, options_text(cells[0].cell), _vocoder(cells[0].cell.outcome))
        for system, cells in owned.items()
    ]


def _vocoder(outcome: Mapping[str, Any]) -> str:
    """What a vocoder recorded of itself; '' where it has nothing to record."""
    return wording.plain(outcome.get("vocoder") or {})


def _stages(
    runs: Sequence[RunRecord], owned: Mapping[System, list[Evidence]]
) -> list[tuple[str, StageRecord]]:
    """(who uses it, stage), each stage once: those that share one are named together."""
    users: dict[str, dict[str, None]] = {}
    for system, cells in owned.items():
        for evidence in cells:
            name = system.label + (f", seed {evidence.cell.seed}" if len(cells) > 1 else "")
            for key in evidence.cell.stages:
                users.setdefault(key, {})[name] = None
    known = _known(runs)
    return [(" + ".join(names), known[key]) for key, names in users.items() if key in known]


def _trainings(
    runs: Sequence[RunRecord], owned: Mapping[System, list[Evidence]]
) -> dict[str, list[StageRecord]]:
    """'who uses it: stage' → its trainings, one a seed."""
    users: dict[str, dict[str, None]] = {}
    for system, cells in owned.items():
        for key in (key for evidence in cells for key in evidence.cell.stages):
            users.setdefault(key, {})[system.label] = None
    known, found = _known(runs), defaultdict(list)
    for key, names in users.items():
        if key in known:
            found[f"{' + '.join(names)}: {known[key].name}"].append(known[key])
    return dict(found)


def _known(runs: Sequence[RunRecord]) -> dict[str, StageRecord]:
    return {key: stage for run in reversed(runs) for key, stage in run.stages.items()}
