import dataclasses
import json
import sys
from pathlib import Path

import pytest

from timbrebench.core import manifest
from timbrebench.core.interfaces import MethodInfo
from timbrebench.core.options import NoOptions
from timbrebench.core.registry import registry


@pytest.mark.parametrize("kind", manifest.KINDS)
def test_entries_come_back_from_json(kind: str) -> None:
    for entry in registry().of(kind):
        told = json.loads(json.dumps(manifest.to_json(entry)))
        without_class = dataclasses.replace(entry.info, options=NoOptions)
        again = manifest.from_json(told)
        assert again == dataclasses.replace(entry, info=_listed(without_class))


def _listed(info):
    """JSON makes lists of the tuples within presets; options.build makes tuples of them."""
    presets = {n: json.loads(json.dumps(dict(p))) for n, p in info.presets.items()}
    return dataclasses.replace(info, presets=presets)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """apkg with a method in apkg/one, a helper beside it, and another in apkg/two."""
    folder = tmp_path / "apkg"
    for name in ("__init__", "one/__init__", "one/model", "one/deep/helper", "two/__init__"):
        path = folder / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"'{name}'")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "apkg", raising=False)  # of the last test's folder
    return folder


def info(factory: str, *shares: str) -> MethodInfo:
    return MethodInfo("m", "", factory, shares=shares)


def changed(package: Path, name: str, of: MethodInfo) -> bool:
    """Whether a change of a file is a change of the code of a method."""
    before = manifest.code_of(of)
    path = package / name
    path.write_text(path.read_text() + "\n")
    return manifest.code_of(of) != before


def test_code_is_that_of_the_folder_and_what_it_shares(package: Path) -> None:
    one = info("apkg.one.model:Model")
    assert changed(package, "one/model.py", one)
    assert changed(package, "one/__init__.py", one)
    assert not changed(package, "two/__init__.py", one)
    assert changed(package, "two/__init__.py", info("apkg.one.model:Model", "apkg.two"))


def test_code_of_a_package_is_all_of_it(package: Path) -> None:
    assert changed(package, "one/deep/helper.py", info("apkg.one:Model"))
    assert changed(package, "one/deep/helper.py", info("apkg:Model"))


def test_code_of_a_lone_module_is_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("lone", "neighbour"):
        tmp_path.joinpath(f"{name}.py").write_text("")
    assert changed(tmp_path, "lone.py", info("lone:Model"))
    assert not changed(tmp_path, "neighbour.py", info("lone:Model"))


def test_cores_part_in_the_results_is_in_every_code(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = manifest.code_of(info("apkg.one.model:Model"))
    monkeypatch.setattr(manifest, "DECISIVE", manifest.DECISIVE[1:])
    assert manifest.code_of(info("apkg.one.model:Model")) != before


def test_decisive_modules_exist() -> None:
    core = Path(manifest.__file__).parent
    assert all(core.joinpath(f"{name}.py").is_file() for name in manifest.DECISIVE)
