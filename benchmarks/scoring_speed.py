"""How fast scoring is, beside what others use: docs/results/scoring-speed.md.

    python benchmarks/scoring_speed.py                # 200 clips of 10 s; about five minutes
    python benchmarks/scoring_speed.py --clips 20     # a look whether it works

Everything is measured in one run on one machine, with random VGGish weights (speed does not depend
on them) and music-like noise. Nothing is downloaded, and the user's cache is not touched.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import types
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf

RATE, SECONDS = 16000, 10.0
ROOT = Path(__file__).parents[1]
RESULT = ROOT / "docs" / "results" / "scoring-speed.md"
DIMENSIONS = (512, 1024, 2048)
# `bench score` with these weights as the known ones, in its worker processes too.
SCORE = """
import os
import sys
from timbrebench.core import weights

digest = os.environ["RANDOM_VGGISH"]
made = weights.Weights("vggish", "random.pth", "", digest, 0)
weights.KNOWN = {**weights.KNOWN, "vggish": made}
if __name__ == "__main__":
    from timbrebench.cli import main

    sys.exit(main(sys.argv[1:]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clips", type=int, default=200, help="of 10 s, on both sides together")
    parser.add_argument("--result", type=Path, default=RESULT, help="page to write")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lines = page(Path(folder), given.clips)
    given.result.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


def page(folder: Path, clips: int) -> list[str]:
    rows = [
        *vggish_rows(folder, clips),
        *frechet_rows(),
        *inversion_rows(folder),
        *jaccard_rows(folder),
    ]
    head = ["what", "theirs (s)", "ours (s)", "ratio", "agreement"]
    return [
        "# How fast scoring is",
        "",
        "Written by `python benchmarks/scoring_speed.py`: everything in one run on one machine.",
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}.",
        "",
        f"| {' | '.join(head)} |",
        f"| {' | '.join(['---', *['---:'] * 4])} |",
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
        *memory_lines(folder),
    ]


def row(what: str, theirs: float, ours: float, agreement: str) -> list[str]:
    return [what, f"{theirs:.3g}", f"{ours:.3g}", f"{theirs / ours:.1f}", agreement]


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    answer = call()
    return time.perf_counter() - started, answer


def best(call: Callable[[], Any]) -> tuple[float, Any]:
    """The shortest of three, for what is over soon: a machine is rarely alone."""
    times, answers = zip(*(timed(call) for _ in range(3)), strict=True)
    return min(times), answers[0]


# ---------------------------------------------------------------------------- VGGish


def vggish_rows(folder: Path, clips: int) -> Iterator[list[str]]:
    sides = [folder / "clips" / side for side in ("reference", "estimate")]
    write_clips(sides, clips // 2)
    digest = random_weights(folder)
    theirs, expected = timed(lambda: their_score(folder, *sides))
    cold, found = timed(lambda: our_score(folder, digest, *sides))
    warm, again = timed(lambda: our_score(folder, digest, *sides))
    assert found == again
    value = found["metrics"]["fad_vggish"]["value"]
    apart = f"{abs(value - expected) / expected:.1e}"
    what = f"FAD, VGGish, {clips} clips of {SECONDS:g} s"
    yield row(f"{what}, cold", theirs, cold, apart)
    yield row(f"{what}, warm", theirs, warm, apart)


def write_clips(sides: list[Path], count: int, prefix: str = "") -> None:
    rng = np.random.default_rng(len(prefix))
    time_axis = np.arange(int(SECONDS * RATE)) / RATE
    for side, tilt in zip(sides, (1.0, 1.3), strict=False):
        side.mkdir(parents=True, exist_ok=True)
        for index in range(count):
            hertz = 110 * 2 ** rng.uniform(0, 3)
            tone = sum(np.sin(2 * np.pi * h * hertz * time_axis) / h**tilt for h in range(1, 8))
            pulse = 0.5 + 0.5 * np.sin(2 * np.pi * rng.uniform(0.5, 4) * time_axis)
            noise = rng.standard_normal(len(time_axis))
            samples = 0.1 * tone * pulse + 0.005 * noise
            # At the loudness that timbre is compared at: the other package has no such rule.
            samples *= 10 ** (-23 / 20) / np.sqrt(np.mean(samples**2))
            sf.write(side / f"{prefix}{index:04}.wav", samples, RATE, subtype="FLOAT")


def random_weights(folder: Path) -> str:
    """The sha256 of VGGish weights that were drawn, in a cache of their own."""
    import torch
    from torchvggish.torchvggish import VGG, make_layers

    from timbrebench.core.files import sha256_of

    torch.manual_seed(0)
    file = folder / "cache" / "weights" / "random.pth"
    file.parent.mkdir(parents=True)
    torch.save(VGG(make_layers(), postprocess=False).state_dict(), file)
    return sha256_of(file)


def their_score(folder: Path, reference: Path, estimate: Path) -> float:
    """frechet-audio-distance with its own VGGish, whose hub is replaced by the same weights."""
    import torch
    from frechet_audio_distance import FrechetAudioDistance
    from torchvggish import vggish_input
    from torchvggish.torchvggish import VGG, make_layers

    class Network(VGG):
        """As the hub's: audio in."""

        def forward(self, samples: Any, rate: int) -> Any:
            return VGG.forward(self, vggish_input.waveform_to_examples(samples, rate))

    network = Network(make_layers(), postprocess=False)
    state = torch.load(folder / "cache" / "weights" / "random.pth", weights_only=True)
    network.load_state_dict(state)
    hub = types.SimpleNamespace(load=lambda **words: network, get_dir=lambda: str(folder))
    real, torch.hub = torch.hub, hub
    try:
        scorer = FrechetAudioDistance(model_name="vggish")
    finally:
        torch.hub = real
    return float(scorer.score(str(reference), str(estimate)))


def our_score(folder: Path, digest: str, reference: Path, estimate: Path) -> Any:
    """The command, process start and all."""
    script = folder / "score.py"
    script.write_text(SCORE)
    words = ["score", "--reference", str(reference), "--estimate", str(estimate)]
    words += ["--metrics", "fad_vggish", "--json"]
    environment = os.environ | {
        "TIMBREBENCH_CACHE": str(folder / "cache"),
        "RANDOM_VGGISH": digest,
    }
    done = subprocess.run(
        [sys.executable, str(script), *words],
        capture_output=True,
        text=True,
        env=environment,
    )
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    return json.loads(done.stdout)


# ---------------------------------------------------------------------------- Fréchet distance


def frechet_rows() -> Iterator[list[str]]:
    from frechet_audio_distance import FrechetAudioDistance

    from timbrebench.benchmarks.metrics.frechet import frechet_distance, gaussian

    theirs: Callable[..., Any] = FrechetAudioDistance.calculate_frechet_distance
    rng = np.random.default_rng(0)
    for dimension in DIMENSIONS:
        mix = rng.standard_normal((dimension, dimension)) / np.sqrt(dimension)
        one = gaussian(rng.standard_normal((2 * dimension, dimension)) @ mix)
        two = gaussian(1.2 * rng.standard_normal((2 * dimension, dimension)) @ mix + 0.1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            slow, expected = best(lambda one=one, two=two: theirs(None, *one, *two))
        fast, found = best(lambda one=one, two=two: frechet_distance(*one, *two))
        apart = abs(found - float(np.real(expected))) / found
        yield row(f"Fréchet distance, d = {dimension}, against `sqrtm`", slow, fast, f"{apart:.1e}")


# ---------------------------------------------------------------------------- Griffin-Lim


def inversion_rows(folder: Path) -> Iterator[list[str]]:
    """A log-mel → audio, librosa in its own default of 32 rounds; the error of both is told."""
    import librosa

    from timbrebench.core.mel import log_mel, preset
    from timbrebench.core.registry import create, registry, values_of

    spec = preset("soundstream")
    samples, _ = sf.read(folder / "clips" / "reference" / "0000.wav", dtype="float32")
    mel = log_mel(samples, spec).numpy()
    entry = registry().find("vocoder", "griffinlim")
    vocoder = create(entry, values_of(entry, {}))

    def error(made: np.ndarray) -> float:
        return float(np.abs(log_mel(made.astype(np.float32), spec).numpy() - mel).mean())

    def librosas(rounds: int) -> np.ndarray:
        return librosa.feature.inverse.mel_to_audio(
            np.exp(mel),
            sr=spec.rate,
            n_fft=spec.n_fft,
            hop_length=spec.hop,
            win_length=spec.win,
            power=spec.power,
            n_iter=rounds,
            fmin=spec.fmin,
            fmax=spec.fmax,
            htk=spec.htk,
            norm=None if spec.htk else "slaney",
            length=len(samples),
        )

    vocoder.synthesise(mel, spec, len(samples))  # once for what is loaded and cached
    librosas(1)
    fast, made = timed(lambda: vocoder.synthesise(mel, spec, len(samples)))
    slow, theirs = timed(lambda: librosas(32))
    yield row(
        "Griffin-Lim of 10 s against `mel_to_audio` with 32 rounds",
        slow,
        fast,
        f"mel L1 {error(made):.3f} against {error(theirs):.3f}",
    )


# ---------------------------------------------------------------------------- Jaccard over cores


def jaccard_rows(folder: Path) -> Iterator[list[str]]:
    sides = [folder / "clips" / side for side in ("reference", "estimate")]
    few = [folder / "few" / side for side in ("reference", "estimate")]
    for side, own in zip(sides, few, strict=True):
        own.mkdir(parents=True)
        for file in sorted(side.iterdir())[:16]:
            (own / file.name).symlink_to(file)
    words = ["--reference", str(few[0]), "--estimate", str(few[1])]
    command = [sys.executable, "-m", "timbrebench", "score", *words]
    command += ["--metrics", "jaccard_melodia16k", "--json"]

    def run(jobs: int) -> float:
        words = [*command, "--jobs", str(jobs)]
        return timed(lambda: subprocess.run(words, capture_output=True, check=True))[0]

    cores = os.cpu_count() or 1
    one, all_cores = run(1), run(cores)
    yield row(f"pitch Jaccard of 16 pairs, 1 process against {cores}", one, all_cores, "–")


# ---------------------------------------------------------------------------- memory


def memory_lines(folder: Path) -> list[str]:
    """The greatest memory of a process while few and many clips are scored."""
    found = []
    for count in (200, 2000):
        sides = [folder / f"many{count}" / side for side in ("reference", "estimate")]
        write_clips(sides, 1)
        for side in sides:  # one file's content under many headers would be known: each has its own
            base, _ = sf.read(next(side.iterdir()), dtype="float32")
            for index in range(1, count // 2):
                sf.write(side / f"{index:04}.wav", base[: 32000 + index], RATE, subtype="FLOAT")
        words = ["--reference", str(sides[0]), "--estimate", str(sides[1])]
        script = (
            "import resource, sys; from timbrebench.cli import main; "
            "from timbrebench.core.memory import peak_rss; "
            f"main({['score', *words, '--metrics', 'fad_logmel', '--json']!r}); "
            "own = peak_rss() // 1024; "  # ru_maxrss inherits the parent's
            "child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss; "
            "print(own, child, file=sys.stderr)"
        )
        environment = os.environ | {"TIMBREBENCH_CACHE": str(folder / f"cache{count}")}
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, env=environment
        )
        own, child = map(int, done.stderr.split()[-2:])
        found.append(
            f"{count} clips: {own / 1024:.0f} MiB in the command, "
            f"{child / 1024:.0f} MiB in a worker"
        )
    return [f"Memory while `fad_logmel` is scored: {'; '.join(found)}."]


if __name__ == "__main__":
    main()
