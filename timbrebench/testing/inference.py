"""Checks of what a method makes."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from timbrebench.core.interfaces import Method
from timbrebench.core.records import Clip, Corpus, Mels, Task
from timbrebench.core.seeds import generator
from timbrebench.testing.problems import Problems

if TYPE_CHECKING:
    import numpy as np

SHORT, SHORTEST = 1.3, 0.1  # seconds; the second is the least that audio files may last
SECONDS = 1.5  # of a generated clip
TOLERANCE = 1e-3  # of the largest value, between two orders of the same sums

Output = Mels | list[Clip]


def check_inference(problems: Problems, method: Method, tasks: Sequence[Task]) -> None:
    """Everything that the method makes of the tasks, one of a kind."""
    for task in tasks:
        if task.kind == "transfer":
            check_transfer(problems, method, task, _rate(method))
        elif task.kind == "generate":
            check_generate(problems, method, task.a)
        else:
            check_generate_pair(problems, method, task.a, task.b)


def check_calls_succeed(problems: Problems, method: Method, tasks: Sequence[Task]) -> None:
    """One call a task while options that the benchmark chooses are none."""
    corpus = method.corpus
    assert corpus is not None
    for task in tasks:
        rngs = [generator("check", 0)]
        with problems.attempt(f"{task.kind} with no option chosen"):
            if task.kind == "transfer":
                track = corpus.tracks_of("test", task.source)[0]
                clip = corpus.load(track.id, task.source, _rate(method), SHORT)
                method.transfer([clip], task, [_styles(corpus, task, _rate(method))], rngs)
            elif task.kind == "generate":
                method.generate(task.a, 1, SECONDS, rngs)
            else:
                method.generate_pair(task.a, task.b, 1, SECONDS, rngs)


def check_transfer(problems: Problems, method: Method, task: Task, rate: int) -> None:
    """Two clips of different length together, again, and one by one; then hard ones."""
    corpus = method.corpus
    assert corpus is not None
    tracks = corpus.tracks_of("test", task.source, task.target)[:2]
    clips = [corpus.load(t.id, task.source, rate) for t in tracks]
    clips[-1] = replace(clips[-1], samples=clips[-1].samples[: round(SHORT * rate)])
    kept = [clip.samples.copy() for clip in clips]
    styles = _styles(corpus, task, rate)

    def transfer(chosen: Sequence[int]) -> Output:
        return method.transfer(
            [clips[i] for i in chosen],
            task,
            [styles] * len(chosen),
            [generator("check", i) for i in chosen],
        )

    lengths = [clip.seconds for clip in clips]
    _check_calls(problems, "transfer", transfer, lengths, [task.target] * 2)
    same = all((a == c.samples).all() for a, c in zip(kept, clips, strict=True))
    problems.expect(same, "transfer changes the clips that it is given")
    for what, samples in _hard(clips[0].samples, rate).items():
        with problems.attempt(f"transfer of {what}"):
            clip = replace(clips[0], samples=samples)
            made = method.transfer([clip], task, [styles], [generator("hard")])
            told = f"transfer of {what}"
            _check_output(problems, told, made, [clip.seconds], [task.target])


def check_generate(problems: Problems, method: Method, instrument: str) -> None:
    """As :func:`check_transfer`, for new clips."""

    def generate(chosen: Sequence[int]) -> Output:
        rngs = [generator("check", i) for i in chosen]
        return method.generate(instrument, len(chosen), SECONDS, rngs)

    _check_calls(problems, "generate", generate, [SECONDS] * 2, [instrument] * 2)


def check_generate_pair(problems: Problems, method: Method, a: str, b: str) -> None:
    """As :func:`check_generate`, for both sides of a pair."""
    for side, instrument in enumerate((a, b)):

        def generate(chosen: Sequence[int], side: int = side) -> Output:
            rngs = [generator("check", i) for i in chosen]
            return method.generate_pair(a, b, len(chosen), SECONDS, rngs)[side]

        _check_calls(problems, "generate_pair", generate, [SECONDS] * 2, [instrument] * 2)


def _check_calls(
    problems: Problems,
    told: str,
    call: Callable[[Sequence[int]], Output],
    seconds: list[float],
    instruments: list[str],
) -> None:
    with problems.attempt(told):
        together = call([0, 1])
        if not _check_output(problems, told, together, seconds, instruments):
            return
        _expect_same(
            problems,
            _values(together),
            _values(call([0, 1])),
            f"{told} gives another result under the same rngs",
        )
        alone = [*_values(call([0])), *_values(call([1]))]
        _expect_same(
            problems,
            _values(together),
            alone,
            f"{told} of an item depends on what else is in the call",
        )


def _check_output(
    problems: Problems, told: str, made: Any, seconds: list[float], instruments: list[str]
) -> bool:
    """Form, lengths and finite values; False where nothing can be compared."""
    before = len(problems.found)
    if isinstance(made, Mels):
        _check_mels(problems, told, made, seconds)
    elif isinstance(made, list) and all(isinstance(clip, Clip) for clip in made):
        _check_clips(problems, told, made, seconds, instruments)
    else:
        problems.expect(False, f"{told} gives neither Mels nor a list of Clip")
    return len(problems.found) == before


def _check_mels(problems: Problems, told: str, made: Mels, seconds: list[float]) -> None:
    import numpy as np

    count = len(made.values) == len(made.lengths) == len(seconds)
    if not problems.expect(count, f"{told} gives {len(made.values)} items for {len(seconds)}"):
        return
    for values, length, wanted in zip(made.values, made.lengths, seconds, strict=True):
        shape = (made.spec.n_mels, made.spec.frames_of(length))
        problems.expect(
            values.shape == shape, f"{told} gives a mel {values.shape} where {shape} is due"
        )
        near = abs(length / made.spec.rate - wanted) < 0.05
        problems.expect(near, f"{told} gives {length / made.spec.rate:.3f} s for {wanted:.3f} s")
        problems.expect(np.isfinite(values).all(), f"{told} gives values that are not finite")


def _check_clips(
    problems: Problems, told: str, made: list[Clip], seconds: list[float], instruments: list[str]
) -> None:
    import numpy as np

    if not problems.expect(
        len(made) == len(seconds), f"{told} gives {len(made)} items for {len(seconds)}"
    ):
        return
    for clip, wanted, instrument in zip(made, seconds, instruments, strict=True):
        form = clip.samples.ndim == 1 and clip.samples.dtype == np.float32
        problems.expect(form, f"{told} gives samples that are not float32 [n]")
        near = abs(clip.seconds - wanted) < 0.05
        problems.expect(near, f"{told} gives {clip.seconds:.3f} s for {wanted:.3f} s")
        finite = np.isfinite(clip.samples).all()
        problems.expect(finite, f"{told} gives samples that are not finite")
        problems.expect(
            clip.instrument == instrument,
            f"{told} gives a clip by '{clip.instrument}', not '{instrument}'",
        )


def _values(made: Output) -> list["np.ndarray"]:
    """What is compared: log-mels or samples."""
    from timbrebench.core.mel import denormalise

    if isinstance(made, Mels):
        return [denormalise(values, made.state) for values in made.values]
    return [clip.samples for clip in made]


def _expect_same(
    problems: Problems, one: list["np.ndarray"], other: list["np.ndarray"], sentence: str
) -> None:
    import numpy as np

    for a, b in zip(one, other, strict=True):
        close = a.shape == b.shape and np.allclose(a, b, rtol=0, atol=TOLERANCE * np.abs(a).max())
        problems.expect(close, sentence)


def _rate(method: Method) -> int:
    """Hz that its clips come at."""
    assert method.corpus is not None
    return method.mel.rate if method.mel else method.corpus.rate


def _styles(corpus: Corpus, task: Task, rate: int) -> list[Clip]:
    tracks = corpus.tracks_of("train", task.target)[:2]
    return [corpus.load(t.id, task.target, rate) for t in tracks]


def _hard(samples: "np.ndarray", rate: int) -> dict[str, "np.ndarray"]:
    import numpy as np

    return {
        "silence": np.zeros(round(SHORT * rate), np.float32),
        f"{SHORTEST:g} s": samples[: round(SHORTEST * rate)],
    }
