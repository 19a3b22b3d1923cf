"""Opening a cell of a run to use it: what it can do, with what, and why not."""

import shutil
from pathlib import Path

import pytest
from usable_cells import cell_of, corpus_folder, trained_run
from usable_methods import usable_plugins

from timbrebench.benchmarks import session
from timbrebench.benchmarks.using import FinishedCell, open_cell
from timbrebench.core import files
from timbrebench.core.errors import BenchError
from timbrebench.core.records import Clip, Task

BELL_BOW = Task("transfer", "bell", "bow")


@pytest.fixture(autouse=True)
def plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "registry", usable_plugins)


def opened(cell: Path) -> FinishedCell:
    return open_cell(cell.parent.parent, cell.name)


@pytest.fixture
def palette(tmp_path: Path) -> Path:
    """The trained cell, in a run folder that may be changed."""
    shutil.copytree(trained_run(), tmp_path / "run")
    return next((tmp_path / "run" / "cells").iterdir())


def changed(path: Path, **fields: object) -> None:
    files.write_json(path, files.read_json(path) | fields)


# ---------------------------------------------------------------------------- what it can do


def test_tasks_are_told_by_their_ends_where_these_are_clear(tmp_path: Path) -> None:
    one = opened(cell_of(tmp_path, "copy", "bell:bow"))
    assert one.transfer_to(None) == BELL_BOW
    three = opened(cell_of(tmp_path, "copy", "bell:bow", "reed:bow", "bow:reed"))
    assert three.transfer_to("reed") == Task("transfer", "bow", "reed")
    assert three.transfer_to("bow", "reed") == Task("transfer", "reed", "bow")
    assert three.any_transfer_to("bow") == BELL_BOW
    with pytest.raises(BenchError, match=r"more than one target: bow, reed.*--to bow"):
        three.transfer_to(None)
    with pytest.raises(BenchError, match=r"more than one source: bell, reed.*--from bell"):
        three.transfer_to("bow")
    with pytest.raises(BenchError, match=r"'bw'.*Did you mean bow"):
        three.transfer_to("bw")


def test_pairs_and_instruments(tmp_path: Path) -> None:
    cell = opened(cell_of(tmp_path, "sings", "generate:bell", "generate:bow", "pair:bell/reed"))
    assert cell.instruments == ["bell", "bow"]
    assert cell.instrument("bow") == "bow"
    assert cell.pair(None) == cell.pair("bell/reed") == Task("pair", "bell", "reed")
    assert cell.pair("reed/bell") == Task("pair", "reed", "bell")
    with pytest.raises(BenchError, match="more than one instrument"):
        cell.instrument(None)
    with pytest.raises(BenchError, match=r"cannot convert sound: it does generate and pair"):
        cell.transfer_to("bow")
    with pytest.raises(BenchError, match="cannot generate pairs"):
        opened(cell_of(tmp_path, "copy", "bell:bow")).pair(None)


# ---------------------------------------------------------------------------- options


def test_sampling_options_may_be_set_and_others_not(palette: Path) -> None:
    cell = opened(palette)
    options = cell.player(BELL_BOW, {"steps": "5", "sampler": "dpmpp"}).session.method.options
    assert (options.steps, options.sampler, options.widths) == (5, "dpmpp", (8, 8, 16))
    refused = {
        "widths": ("4", "decides what is trained"),
        "step": ("4", "Did you mean steps"),
        "steps": ("0", "must lie in"),
    }
    for name, (value, told) in refused.items():
        with pytest.raises(BenchError, match=told):
            cell.player(BELL_BOW, {name: value})


def test_what_was_chosen_on_validation_tracks_is_used(tmp_path: Path) -> None:
    folder = cell_of(tmp_path, "sliced", "bell:bow", "reed:bow")
    chosen = {"bell:bow": {"values": {"amount": 4}, "rule": "", "tried": []}}
    files.write_json(folder / "outcome.json", {"chosen": chosen})
    cell = opened(folder)

    def of(task: Task, **given: str) -> tuple[int, str]:
        player = cell.player(task, given)
        return player.session.method.options.amount, " ".join(player.notes)

    assert of(BELL_BOW) == (4, "amount=4, as chosen on validation tracks for bell:bow")
    assert of(BELL_BOW, amount="3") == (3, "")
    value, told = of(Task("transfer", "reed", "bow"))
    assert value == 2 and "the middle" in told


# ---------------------------------------------------------------------------- what is not there


def test_an_unfinished_cell_says_how_it_ended(palette: Path) -> None:
    changed(palette / "result.json", status="killed", reason="by signal 9")
    assert opened(palette).label == "palette", "its model is whole: it can be used"
    shutil.rmtree(palette.parent.parent / "models")
    with pytest.raises(BenchError, match=r"not finished: killed \(by signal 9\).*bench run"):
        opened(palette)
    (palette / "result.json").unlink()
    with pytest.raises(BenchError, match="not finished: pending"):
        opened(palette)


@pytest.mark.parametrize("name", ["model.safetensors", "stage.json"])
def test_a_model_that_is_missing_or_damaged_is_named(palette: Path, name: str) -> None:
    [file] = palette.parent.parent.glob(f"models/*/{name}")
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(
        BenchError, match=rf"{name} is damaged.*Remove .*{file.parent.name} .*bench run"
    ):
        opened(palette)
    file.unlink()
    with pytest.raises(BenchError, match=rf"{name} is missing.*bench run"):
        opened(palette)


def test_a_cell_of_another_version(palette: Path) -> None:
    record = files.read_json(palette / "cell.json")
    files.write_json(palette / "cell.json", {k: v for k, v in record.items() if k != "vocoder"})
    with pytest.raises(BenchError, match=r"another version of timbrebench: it has no vocoder"):
        opened(palette)


def test_no_cell(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="no cell of a run"):
        open_cell(tmp_path, "0123")


def test_a_cell_that_its_code_has_outgrown(palette: Path) -> None:
    record = files.read_json(palette / "cell.json")
    for option in ({"widths": [8, 16, 16]}, {"gone": 3}):
        changed(palette / "cell.json", options=record["options"] | option)
        with pytest.raises(BenchError, match=r"does not fit the code of palette.*bench run"):
            opened(palette).player(BELL_BOW)
    # The configuration is as it was, the network is not.
    changed(palette / "cell.json", options=record["options"] | {"widths": [8, 16, 16]})
    [known] = palette.parent.parent.glob("models/*/stage.json")
    config = files.read_json(known)["config"] | {"widths": [8, 16, 16]}
    changed(known, config=config)
    with pytest.raises(BenchError, match=r"does not fit the code of palette"):
        opened(palette).player(BELL_BOW)


def test_changed_code_is_told(palette: Path) -> None:
    assert not opened(palette).player(BELL_BOW).notes
    changed(palette / "cell.json", code="another")
    (note,) = opened(palette).player(BELL_BOW).notes
    assert "code of palette has changed" in note and "train it again" in note


def test_a_device_that_is_not_here_gives_way_to_the_cpu(palette: Path) -> None:
    changed(palette / "cell.json", device="cuda:99")
    player = opened(palette).player(BELL_BOW)
    assert player.session.device == "cpu" and "no cuda:99 here" in player.notes[0]


# ---------------------------------------------------------------------------- the corpus


def test_styles_are_drawn_from_training_tracks_and_only_if_asked_for(tmp_path: Path) -> None:
    player = opened(cell_of(tmp_path, "follows", "bell:bow")).player(BELL_BOW)
    styles = player.styles("bow", (), 0)
    assert {clip.track for clip in styles} == {"tune0", "tune1", "tune2"}
    again = player.styles("bow", (), 0)
    assert [clip.track for clip in styles] == [clip.track for clip in again]


def test_without_the_corpus_only_styles_are_lacking(tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(corpus_folder(), data, ignore=shutil.ignore_patterns("run"))
    folder = cell_of(tmp_path, "follows", "bell:bow", data=data)
    example = tmp_path / "example.wav"
    shutil.move(data / "bow" / "tune0.wav", example)
    shutil.rmtree(data)
    player = opened(folder).player(BELL_BOW)
    [clip] = player.styles("bow", [example], 0)
    made = player.transfer(clip, BELL_BOW, [clip], 0, lambda share: None)
    assert isinstance(made, Clip) and len(made.samples) == len(clip.samples)
    with pytest.raises(BenchError, match=r"training tracks of bow.*--style FILE"):
        player.transfer(clip, BELL_BOW, player.styles("bow", (), 0), 0, lambda share: None)
