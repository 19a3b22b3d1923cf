"""``check_plugin`` on the example package and on packages with faults."""

from pathlib import Path

import pytest

from timbrebench.testing import check_plugin

ROOT = Path(__file__).resolve().parents[2]


def test_the_example_package_passes(tmp_path, monkeypatch):
    monkeypatch.setenv("TIMBREBENCH_CACHE", str(tmp_path))
    monkeypatch.syspath_prepend(ROOT / "examples" / "timbrebench-example" / "src")
    check_plugin("timbrebench_example", options={"sines": {"tracks": 3, "seconds": 1.0}})


def test_a_plugin_that_raises_at_import_is_named(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tests" / "data" / "plugins" / "raises_at_import")
    with pytest.raises(AssertionError, match="RuntimeError: this plugin raises at import"):
        check_plugin("raises_at_import")


def test_the_faults_of_its_methods_are_named(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tests" / "data" / "plugins" / "claims_taken_name")
    with pytest.raises(AssertionError, match="gives a clip by 'bell', not 'bow'"):
        check_plugin("claims_taken_name")


def test_a_misspelt_hook_and_an_empty_plugin_are_named(tmp_path, monkeypatch):
    head = "from timbrebench.core.hookspecs import hookimpl\n"
    hook = "@hookimpl\ndef timbrebench_method():\n    return []\n"
    (tmp_path / "misspelt.py").write_text(head + hook)
    (tmp_path / "empty.py").write_text(head)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(AssertionError, match="unknown hook 'timbrebench_method'"):
        check_plugin("misspelt")
    with pytest.raises(AssertionError, match="registers nothing"):
        check_plugin("empty")
