from dataclasses import dataclass, make_dataclass

import pytest

from timbrebench.core.errors import BenchError
from timbrebench.core.options import (
    NoOptions,
    OptionSpec,
    build,
    describe,
    option,
    resolve,
    words_of,
)


@dataclass(frozen=True)
class Options:
    width: int = option(64, "channels", low=1, high=512)
    rate: float = option(0.5, "share", affects="sampling", low=0.0, high=1.0)
    mode: str = option("fast", "how", choices=("fast", "slow"))
    mirror: bool = option(False, "whether")
    widths: tuple[int, ...] = option((1, 2), "channels a level", low=1)
    cut: float | None = option(None, "where to cut", low=0.0)
    plain: int = 3


SPECS = {s.name: s for s in describe(Options)}


def test_an_options_class_as_data() -> None:
    assert SPECS["width"] == OptionSpec("width", "int", 64, "channels", low=1, high=512)
    assert SPECS["rate"].affects == "sampling"
    assert (SPECS["widths"].type, SPECS["widths"].default) == ("ints", (1, 2))
    assert (SPECS["cut"].type, SPECS["cut"].optional) == ("float", True)
    assert SPECS["plain"] == OptionSpec("plain", "int", 3)
    assert describe(NoOptions) == ()


def test_an_option_of_another_type_is_refused() -> None:
    bad = make_dataclass("Bad", [("names", dict, option(None, "what"))])
    with pytest.raises(TypeError, match=r"Bad\.names: an option is int, float"):
        describe(bad)
    with pytest.raises(ValueError, match=r"'training' or 'sampling'"):
        option(1, "", affects="both")


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("width", "32", 32),
        ("width", 32, 32),
        ("width", 32.0, 32),  # TOML may say so
        ("rate", "1e-1", 0.1),
        ("rate", 1, 1.0),
        ("mode", "slow", "slow"),
        ("mirror", "yes", True),
        ("mirror", "OFF", False),
        ("mirror", True, True),
        ("widths", "8/16/32", (8, 16, 32)),
        ("widths", [8, 16], (8, 16)),
        ("widths", "8", (8,)),
        ("widths", 8, (8,)),
        ("cut", "none", None),
        ("cut", "0.25", 0.25),
        ("cut", None, None),
    ],
)
def test_values_are_parsed(name: str, given: object, value: object) -> None:
    parsed = SPECS[name].parse(given, "palette")
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("name", "given", "told"),
    [
        ("width", "wide", r"option palette\.width takes a whole number, not 'wide'\. .* 64\."),
        ("width", "1.5", "a whole number"),
        ("width", 1.5, "a whole number"),
        ("width", True, "a whole number"),
        ("width", [3], "a whole number"),
        ("width", "0", r"palette\.width is 0; it must lie in 1\.\.512"),
        ("width", "513", r"1\.\.512"),
        ("rate", "nan", "rate is nan"),
        ("rate", "inf", r"0\.\.1"),
        ("rate", True, "takes a number"),
        ("mode", "fsat", "'fsat'. Did you mean fast"),
        ("mirror", "maybe", "true or false"),
        ("widths", "8,16", "whole numbers separated by '/'"),
        ("widths", "8/0", "widths is 0"),
        ("widths", "8/x", r"Its default is 1/2\."),
        ("widths", "", "whole numbers"),
        ("cut", "-1", r"0\.\.∞"),
        ("mode", ["fast"], "takes text"),
    ],
)
def test_bad_values_are_one_line(name: str, given: object, told: str) -> None:
    with pytest.raises(BenchError, match=told) as error:
        SPECS[name].parse(given, "palette")
    assert "\n" not in str(error.value)


PRESETS = {"quick": {"width": 8}, "paper": {"width": 256, "mode": "slow"}}


def values(given: dict, preset: str | None = None) -> dict:
    return resolve("palette", tuple(SPECS.values()), PRESETS, given, preset)


def test_what_is_given_wins_over_the_preset_and_that_over_defaults() -> None:
    assert values({})["width"] == 64
    assert values({}, "quick")["width"] == 8
    assert values({}, "paper")["mode"] == "slow"
    assert values({"width": "9"}, "quick")["width"] == 9
    assert values({"preset": "paper"}, "quick")["width"] == 256


def test_a_run_preset_that_the_plugin_lacks_is_none() -> None:
    assert values({}, "huge") == values({})


def test_unknown_names_come_with_the_nearest() -> None:
    with pytest.raises(BenchError, match=r"unknown option of palette: 'widht'. Did you mean width"):
        values({"widht": 3})
    with pytest.raises(BenchError, match=r"unknown preset of palette 'papr'. Did you mean paper"):
        values({"preset": "papr"})


def test_an_instance_from_what_json_kept() -> None:
    built = build(Options, values({}) | {"widths": [3, 4]})
    assert built == Options(widths=(3, 4))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, ""),
        ({"width": 64, "mode": "fast"}, ""),
        ({"width": 9, "mirror": True}, "-o some.width=9 -o some.mirror=true"),
        ({"widths": (3,), "cut": 0.1}, "-o some.widths=3 -o some.cut=0.1"),
        ({"widths": (3, 4), "rate": 0.25, "plain": 4, "mode": "slow"}, None),
    ],
)
def test_words_that_set_the_same_again(given: dict[str, object], words: str | None) -> None:
    options = Options(**given)  # type: ignore[arg-type]
    found = words_of("some", options)
    assert words is None or " ".join(found) == words
    said = dict(word.removeprefix("some.").split("=") for word in found[1::2])
    assert build(Options, resolve("some", tuple(SPECS.values()), {}, said)) == options


def test_options_that_are_none_have_no_words() -> None:
    assert words_of("some", NoOptions()) == words_of("some", None) == ()
