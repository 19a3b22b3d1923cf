"""The controls against what they should do in closed form."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.signal
import soundfile

from timbrebench.core import audio, seeds
from timbrebench.core.errors import NotApplicable, UnknownName
from timbrebench.core.interfaces import Method
from timbrebench.core.mel import denormalise, log_mel, preset
from timbrebench.core.options import build, describe, resolve
from timbrebench.core.records import Clip, Corpus, Task, Track
from timbrebench.core.registry import load
from timbrebench.methods.controls.filters import TAPS, filter_between
from timbrebench.methods.controls.plugin import INFOS
from timbrebench.testing import tiny_corpus

RATE = 16000
TASK = Task("transfer", "reed", "bell")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    return tiny_corpus(tmp_path_factory.mktemp("tiny"), seconds=2.0)


def control(name: str, corpus: Corpus, **options) -> Method:
    info = next(i for i in INFOS if i.name == name)
    values = resolve(name, describe(info.options), info.presets, options)
    method = load(info.factory)(build(info.options, values), preset(info.mel) if info.mel else None)
    method.setup(corpus, {}, "cpu")
    return method


def clip_of(corpus: Corpus, track: str = "tune4", instrument: str = "reed") -> Clip:
    return corpus.load(track, instrument, RATE)


def one(method: Method, clip: Clip, seed: int = 0, task: Task = TASK):
    return method.transfer([clip], task, [[]], [seeds.generator(seed, clip.track)])


def written_corpus(folder, recordings: dict[str, np.ndarray]) -> Corpus:
    """One training track with a stem for each of the recordings [n]."""
    stems = {}
    for name, samples in recordings.items():
        stems[name] = folder / f"{name}.wav"
        soundfile.write(stems[name], samples, RATE, subtype="FLOAT")
    return Corpus("written", (Track("a", stems),), {"all": (TASK,)}, "x")


def test_copy_is_the_source(corpus):
    clip = clip_of(corpus)
    (made,) = one(control("copy", corpus), clip)
    np.testing.assert_array_equal(made.samples, clip.samples)
    assert (made.instrument, made.track) == ("bell", "tune4")


def test_noise_has_the_level_of_the_source_and_a_flat_spectrum(corpus):
    clip = clip_of(corpus)
    (made,) = one(control("noise", corpus), clip)
    assert audio.rms_db(made.samples) == pytest.approx(audio.rms_db(clip.samples), abs=0.2)
    power = scipy.signal.welch(made.samples, RATE, nperseg=256)[1][1:-1]
    assert power.std() / power.mean() < 0.3


def test_silence_stays_silence_in_noise(corpus):
    silent = replace(clip_of(corpus), samples=np.zeros(8000, np.float32))
    assert not one(control("noise", corpus), silent)[0].samples.any()


# ---------------------------------------------------------------------------- shuffled


def test_shuffled_is_another_test_track_of_the_target(corpus):
    clip = clip_of(corpus, "tune4")
    (made,) = one(control("shuffled", corpus), clip)
    other = corpus.load("tune5", "bell", RATE)
    np.testing.assert_array_equal(made.samples, other.samples)


def test_shuffled_uses_every_track_once_and_none_for_itself(tmp_path):
    corpus = tiny_corpus(tmp_path, split={"train": 2, "test": 5}, seconds=1.0)
    method, ids = control("shuffled", corpus), [f"tune{i}" for i in range(2, 7)]
    real = {corpus.load(i, "bell", RATE).samples.tobytes(): i for i in ids}
    used = [real[one(method, clip_of(corpus, i))[0].samples.tobytes()] for i in ids]
    assert sorted(used) == ids
    assert all(i != other for i, other in zip(ids, used, strict=True))
    assert used != ids[1:] + ids[:1]  # not just the next by name


def test_shuffled_with_one_test_track_takes_a_valid_one(tmp_path):
    corpus = tiny_corpus(tmp_path, split={"train": 1, "valid": 1, "test": 1}, seconds=1.0)
    (made,) = one(control("shuffled", corpus), clip_of(corpus, "tune2"))
    np.testing.assert_array_equal(made.samples, corpus.load("tune1", "bell", RATE).samples)


def test_shuffled_without_another_track_is_not_applicable(tmp_path):
    corpus = tiny_corpus(tmp_path, split={"train": 2, "test": 1}, seconds=1.0)
    with pytest.raises(NotApplicable, match="other than 'tune2'"):
        one(control("shuffled", corpus), clip_of(corpus, "tune2"))


def test_shuffled_is_as_long_as_the_source(corpus):
    method, clip = control("shuffled", corpus), clip_of(corpus)
    short = replace(clip, samples=clip.samples[:5000])
    long = replace(clip, samples=np.tile(clip.samples, 3))
    assert len(one(method, short)[0].samples) == 5000
    made = one(method, long)[0].samples
    assert len(made) == 3 * len(clip.samples)
    np.testing.assert_array_equal(made[: len(clip.samples)], made[len(clip.samples) :][:32000])


# ---------------------------------------------------------------------------- oracle


@pytest.mark.parametrize("name", ["soundstream", "ldm", "audio_diffusion"])
def test_oracle_gives_the_reference_mel_exactly(corpus, name):
    mels = one(control("oracle", corpus, mel=name), clip_of(corpus))
    spec = preset(name)
    truth = log_mel(corpus.load("tune4", "bell", spec.rate).samples, spec).numpy()
    assert mels.spec == spec
    np.testing.assert_allclose(denormalise(mels.values[0], mels.state), truth, atol=1e-5)
    assert mels.lengths == [2 * spec.rate]


def test_oracle_is_as_long_as_a_cut_source(corpus):
    clip = clip_of(corpus)
    mels = one(control("oracle", corpus), replace(clip, samples=clip.samples[:9600]))
    assert mels.lengths == [9600]
    assert mels.values[0].shape == (128, 31)


def test_oracle_without_a_reference_is_not_applicable(corpus):
    with pytest.raises(NotApplicable, match="no counterpart by flute"):
        one(control("oracle", corpus), clip_of(corpus), task=Task("transfer", "reed", "flute"))


# ---------------------------------------------------------------------------- eq, affine


def test_filter_between_recovers_a_known_filter():
    frequencies = np.linspace(0, np.pi, TAPS // 2 + 1)
    known = scipy.signal.firwin2(65, [0, 0.2, 0.5, 1], [1.0, 0.3, 2.0, 0.5])
    response = np.abs(scipy.signal.freqz(known, worN=frequencies, include_nyquist=True)[1])
    before = 1 / (1 + frequencies)
    taps = filter_between(before, before * response**2)
    found = np.abs(scipy.signal.freqz(taps, worN=frequencies, include_nyquist=True)[1])
    np.testing.assert_allclose(found, response, atol=0.01)


def test_eq_turns_a_source_into_its_filtered_self(tmp_path):
    rng = np.random.default_rng(0)
    source = scipy.signal.lfilter([1], [1, -0.8], rng.standard_normal(60 * RATE)) * 0.05
    known = scipy.signal.firwin2(65, [0, 0.2, 0.5, 1], [1.0, 0.3, 2.0, 0.5])
    target = scipy.signal.fftconvolve(source, known, mode="same")  # linear phase, delay out
    corpus = written_corpus(tmp_path, {"reed": source, "bell": target})
    clip = Clip(source[: 2 * RATE].astype(np.float32), RATE, "reed", "a")
    (made,) = one(control("eq", corpus), clip)
    truth = target[: 2 * RATE]
    inside = slice(TAPS, -TAPS)
    assert audio.rms_db((made.samples - truth)[inside]) < audio.rms_db(truth) - 30


def test_eq_leaves_an_instrument_alone_that_is_its_own_target(tmp_path):
    noise = np.random.default_rng(0).standard_normal(20 * RATE) * 0.1
    corpus = written_corpus(tmp_path, {"reed": noise, "bell": noise})
    clip = Clip(noise[:RATE].astype(np.float32), RATE, "reed", "a")
    (made,) = one(control("eq", corpus), clip)
    np.testing.assert_allclose(made.samples, clip.samples, atol=1e-4)


def test_eq_never_lifts_a_band_by_more_than_its_limit():
    before, after = np.ones(TAPS // 2 + 1), np.ones(TAPS // 2 + 1)
    before[200:300] = 0  # the source has nothing there
    gain = np.abs(np.fft.rfft(filter_between(before, after)))
    assert gain.max() < 200


def test_affine_gives_the_bands_the_mean_and_deviation_of_the_target(tmp_path):
    rng = np.random.default_rng(0)
    source = rng.standard_normal(20 * RATE) * 0.1
    target = scipy.signal.lfilter([1], [1, -0.8], rng.standard_normal(20 * RATE)) * 0.1
    corpus = written_corpus(tmp_path, {"reed": source, "bell": target})
    clip = Clip(source.astype(np.float32), RATE, "reed", "a")
    mels = one(control("affine", corpus), clip)
    made = denormalise(mels.values[0], mels.state)
    truth = log_mel(target.astype(np.float32), mels.spec).numpy()
    np.testing.assert_allclose(made.mean(1), truth.mean(1), atol=0.01)
    np.testing.assert_allclose(made.std(1), truth.std(1), atol=0.01)


def test_affine_is_an_affine_map_of_each_band(corpus):
    clip = clip_of(corpus)
    mels = one(control("affine", corpus), clip)
    source = log_mel(clip.samples, mels.spec).numpy()
    for band in (5, 20, 40):
        assert np.corrcoef(source[band], mels.values[0][band])[0, 1] == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("name", ["eq", "affine"])
def test_filters_without_training_tracks_are_not_applicable(tmp_path, name):
    corpus = tiny_corpus(tmp_path, split={"test": 1}, seconds=1.0)
    with pytest.raises(NotApplicable, match="no training track by"):
        one(control(name, corpus), clip_of(corpus, "tune0"))


@pytest.mark.parametrize("name", ["eq", "affine"])
def test_filters_are_fitted_to_training_tracks_only(tmp_path, name):
    whole = tiny_corpus(tmp_path, seconds=1.0)
    train = replace(whole, tracks=whole.tracks_of("train"))
    clip = clip_of(whole)
    made = [one(control(name, corpus), clip) for corpus in (whole, train)]
    first, second = ([m[0].samples] if name == "eq" else m.values for m in made)
    np.testing.assert_array_equal(first[0], second[0])


# ---------------------------------------------------------------------------- generation


def test_shuffled_generates_excerpts_of_test_tracks(corpus):
    rngs = [seeds.generator(i) for i in range(3)]
    made = control("shuffled", corpus).generate("bell", 3, 0.5, rngs)
    tests = [corpus.load(id, "bell", RATE).samples for id in ("tune4", "tune5")]
    windows = [np.lib.stride_tricks.sliding_window_view(t, 8000) for t in tests]
    for clip in made:
        assert len(clip.samples) == 8000
        assert any((w == clip.samples).all(axis=1).any() for w in windows)


def test_oracle_and_shuffled_generate_the_same_excerpts(corpus):
    clips = control("shuffled", corpus).generate("bell", 1, 0.5, [seeds.generator(7)])
    mels = control("oracle", corpus).generate("bell", 1, 0.5, [seeds.generator(7)])
    truth = log_mel(clips[0].samples, mels.spec).numpy()
    np.testing.assert_allclose(mels.values[0], truth, atol=1e-5)


def test_noise_is_generated_at_the_length_asked_for(corpus):
    (made,) = control("noise", corpus).generate("bell", 1, 0.7, [seeds.generator(7)])
    assert len(made.samples) == 11200
    assert audio.rms(made.samples) > 0


# ---------------------------------------------------------------------------- pairs


def rngs_of(count: int) -> list[np.random.Generator]:
    return [seeds.generator(i) for i in range(count)]


def places(corpus: Corpus, clip: Clip, instrument: str) -> set[tuple[str, int]]:
    """The (test track, sample) at which the instrument plays just what the clip holds."""
    found = set()
    for track in corpus.tracks_of("test"):
        samples = corpus.load(track.id, instrument, RATE).samples
        beginnings = np.lib.stride_tricks.sliding_window_view(samples, 100)
        for start in np.flatnonzero((beginnings == clip.samples[:100]).all(axis=1)):
            if np.array_equal(samples[start:][: len(clip.samples)], clip.samples):
                found.add((track.id, int(start)))
    return found


def in_parts(corpus: Corpus) -> Corpus:
    """Where reed and bell play different parts of a piece."""
    parts = {"reed": "melody", "bow": "melody", "bell": "accompaniment"}
    return replace(corpus, tracks=tuple(replace(t, parts=parts) for t in corpus.tracks))


def test_shuffled_pairs_are_of_different_tracks(corpus):
    first, second = control("shuffled", corpus).generate_pair("reed", "bell", 6, 0.5, rngs_of(6))
    for one_half, other_half in zip(first, second, strict=True):
        tracks = [{t for t, _ in places(corpus, one_half, "reed")}]
        tracks += [{t for t, _ in places(corpus, other_half, "bell")}]
        assert tracks[0] and tracks[1] and not tracks[0] & tracks[1]


def test_shuffled_pairs_of_a_single_test_track_are_not_applicable(tmp_path):
    corpus = tiny_corpus(tmp_path, split={"train": 2, "test": 1}, seconds=1.0)
    with pytest.raises(NotApplicable, match="other than 'tune2'"):
        control("shuffled", corpus).generate_pair("reed", "bell", 1, 0.5, rngs_of(1))


def test_oracle_pairs_are_one_moment_of_one_piece_of_any_parts(corpus):
    oracle = control("oracle", in_parts(corpus))
    halves = oracle.generate_pair("reed", "bell", 3, 0.5, rngs_of(3))
    excerpts = control("other", in_parts(corpus), instrument="bell").generate(
        "reed", 3, 0.5, rngs_of(3)
    )
    for i, clip in enumerate(excerpts):  # the same stream draws the same place
        ((track, start),) = places(corpus, clip, "bell")
        for half, name in zip(halves, ("reed", "bell"), strict=True):
            samples = corpus.load(track, name, RATE).samples[start : start + 8000]
            truth = log_mel(samples, half.spec).numpy()
            np.testing.assert_allclose(half.values[i], truth, atol=1e-5)


def test_oracle_pairs_need_a_track_with_both(corpus):
    with pytest.raises(NotApplicable, match="no test track by reed and flute"):
        control("oracle", corpus).generate_pair("reed", "flute", 1, 0.5, rngs_of(1))


def test_noise_pairs_are_two_noises(corpus):
    (first,), (second,) = control("noise", corpus).generate_pair("reed", "bell", 1, 1.5, rngs_of(1))
    assert (first.instrument, second.instrument) == ("reed", "bell")
    assert abs(np.corrcoef(first.samples, second.samples)[0, 1]) < 0.05


# ---------------------------------------------------------------------------- other


def written_instruments(folder, recordings: dict[str, np.ndarray]) -> Corpus:
    """Two tracks, for training and for testing, with a stem for each of the recordings."""
    (track,) = written_corpus(folder, recordings).tracks
    tracks = (replace(track, id="a"), replace(track, id="b", split="test"))
    return Corpus("written", tracks, {}, "x")


def coloured(seed: int, pole: float) -> np.ndarray:
    """Four seconds of noise with more or less treble."""
    noise = np.random.default_rng(seed).standard_normal(4 * RATE)
    return 0.1 * scipy.signal.lfilter([1 - pole], [1, -pole], noise)


def test_other_is_the_nearest_in_timbre_whatever_its_level(tmp_path):
    corpus = written_instruments(
        tmp_path,
        {
            "dark": coloured(0, 0.9),
            "dim": 0.02 * coloured(1, 0.7),
            "bright": coloured(2, 0.0),
            "dark+bright": coloured(3, 0.9),  # as near as can be, and no other instrument
        },
    )
    (made,) = control("other", corpus).generate("dark", 1, 0.5, rngs_of(1))
    assert made.instrument == "dark" and places(corpus, made, "dim")
    (made,) = control("other", corpus).generate("dark+bright", 1, 0.5, rngs_of(1))
    assert places(corpus, made, "dim")


def test_other_can_be_named(corpus):
    method = control("other", corpus, instrument="bell")
    (made,) = method.generate("bow", 1, 0.5, rngs_of(1))
    assert places(corpus, made, "bell")
    with pytest.raises(NotApplicable, match="no test track by 'bell' to play instead of 'bell'"):
        method.generate("bell", 1, 0.5, rngs_of(1))
    with pytest.raises(NotApplicable, match="cannot play both halves"):
        method.generate_pair("reed", "bow", 1, 0.5, rngs_of(1))
    with pytest.raises(UnknownName, match="flute"):
        control("other", corpus, instrument="flute")


def test_other_pairs_are_one_moment_by_two_other_instruments(corpus):
    first, second = control("other", corpus).generate_pair("reed", "bow", 3, 0.5, rngs_of(3))
    for one_half, other_half in zip(first, second, strict=True):
        assert (one_half.instrument, other_half.instrument) == ("reed", "bow")
        found = [
            (name, places(corpus, half, name))
            for half, asked in ((one_half, "reed"), (other_half, "bow"))
            for name in set(corpus.instruments) - {asked}
            if places(corpus, half, name)
        ]
        (name, place), (other_name, other_place) = found
        assert name != other_name and place & other_place


def test_other_of_a_lone_instrument_is_not_applicable(tmp_path):
    corpus = written_instruments(tmp_path, {"reed": coloured(0, 0.5)})
    with pytest.raises(NotApplicable, match="no test track by another instrument"):
        control("other", corpus).generate("reed", 1, 0.5, rngs_of(1))
