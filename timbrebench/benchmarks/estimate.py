"""What a method makes of the test tracks: estimates as audio, each with its times.

They are made one after the other, and what is made is kept: a killed cell goes on with the next.
"""

import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from timbrebench.benchmarks import forms
from timbrebench.benchmarks.choosing import choose
from timbrebench.benchmarks.making import RATE, Maker
from timbrebench.benchmarks.session import Session
from timbrebench.benchmarks.store import Store, file_name
from timbrebench.benchmarks.tasks import items_of
from timbrebench.core import audio, files
from timbrebench.core.errors import NotApplicable, one_line
from timbrebench.core.memory import is_out_of_memory
from timbrebench.core.records import Clip, Task, Track

Report = Callable[[Mapping[str, Any]], None]
Work = list[tuple[Task, Track]]
PARTIAL = "estimates.partial.json"  # what is made so far; gone when the cell's cost is written


class Estimator:
    """Runs a method over the test items of its cell's tasks. ``basis`` is what they hang on beside
    the cell: its networks."""

    def __init__(
        self, session: Session, store: Store, folder: Path, report: Report, basis: str = ""
    ) -> None:
        self.session, self.store, self.folder, self.report = session, store, folder, report
        self.basis = basis
        self.cell, self.corpus = session.cell, session.corpus
        self.maker = Maker(session)
        self.made: dict[tuple[Task, str], Clip] = {}
        self.chosen: dict[str, dict[str, Any]] = {}  # task → what was chosen for it, and why

    def run(self) -> dict[str, Any]:
        """Every item of every task; writes estimates.json last, so that it means 'all made'."""
        known = self._known()
        self.chosen = known["chosen"]
        made = {(item["task"], item["track"]): item for item in known["items"]}
        items = []
        work = self.work()
        for number, (task, track) in enumerate(work):
            place = (task.name, track.id)
            item = made[place] if place in made else self._item(task, track)
            items.append(item)
            if place not in made and item["status"] != "failed":
                made[place] = item
                files.write_json(self.folder / PARTIAL, {**known, "items": list(made.values())})
            self.report(
                {"event": "progress", "what": "estimates", "share": (number + 1) / len(work)}
            )
        vocoder = self.maker.vocoder
        record = {
            "items": items,
            "vocoder": dict(vocoder.provenance) if vocoder else {},
            "chosen": self.chosen,
            "choosing_seconds": known["choosing_seconds"],
        }
        files.write_json(self.folder / "estimates.json", record)
        return record

    def work(self) -> Work:
        """The items of each task, one task after the other."""
        split = self.cell["score_on"]
        return [(t, i) for t in self.session.tasks for i in items_of(t, self.corpus, split)]

    def again(self, task: Task, track: Track) -> dict[str, float]:
        """The times of an item that is made and not kept, and the seconds of its audio."""
        times = {"infer_seconds": 0.0, "vocoder_seconds": 0.0}
        clips = self._estimates(task, track, times)
        return {**times, "audio_seconds": sum(clip.seconds for clip in clips)}

    def _known(self) -> dict[str, Any]:
        """What a killed evaluation chose and made with the same networks; else what is chosen
        now."""
        kept = forms.read(self.folder / PARTIAL, forms.PARTIAL)
        if kept and kept["basis"] == self.basis:
            there = [i for i in kept["items"] if self._is_there(i)]
            return {**kept, "items": there}
        started = time.monotonic()
        self._choose()
        seconds = time.monotonic() - started if self.chosen else 0.0
        known = {
            "basis": self.basis,
            "chosen": self.chosen,
            "choosing_seconds": seconds,
            "items": [],
        }
        if self.chosen:
            files.write_json(self.folder / PARTIAL, known)
        return known

    def _is_there(self, item: Mapping[str, Any]) -> bool:
        names = [item.get("file"), item.get("other_file")]
        return all((self.folder / name).is_file() for name in names if name)

    def _choose(self) -> None:
        """The sampling options that were left open, for each transfer that the method does."""
        if not self.session.to_choose:
            return
        tasks = dict.fromkeys(d for t in self.session.tasks for d in t.direct)
        for task in (t for t in tasks if t.kind == "transfer"):
            self.chosen[task.name] = choose(self.session, self.maker, task, self.report)

    # ------------------------------------------------------------------ one item

    def _item(self, task: Task, track: Track) -> dict[str, Any]:
        transfer = task.kind == "transfer"
        record: dict[str, Any] = {
            "task": task.name,
            "track": track.id,
            "source": task.source,
            "target": task.target if transfer and task.target in track.stems else "",
            "status": "ok",
            "reason": "",
            "infer_seconds": 0.0,
            "vocoder_seconds": 0.0,
        }
        try:
            estimates = self._estimates(task, track, record)
        except NotApplicable as error:
            return record | {"status": "not_applicable", "reason": one_line(error)}
        except Exception as error:  # a plugin may raise anything: it ends its own item only
            if is_out_of_memory(error):
                raise
            traceback.print_exc()
            return record | {"status": "failed", "reason": one_line(error)}
        self._keep_references(record)
        return record | self._write(task, track, estimates)

    def _write(self, task: Task, track: Track, estimates: list[Clip]) -> dict[str, Any]:
        """The files of an item: one, or the two halves of a pair."""
        folder = Path("estimates") / task.folder
        names = [place / f"{file_name(track.id)}.flac" for place in (folder, folder / "other")]
        gains = [
            audio.write(self.folder / name, clip.samples, clip.rate)
            for name, clip in zip(names, estimates, strict=False)
        ]
        return {
            "file": str(names[0]),
            "other_file": str(names[1]) if len(estimates) > 1 else "",
            "audio_seconds": sum(clip.seconds for clip in estimates),
            "gain": min(gains),
        }

    def _estimates(self, task: Task, track: Track, record: dict[str, Any]) -> list[Clip]:
        """One estimate, or both halves of a pair; a derived task's is a sum of others."""
        seconds = self.cell["max_seconds"]
        if task.kind != "transfer":  # what was chosen for a transfer is nothing to it
            self.session.use(dict.fromkeys(self.session.to_choose))
        if task.kind == "pair":
            return list(self.maker.pair(task, track, seconds, record))
        if task.kind == "generate":
            return [self.maker.generate(task, track, seconds, record)]
        if not task.parts:
            return [self._transfer(task, track, record)]
        parts = [self._transfer(part, track, record).samples for part in task.parts]
        length = min(map(len, parts))
        summed = np.stack([p[:length] for p in parts]).sum(axis=0)
        return [Clip(summed, RATE, task.target, track.id)]

    def _transfer(self, task: Task, track: Track, record: dict[str, Any]) -> Clip:
        """The estimate of a direct task; those that derived tasks are summed from are kept."""
        if (task, track.id) in self.made:
            return self.made[task, track.id]
        if task.name in self.chosen:
            self.session.use(self.chosen[task.name]["values"])
        clip = self.maker.transfer(task, track, self.cell["max_seconds"], record)
        if any(task in derived.parts for derived in self.session.tasks):
            self.made[task, track.id] = clip
        return clip

    def _keep_references(self, record: Mapping[str, Any]) -> None:
        """The item's source and reference as scored, for reports; once a run folder."""
        track = self.corpus.track(record["track"])
        for instrument in {record["source"], record["target"]} & set(track.stems):
            path = self.store.reference(self.cell["references"], instrument, track.id)
            if not path.exists():
                clip = self.corpus.load(track.id, instrument, RATE, self.cell["max_seconds"])
                audio.write(path, clip.samples, RATE)
