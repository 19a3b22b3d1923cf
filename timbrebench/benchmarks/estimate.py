"""What a method makes of the test tracks: estimates as audio, each with its times."""

import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from timbrebench.benchmarks.session import Session
from timbrebench.benchmarks.store import Store, file_name
from timbrebench.core import audio, files, seeds
from timbrebench.core.errors import BenchError, NotApplicable, one_line
from timbrebench.core.interfaces import Vocoder
from timbrebench.core.mel import denormalise
from timbrebench.core.memory import is_out_of_memory
from timbrebench.core.records import Clip, Mels, Task, Track
from timbrebench.core.registry import create, registry

RATE = 16000  # Hz: everything is scored at one rate
STYLE_CLIPS, STYLE_SECONDS = 8, 10.0

Report = Callable[[Mapping[str, Any]], None]


class Estimator:
    """Runs a method over the test items of its cell's tasks."""

    def __init__(self, session: Session, store: Store, folder: Path, report: Report) -> None:
        self.session, self.store, self.folder, self.report = session, store, folder, report
        self.cell = session.cell
        self.made: dict[tuple[Task, str], Clip] = {}
        self.vocoder = self._vocoder()

    def run(self) -> dict[str, Any]:
        """Every item of every task; writes estimates.json last, so that it means 'all made'."""
        items = []
        work = [(t, track) for t in self.session.tasks for track in self._tracks(t)]
        for number, (task, track) in enumerate(work):
            items.append(self._item(task, track))
            self.report(
                {"event": "progress", "what": "estimates", "share": (number + 1) / len(work)}
            )
        record = {"items": items, "vocoder": dict(self.vocoder.provenance) if self.vocoder else {}}
        files.write_json(self.folder / "estimates.json", record)
        return record

    def _tracks(self, task: Task) -> tuple[Track, ...]:
        """Test tracks with both ends; where there is no such track, those with the source."""
        corpus = self.session.corpus
        if not task.source:
            return corpus.tracks_of("test", task.target)
        paired = corpus.tracks_of("test", task.source, task.target)
        return paired or corpus.tracks_of("test", task.source)

    def _vocoder(self) -> Vocoder | None:
        name = self.cell["vocoder"]["name"]
        if not name:
            return None
        return create(registry().find("vocoder", name), self.cell["vocoder"]["values"])

    # ------------------------------------------------------------------ one item

    def _item(self, task: Task, track: Track) -> dict[str, Any]:
        record: dict[str, Any] = {
            "task": task.name,
            "track": track.id,
            "source": task.source,
            "target": task.target if task.target in track.stems else "",
            "status": "ok",
            "reason": "",
            "infer_seconds": 0.0,
            "vocoder_seconds": 0.0,
        }
        try:
            estimate = self._estimate(task, track, record)
        except NotApplicable as error:
            return record | {"status": "not_applicable", "reason": one_line(error)}
        except Exception as error:  # a plugin may raise anything: it ends its own item only
            if is_out_of_memory(error):
                raise
            traceback.print_exc()
            return record | {"status": "failed", "reason": one_line(error)}
        name = Path("estimates") / task.folder / f"{file_name(track.id)}.flac"
        gain = audio.write(self.folder / name, estimate.samples, estimate.rate)
        self._keep_references(task, track)
        return record | {"file": str(name), "audio_seconds": estimate.seconds, "gain": gain}

    def _estimate(self, task: Task, track: Track, record: dict[str, Any]) -> Clip:
        """The estimate at the source's level and RATE; a derived task's is a sum of others."""
        if task.parts:
            parts = [self._part(part, track, record).samples for part in task.parts]
            length = min(map(len, parts))
            summed = np.stack([p[:length] for p in parts]).sum(axis=0)
            return Clip(summed, RATE, task.target, track.id)
        return self._part(task, track, record)

    def _part(self, task: Task, track: Track, record: dict[str, Any]) -> Clip:
        """The estimate of a direct task; those that derived tasks are summed from are kept."""
        if (task, track.id) in self.made:
            return self.made[task, track.id]
        clip = self._call(task, track, record)
        if any(task in derived.parts for derived in self.session.tasks):
            self.made[task, track.id] = clip
        return clip

    def _call(self, task: Task, track: Track, record: dict[str, Any]) -> Clip:
        method = self.session.method
        rng = seeds.generator(self.session.seed, self.cell["references"], task.name, track.id)
        if task.kind == "generate":
            level = self._load(track.id, task.a)
            started = time.monotonic()
            given = method.generate(task.a, 1, level.seconds, [rng])
        else:
            level = self._load(track.id, task.source, method.mel.rate if method.mel else RATE)
            styles = self._styles(task, track.id)
            started = time.monotonic()
            given = method.transfer([level], task, [styles], [rng])
        record["infer_seconds"] += time.monotonic() - started
        clip = _checked(self._as_clip(given, record))
        samples = audio.resample(clip.samples, clip.rate, RATE)
        samples = audio.match_rms(samples, audio.rms(level.samples))
        return Clip(samples, RATE, task.target, track.id)

    def _as_clip(self, given: Mels | list[Clip], record: dict[str, Any]) -> Clip:
        if not isinstance(given, Mels):
            return _only(given)
        assert self.vocoder is not None
        log_mel = denormalise(np.asarray(_only(given.values)), given.state)
        started = time.monotonic()
        samples = self.vocoder.synthesise(np.asarray(log_mel), given.spec, _only(given.lengths))
        record["vocoder_seconds"] += time.monotonic() - started
        return Clip(samples, given.spec.rate)

    # ------------------------------------------------------------------ what goes in

    def _load(self, track: str, instrument: str, rate: int = RATE) -> Clip:
        return self.session.corpus.load(track, instrument, rate, self.cell["max_seconds"])

    def _styles(self, task: Task, track: str) -> list[Clip]:
        """Clips of the target from other, training tracks, drawn for the item."""
        corpus, method = self.session.corpus, self.session.method
        rate = method.mel.rate if method.mel else RATE
        found = [t.id for t in corpus.tracks_of("train", task.target) if t.id != track]
        rng = seeds.generator("styles", self.session.seed, task.target, track)
        drawn = rng.permutation(sorted(found))[:STYLE_CLIPS]
        return [corpus.load(str(t), task.target, rate, STYLE_SECONDS) for t in drawn]

    def _keep_references(self, task: Task, track: Track) -> None:
        """The item's source and reference as scored, for reports; once a run folder."""
        for instrument in {task.source, task.target} & set(track.stems):
            path = self.store.reference(self.cell["references"], instrument, track.id)
            if not path.exists():
                audio.write(path, self._load(track.id, instrument).samples, RATE)


def _checked(clip: Clip) -> Clip:
    shape = np.shape(clip.samples)
    if len(shape) != 1 or not shape[0]:
        raise BenchError(f"the estimate has samples of shape {list(shape)}, not [n].")
    if not np.isfinite(clip.samples).all():
        raise BenchError("the estimate has samples that are no numbers.")
    return clip


def _only(given: Sequence[Any]) -> Any:
    if len(given) != 1:
        raise BenchError(f"the method gave {len(given)} results for one clip.")
    return given[0]
