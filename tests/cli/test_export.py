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

from timbrebench.benchmarks.brought import contents_of
from timbrebench.cli import main


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Do not change it."""
    path = tmp_path_factory.mktemp("exported") / "piano.safetensors"
    assert main(["export", str(trained_run()), "-o", str(path)]) == 0
    return path


def changed(
    exported: Path,
    folder: Path,
    change: Callable[[dict[str, Any]], Any],
    tensors: dict[str, Any] | None = None,
) -> Path:
    """A copy whose header says otherwise, if need be with other tensors."""
    from safetensors import safe_open

    with safe_open(exported, framework="pt") as file:
        header = file.metadata()
    known = json.loads(header["timbrebench"])
    change(known)
    path = folder / "changed.safetensors"
    told = header | {"timbrebench": json.dumps(known)}
    save_file(load_file(exported) if tensors is None else tensors, path, told)
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


def first_stage(known: dict[str, Any]) -> dict[str, Any]:
    return next(iter(known["stages"].values()))


WRONG: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "a path as key": (lambda k: k.update(key="../../escape"), "no key"),
    "a path as stage": (lambda k: k["cell"].update(stages=["/tmp/escape"]), "no key"),
    "a path as references": (lambda k: k["cell"].update(references="../../../evil"), "no key"),
    "a stage too few": (lambda k: k["stages"].clear(), "stages are not those"),
    "a stage twice": (lambda k: k["cell"]["stages"].extend(k["stages"]), "stages are not those"),
    "no options": (lambda k: k["cell"].pop("options"), "no cell.options"),
    "a list as cell": (lambda k: k.update(cell=[]), "it has no cell"),
    "no cell": (lambda k: k.pop("cell"), "it has no cell"),
    "a stage of nothing": (lambda k: k["stages"].update(dict.fromkeys(k["stages"], 3)), "stages."),
    "no state": (lambda k: first_stage(k).update(state=5), ".state of the right form"),
    "no parameters": (lambda k: first_stage(k).update(parameters=5), ".parameters of the"),
    "no tasks": (lambda k: k["cell"].update(task_records=[5]), "cell.task_records[0] of the"),
    "no kind": (lambda k: k["cell"].update(task_records=[[5, "a", "b", []]]), "records[0][0] of"),
    "no values": (lambda k: k["cell"]["dataset_choice"].update(values=5), "choice.values of the"),
    "no vocoder": (lambda k: k["cell"].update(vocoder={"name": 5}), "cell.vocoder.values of"),
    "another budget": (lambda k: k["cell"]["budget"].update(more=5), "cell.budget.more of the"),
    "no choice": (lambda k: k["outcome"].update(chosen=5), "outcome.chosen of the right form"),
    "no device": (lambda k: k["cell"].update(device="cuda:x"), "no device"),
    "no precision": (lambda k: k["cell"].update(precision="x"), "cell.precision of the right"),
    "a cursor": (lambda k: k["cell"].update(label="\x1b[2J"), "control characters in '\\x1b[2J'"),
    "a cursor as name": (lambda k: k["cell"].update({"\x1b]0;x\x07": 5}), "control characters"),
    "an unknown method": (lambda k: k["cell"].update(method="pallete"), "not installed here"),
    "an unknown option": (lambda k: k["cell"]["options"].update(evil=5), "option of palette"),
    "another option": (lambda k: k["cell"]["options"].update(steps="many"), "palette.steps takes"),
    "other networks": (lambda k: k["cell"]["options"].update(widths=[8, 8]), "does not fit the"),
    "another stage": (lambda k: first_stage(k).update(name="another"), "does not fit the code"),
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


def more_tensors(known: dict[str, Any], tensors: dict[str, Any]) -> None:
    tensors[f"{known['cell']['stages'][0]}/more"] = torch.zeros(1)


def fewer_tensors(known: dict[str, Any], tensors: dict[str, Any]) -> None:
    tensors.pop(next(iter(tensors)))


def other_shapes(known: dict[str, Any], tensors: dict[str, Any]) -> None:
    tensors.update({name: torch.zeros(3, 3) for name in tensors})


@pytest.mark.parametrize("change", [more_tensors, fewer_tensors, other_shapes])
def test_tensors_that_its_method_cannot_load_are_refused(
    change: Callable[[dict[str, Any], dict[str, Any]], None],
    exported: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Also where their hash is right."""
    tensors = load_file(exported)

    def both(known: dict[str, Any]) -> None:
        change(known, tensors)
        known["contents"] = contents_of(tensors)

    path = changed(exported, tmp_path, both, tensors)
    assert main(["import", str(path), "--out", str(tmp_path / "there")]) == 2
    told = capsys.readouterr().err
    assert "does not fit the code of palette" in told and told.count("\n") == 1
    assert not (tmp_path / "there").exists()


def test_a_header_that_goes_deep_is_one_line(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "deep.safetensors"
    header = {"schema": "1", "timbrebench": "[" * 200_000}
    save_file(load_file(exported), path, header)
    assert main(["import", str(path), "--out", str(tmp_path / "there")]) == 2
    assert "its header is no JSON" in capsys.readouterr().err


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
