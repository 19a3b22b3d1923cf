"""Ours and strangers' plugins in one registry, which none of them can slow or break."""

import os
import sys
from pathlib import Path

import pytest

from timbrebench.core import registry as registries
from timbrebench.core.errors import BenchError, UnknownName
from timbrebench.core.registry import OURS, Broken, Registry, create, registry, values_of

ONE_METHOD = """
from timbrebench.core.hookspecs import hookimpl
from timbrebench.core.interfaces import Method, MethodInfo

class Theirs(Method):
    pass

@hookimpl
def timbrebench_methods():
    return [MethodInfo("{}", "a stranger's", __name__ + ":Theirs", trains=False, mel="")]
"""
# Notes each import in a file.
COUNTED = "open({!r}, 'a').write('.')\n" + ONE_METHOD


def names(found: Registry) -> list[str]:
    return [e.name for e in found.of("method")]


# ---------------------------------------------------------------------------- ours


def test_our_own_plugins_are_there() -> None:
    assert {"copy", "oracle", "ldm"} <= set(names(registry()))
    assert registry().find("dataset", "starlet").distribution == OURS
    assert registry().find("vocoder", "griffinlim").name == "griffinlim"


def test_an_embedding_makes_a_metric() -> None:
    info = registry().find("metric", "fad_logmel").info
    assert info.embedding == "logmel"
    assert [m.name for m in info.measures] == ["fad_logmel"]
    with pytest.raises(UnknownName):
        registry().find("metric", "fad")


def test_an_unknown_name_comes_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match=r"unknown method 'oracel'. Did you mean oracle?"):
        registry().find("method", "oracel")


def test_a_plugin_with_its_options() -> None:
    entry = registry().find("vocoder", "griffinlim")
    values = values_of(entry, {"iterations": "3"})
    assert values["iterations"] == 3
    assert create(entry, values).options.iterations == 3


# ---------------------------------------------------------------------------- strangers


def test_a_stranger_stands_beside_ours(site) -> None:
    ours = names(registry())
    site.install("stranger", ONE_METHOD.format("wavenet"))
    assert names(registry()) == sorted([*ours, "wavenet"])
    entry = registry().find("method", "wavenet")
    assert (entry.distribution, entry.version) == ("stranger", "1.0")
    assert entry is registry().find("method", "wavenet@stranger")
    with pytest.raises(UnknownName):
        registry().find("method", "copy@stranger")


def test_a_stranger_is_imported_only_to_be_used(site) -> None:
    site.install("lazystranger", ONE_METHOD.format("wavenet"))
    entry = registry().find("method", "wavenet")
    assert "lazystranger" not in sys.modules
    assert type(create(entry, {}, None)).__name__ == "Theirs"
    assert sys.modules.pop("lazystranger")


def test_a_name_claimed_twice_is_an_error_that_names_both(site) -> None:
    site.install("claimant", ONE_METHOD.format("copy"))
    told = "method 'copy' is claimed by claimant and timbrebench. Write copy@"
    with pytest.raises(BenchError, match=told):
        registry().find("method", "copy")
    assert registry().find("method", "copy@claimant").distribution == "claimant"
    assert registry().find("method", "copy@timbrebench").distribution == OURS
    assert registry().find("method", "oracle").distribution == OURS
    assert registry().clashes() == [("method", "copy", [OURS, "claimant"])]


BROKEN = {
    "raises": ("raise RuntimeError('no such thing')", "RuntimeError: no such thing"),
    "exits": ("raise SystemExit(3)", "its import ended with code 3"),
    "dies": ("import os; os.kill(os.getpid(), 9)", "its import ended with code -9"),
    "lacks": ("import not_installed_at_all", "No module named 'not_installed_at_all'"),
    "mistypes": (ONE_METHOD.format("x").replace("_methods", "_method"), "unknown hook"),
    "gives_text": (
        "from timbrebench.core.hookspecs import hookimpl\n"
        "@hookimpl\ndef timbrebench_methods(): return ['x']",
        "timbrebench_methods must give MethodInfo, not 'x'",
    ),
    "names_badly": (ONE_METHOD.format("a,b"), "'a,b' is no name of a method"),
    "is_unsayable": (
        ONE_METHOD.format("x").replace('mel=""', 'mel="", presets={"a": {"b": object()}}'),
        "not JSON serializable",
    ),
}


def test_broken_strangers_are_shown_and_nothing_else_suffers(site) -> None:
    ours = names(registry())
    for name, (code, _) in BROKEN.items():
        site.install(name, code)
    site.install("good", ONE_METHOD.format("wavenet"))
    found = registry()
    assert names(found) == sorted([*ours, "wavenet"])
    reasons = {b.distribution: b.reason for b in found.broken}
    assert reasons.keys() == BROKEN.keys()
    for name, (_, told) in BROKEN.items():
        assert told in reasons[name]
        assert "\n" not in reasons[name]
    with pytest.raises(UnknownName, match=r"Broken plugins: dies and .* \(bench plugins\)"):
        found.find("method", "wavent")


def test_one_that_hangs_is_given_up(site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registries, "DEADLINE", 0.3)
    site.install("hangs", "import time\nwhile True: time.sleep(1)")
    (broken,) = registry().broken
    assert (broken.distribution, broken.version) == ("hangs", "1.0")
    assert "did not end within 0.3 s" in broken.reason
    assert "copy" in names(registry())


def test_what_a_stranger_prints_does_no_harm(site) -> None:
    site.install("talks", "print('hello'); print('{}')\n" + ONE_METHOD.format("wavenet"))
    assert registry().find("method", "wavenet")


def test_the_folder_that_one_is_in_does_no_harm(
    site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.joinpath("pluggy.py").write_text("raise RuntimeError")
    monkeypatch.chdir(tmp_path)
    site.install("stranger", ONE_METHOD.format("wavenet"))
    assert registry().broken == ()


# ---------------------------------------------------------------------------- their cache


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "imports"


def imports(log: Path) -> int:
    """How often the stranger was imported, after one more reading of the registry."""
    registry.cache_clear()
    registry()
    return log.stat().st_size


def code(log: Path, name: str = "wavenet") -> str:
    return COUNTED.format(str(log), name)


def test_a_manifest_is_read_once(site, log: Path) -> None:
    site.install("stranger", code(log))
    assert imports(log) == 1
    first = registry().find("method", "wavenet")
    assert imports(log) == 1
    assert registry().find("method", "wavenet") == first


def test_a_broken_one_is_read_once_too(site, log: Path) -> None:
    site.install("stranger", code(log) + "raise RuntimeError('always')")
    assert imports(log) == 1
    assert imports(log) == 1
    assert registry().broken == (Broken("stranger", "1.0", "RuntimeError: always"),)


def touch(path: Path) -> None:
    """A change that the clock's grain cannot hide."""
    later = path.stat().st_mtime_ns + 10**9
    os.utime(path, ns=(later, later))


def test_it_is_read_anew_when_its_file_changes(site, log: Path) -> None:
    module = site.install("stranger", code(log))
    imports(log)
    module.write_text(code(log, "samplernn"))
    touch(module)
    assert imports(log) == 2
    assert "samplernn" in names(registry()) and "wavenet" not in names(registry())


def test_it_is_read_anew_in_another_version(site, log: Path) -> None:
    site.install("stranger", code(log))
    imports(log)
    site.install("stranger", code(log), version="2.0")
    assert imports(log) == 2
    assert registry().find("method", "wavenet").version == "2.0"


def test_it_is_read_anew_when_something_was_installed(
    site, log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be what a broken one lacked."""
    packages = tmp_path / "packages"
    packages.mkdir()
    monkeypatch.setattr(registries.sysconfig, "get_path", lambda name: str(packages))
    site.install("stranger", code(log))
    imports(log)
    packages.joinpath("new").mkdir()
    touch(packages)
    assert imports(log) == 2


def test_an_edited_source_of_an_editable_one_is_read_anew(
    site, log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "my source"
    source.mkdir()
    monkeypatch.syspath_prepend(source)
    monkeypatch.setenv("PYTHONPATH", f"{site.folder}{os.pathsep}{source}")
    module = site.install("stranger", code(log), source=source)
    assert imports(log) == 1
    assert imports(log) == 1
    module.write_text(code(log, "samplernn"))
    touch(module)
    assert imports(log) == 2
    assert "samplernn" in names(registry())


def test_forgetting_reads_all_anew(site, log: Path) -> None:
    site.install("stranger", code(log))
    imports(log)
    registries.forget_manifests()
    assert imports(log) == 2


def test_a_damaged_cache_is_made_anew(site, log: Path, cache: Path) -> None:
    site.install("stranger", code(log))
    imports(log)
    (kept,) = cache.glob("manifests/*.json")
    kept.write_text(kept.read_text()[:50])
    assert imports(log) == 2
    assert registry().find("method", "wavenet")


def test_a_cache_that_cannot_be_written_costs_time_only(site, log: Path, cache: Path) -> None:
    cache.write_text("a file where a folder should be")
    site.install("stranger", code(log))
    assert imports(log) == 1
    assert imports(log) == 2
    assert registry().find("method", "wavenet")
