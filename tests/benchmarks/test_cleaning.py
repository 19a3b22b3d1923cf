from pathlib import Path

import pytest

from timbrebench.benchmarks.cleaning import removable, remove
from timbrebench.benchmarks.store import SCHEMA, Store
from timbrebench.cli import main
from timbrebench.core import files
from timbrebench.core.errors import BenchError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two cells shown (one of them killed while its stage trained) and one that was replaced."""
    store = Store(tmp_path)
    cells = {"a|d||0": "shown", "b|d||0": "killed"}
    run = {"schema": SCHEMA, "config": {}, "environment": {}, "cells": cells}
    files.write_json(store.run_file, run)
    for key, stage in (("shown", "done"), ("killed", "training"), ("old", "unused")):
        record = {"stages": [stage], "references": f"of-{stage}"}
        files.write_json(store.cell(key) / "cell.json", record)
        files.write_text(store.reference(f"of-{stage}", "a", "1"), "audio")
        files.write_text(store.model(stage) / "checkpoint.pt", "12345")
    files.write_json(store.cell("shown") / "result.json", {"status": "ok"})
    (store.model("done") / ".part-x").write_text("123")
    (store.model("unused") / ".part-y").write_text("123")
    return tmp_path


def told(root: Path) -> dict[str, int]:
    return {str(p.path.relative_to(root)): p.size for p in removable(root)}


def test_what_nothing_needs(root: Path) -> None:
    found = told(root)
    assert found.pop("cells/old") > 0
    assert found == {
        "models/unused": 8,  # with what was half written in it
        "references/of-unused": 5,
        "models/done/.part-x": 3,
    }


def test_removing_leaves_what_is_shown_and_what_a_killed_run_goes_on_from(root: Path) -> None:
    assert len(remove(root)) == 4
    assert told(root) == {}
    assert (root / "models" / "training" / "checkpoint.pt").exists()
    assert sorted(p.name for p in (root / "cells").iterdir()) == ["killed", "shown"]


def test_an_imported_cell_stays_unless_it_is_asked_for(root: Path) -> None:
    store = Store(root)
    record = {"stages": ["brought"], "references": "elsewhere"}
    files.write_json(store.cell("theirs") / "cell.json", record)
    files.write_json(store.cell("theirs") / "outcome.json", {})  # as bench import leaves it
    files.write_text(store.model("brought") / "model.safetensors", "1234")
    assert not {path for path in told(root) if "theirs" in path or "brought" in path}
    remove(root)
    assert (store.model("brought") / "model.safetensors").exists()
    found = {str(p.path.relative_to(root)): p.why for p in remove(root, with_imported=True)}
    assert found == {
        "cells/theirs": "imported",
        "models/brought": "used by no cell that is shown",
    }


@pytest.mark.parametrize("record", ["{half", "[]", '{"stages": 5}', "{}", None])
def test_where_a_kept_cell_cannot_be_read_models_and_references_stay(
    root: Path, record: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Store(root).cell("shown") / "cell.json"
    path.unlink() if record is None else path.write_text(record)
    assert {str(p.path.relative_to(root)) for p in removable(root)} == {
        *("cells/old", "models/done/.part-x", "models/unused/.part-y"),
    }
    assert main(["clean", str(root), "--yes"]) == 0
    assert "cells/shown/cell.json cannot be read: all models" in capsys.readouterr().err
    assert (root / "models" / "done" / "checkpoint.pt").exists()
    assert (root / "references" / "of-done").exists()
    assert not (root / "cells" / "old").exists()


def test_nothing_is_removed_while_a_run_writes(root: Path) -> None:
    with Store(root).writing(), pytest.raises(BenchError, match="another bench run"):
        remove(root)
    assert len(told(root)) == 4


def test_a_folder_that_is_no_run_is_not_touched(tmp_path: Path) -> None:
    tmp_path.joinpath("cells", "precious").mkdir(parents=True)
    for clean in (removable, remove):
        with pytest.raises(BenchError, match="is no run folder"):
            clean(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cells"]
