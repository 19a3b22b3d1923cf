import pytest

from timbrebench.core.errors import (
    BadAudio,
    BenchError,
    CannotMeasure,
    UnknownName,
    nearest,
    one_line,
)


def test_an_error_is_one_line_with_the_next_step() -> None:
    error = BenchError("there is no run.", hint="Make one: bench run")
    assert str(error) == "there is no run. Make one: bench run"
    assert error.exit_code == 2
    assert str(BenchError("there is no run.")) == "there is no run."


def test_an_unknown_name_comes_with_the_nearest_ones() -> None:
    error = UnknownName("method", "pallete", ["palette", "ldm", "copy"])
    assert str(error) == "unknown method 'pallete'. Did you mean palette?"


def test_an_unknown_name_like_no_other_comes_with_all() -> None:
    told = str(UnknownName("method", "xyz", ["palette", "ldm"], hint="See: bench list"))
    assert told == "unknown method 'xyz'. Known: ldm, palette. See: bench list"
    many = str(UnknownName("track", "xyz", [f"{i:03}" for i in range(40)]))
    assert many.endswith("010, 011, ….")


def test_an_unknown_name_where_there_is_none() -> None:
    assert str(UnknownName("method", "x", [])) == "unknown method 'x'. There is no method at all."


def test_bad_audio_names_the_file_and_the_reason() -> None:
    assert str(BadAudio("a/b.wav", "it is empty")) == "a/b.wav: it is empty."


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("bad\nvalue"), "ValueError: bad"),
        (AssertionError(), "AssertionError"),
        (BenchError("no run.", hint="Make one."), "no run. Make one."),
        (CannotMeasure("too short"), "too short"),
    ],
)
def test_an_error_as_a_reason(error: Exception, told: str) -> None:
    assert one_line(error) == told


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("Palette", ["palette"]),
        ("fad", ["fad_logmel", "fad_vggish"]),  # by their beginning
        ("fad_logmle", ["fad_logmel"]),
        ("quite another", []),
        ("", []),
    ],
)
def test_nearest(name: str, found: list[str]) -> None:
    known = ["palette", "ldm", "fad_logmel", "fad_vggish", "jaccard_melodia16k"]
    near = nearest(name, known)
    assert near[: len(found)] == found
    assert bool(near) == bool(found)
