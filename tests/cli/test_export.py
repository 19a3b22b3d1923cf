"""``bench export`` and ``bench import``: the same sound from another folder, and nothing that
comes from outside is believed."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
import torch
from safetensors.torch import load_file, save_file
from usable_cells import cell_of, trained_run

from timbrebench.cli import main


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Do not change it."""
    path = tmp_path_factory.mktemp("exported") / "piano.safetensors"
    assert main(["export", str(trained_run()), "-o", str(path)]) == 0
    return path


def changed(exported: Path, folder: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    """A copy whose header says otherwise."""
    from safetensors import safe_open

    with safe_open(exported, framework="pt") as file:
        header = file.metadata()
    known = json.loads(header["timbrebench"])
    change(known)
    path = folder / "changed.safetensors"
    save_file(load_file(exported), path, header | {"timbrebench": json.dumps(known)})
    return path


def test_an_imported_cell_sounds_as_the_one_exported(exported: Path, tmp_path: Path) -> None:
    (cell,) = (trained_run() / "cells").iterdir()
    source = tmp_path / "in.wav"
    sf.write(source, 0.1 * np.random.default_rng(0).standard_normal(32000), 16000)
    moved = tmp_path / "exported.safetensors"
    shutil.copy(exported, moved)
    assert main(["import", str(moved), "--out", str(tmp_path / "there")]) == 0
    there = tmp_path / "there" / "cells" / cell.name
    made = []
    for number, each in enumerate((cell, there)):
        out = tmp_path / f"{number}.wav"
        assert main(["transfer", str(each), str(source), "-o", str(out)]) == 0
        made.append(sf.read(out)[0])
    np.testing.assert_array_equal(*made)
    assert main(["import", str(moved), "--out", str(tmp_path / "there")]) == 0  # again: no harm


def test_no_path_of_the_machine_goes_with_it(exported: Path) -> None:
    (cell,) = (trained_run() / "cells").iterdir()
    root = json.loads((cell / "cell.json").read_text())["dataset_choice"]["root"]
    assert root and root.encode() not in exported.read_bytes()


def test_what_trains_nothing_cannot_be_exported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cell = cell_of(tmp_path, "copy", "bell:bow")
    assert main(["export", str(cell), "-o", str(tmp_path / "x.safetensors")]) == 2
    assert "nothing" in capsys.readouterr().err
    assert not (tmp_path / "x.safetensors").exists()


WRONG: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "a path as key": (lambda k: k.update(key="../../escape"), "no key"),
    "a path as stage": (lambda k: k["cell"].update(stages=["/tmp/escape"]), "no key"),
    "a stage too few": (lambda k: k["stages"].clear(), "stages are not those"),
    "no options": (lambda k: k["cell"].pop("options"), "no options"),
    "a list as cell": (lambda k: k.update(cell=[]), "it has no cell"),
    "no cell": (lambda k: k.pop("cell"), "it has no cell"),
    "a stage of nothing": (lambda k: k["stages"].update(dict.fromkeys(k["stages"], 3)), "no name"),
    "an unknown method": (lambda k: k["cell"].update(method="pallete"), "not installed here"),
    "other tensors": (lambda k: k.update(contents="0" * 64), "damaged"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_refused_before_anything_is_written(
    name: str, exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change, told = WRONG[name]
    path = changed(exported, tmp_path, change)
    assert main(["import", str(path), "--out", str(tmp_path / "there")]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert not (tmp_path / "there").exists()


def test_a_path_from_outside_is_not_followed(exported: Path, tmp_path: Path) -> None:
    path = changed(exported, tmp_path, lambda k: k["cell"]["dataset_choice"].update(root="/etc"))
    assert main(["import", str(path), "--out", str(tmp_path / "there")]) == 0
    (cell,) = (tmp_path / "there" / "cells").glob("*/cell.json")
    assert json.loads(cell.read_text())["dataset_choice"]["root"] == ""


def test_files_that_are_none(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut, flipped, other, text = (tmp_path / f"{n}.safetensors" for n in "abcd")
    whole = exported.read_bytes()
    cut.write_bytes(whole[:-100])
    flipped.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    save_file({"x": torch.zeros(1)}, other)
    text.write_text("no tensors")
    told = {cut: "cut short", flipped: "damaged", other: "no cell of timbrebench", text: "no safe"}
    for path, words in {**told, tmp_path / "none": "there is no file"}.items():
        assert main(["import", str(path), "--out", str(tmp_path / "there")]) == 2
        assert words in capsys.readouterr().err
    assert not (tmp_path / "there").exists()
