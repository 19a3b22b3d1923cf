"""A run that is killed at every kind of point ends as one that never was.

Each chain is one run folder: its run is killed at one point after another, and the same command is
given again each time.
"""

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from killed_runs import (
    Point,
    Runs,
    finished,
    half_files,
    lost_checkpoints,
    parts,
    results,
    undisturbed,
)

pytestmark = pytest.mark.acceptance

WORDS = (
    "--methods palette,copy --no-controls --steps 16 --precision fp32 --tasks bell:bow,reed:bow "
    "-o palette.widths=8/8/16 -o palette.blocks=1 -o palette.batch=4 -o palette.steps=2 "
    "--checkpoint-seconds 0 --metrics mel_l1,fad_logmel,runtime"
).split()
TIMED_KILLS = 8  # after a random time, beside those at points

# In the order in which a run comes to them. `number` is the greatest that may be drawn.
POINTS = [
    Point("planning", "bench", "rename", "run.json"),
    Point("planning", "bench", "rename", "cell.json", 2),
    Point("starting a worker", "bench", "rename", "*.job.json", 1),
    Point("training, between steps", "train", "make", "*.pt", 4),
    Point("training, in a step", "train", "make", "*.pt", 4, after=0.02),
    Point("training, in a step", "train", "make", "*.pt", 4, how="bench", after=0.02),
    Point("checkpoint, half written", "train", "make", "*.pt", 3, how="write"),
    Point("checkpoint, before its hash is there", "train", "rename", "checkpoint.sha256", 3),
    Point("checkpoint, before the old one moves", "train", "rename", "checkpoint-previous.pt", 3),
    Point("checkpoint, before the new one is there", "train", "rename", "checkpoint.pt", 3),
    Point("model, half written", "train", "make", "*.safetensors", 1, how="write"),
    Point("model, before it is there", "train", "rename", "model.safetensors", how="both"),
    Point("model, before its curve", "train", "rename", "curve.jsonl"),
    Point("model, before its record", "train", "rename", "stage.json", how="bench"),
    Point("model, before its checkpoints go", "train", "remove", "checkpoint*", 2),
    Point("training, before the answer", "train", "rename", "train.json"),
    Point("generating, between items", "evaluate", "rename", "estimates.partial.json", 2),
    Point("generating, half written", "evaluate", "make", "*.flac", 3, how="write"),
    Point("generating, before an estimate is there", "evaluate", "rename", "tune?.flac", 2),
    Point("generating, in an item", "evaluate", "make", "*.flac", 1, after=0.02),
    Point("generating, before its record", "evaluate", "rename", "estimates.json", how="both"),
    Point("generating, before its cost", "evaluate", "rename", "outcome.json"),
    Point("scoring, half written", "evaluate", "make", "*.npz", how="write"),
    Point("scoring, before its evidence is there", "evaluate", "rename", "fad*.npz", how="bench"),
    Point("scoring, before a score is there", "evaluate", "rename", "fad*.json"),
    Point("scoring, before the answer", "evaluate", "rename", "evaluate.json", how="both"),
    Point("result of a cell", "bench", "rename", "result.json"),
    Point("scores of the run", "bench", "rename", "scores.jsonl"),
    Point("scores of the run", "bench", "rename", "scores.csv"),
    Point("comparing", "compare", "rename", "compare.json", how="self"),
    Point("comparing", "compare", "rename", "compare.json", how="bench"),
    Point("comparisons of the run", "bench", "rename", "comparisons.json"),
    Point("the last of all", "bench", "remove", ".outdated"),
]


def drawn(point: Point, rng: random.Random) -> Point:
    return replace(point, number=rng.randint(1, point.number), bytes=rng.randint(1, 4000))


def chain(runs: Runs, moments: list[Point] | list[float]) -> Counter[str]:
    """Kills by phase; checks the folder after each."""
    kills: Counter[str] = Counter()
    for point in moments:
        before = finished(runs.out)
        if isinstance(point, float):
            kills["at a random time"] += runs.killed_after(point)
        else:
            assert runs.killed(point), f"it did not come to {point}"
            kills[point.phase] += 1
        assert not half_files(runs.out), point
        assert not lost_checkpoints(runs.out), point
        after = finished(runs.out)
        assert {name: after.get(name) for name in before} == before, point
        assert len(parts(runs.out)) <= 2, point  # of this kill, not of all
    return kills


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    return undisturbed(tmp_path_factory.mktemp("whole"), WORDS)


@pytest.fixture(scope="module")
def kills() -> Counter[str]:
    return Counter()


@pytest.mark.parametrize("number", range(3))
def test_kills_change_nothing(
    whole: Runs, tmp_path: Path, kills: Counter[str], number: int
) -> None:
    """Every second point, the others, and random times."""
    rng = random.Random(number)
    times = [rng.uniform(1.0, 6.0) for _ in range(TIMED_KILLS)]
    moments = ([drawn(p, rng) for p in POINTS[::2]], [drawn(p, rng) for p in POINTS[1::2]], times)
    runs = Runs(whole.data, tmp_path / "run", whole.words)
    runs.out.mkdir()
    kills.update(chain(runs, moments[number]))
    before = finished(runs.out)
    code, told = runs.run()
    assert code == 0, told
    assert finished(runs.out).items() >= before.items()
    assert results(runs.out) == results(whole.out)
    assert parts(runs.out) == []
    assert not list(runs.out.glob("models/*/checkpoint*"))
    assert "started" not in runs.run()[1]


def test_every_point_was_reached(kills: Counter[str]) -> None:
    if not kills:
        pytest.skip("the kills have not been run")
    assert {point.phase for point in POINTS} <= set(+kills)
    assert kills.total() >= len(POINTS) >= 30
    print(kills)
