"""Who may import whom (docs/architecture.md), read from the sources of every module."""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import timbrebench

ROOT = Path(timbrebench.__file__).parent

# What a part may import beside core and its own folder.
PARTS: dict[str, tuple[str, ...]] = {
    "core": (),
    "datasets": ("datasets.sampling", "datasets.indexed"),
    "methods": ("methods.diffusion",),
    "benchmarks.metrics": (),
    "benchmarks": (),
    "reports": (),
    "testing": (),
    "cli": ("benchmarks", "reports"),
    "builtin": ("datasets.plugin", "methods.*.plugin", "benchmarks.metrics.plugin"),
    "__main__": ("cli",),
    "__init__": (),
}
# Of core, reports see what a run left, and nothing of how it was made.
CORE_FOR_REPORTS = {
    "core.layouts",
    "core.compute",
    "core.results",
    "core.records",
    "core.errors",
    "core.files",
    "core.audio",
    "core.units",
    "core.statistics",
}
# Each of these has a folder of its own, in which no other may look.
SEPARATE = ("datasets", "methods")
HEAVY = {
    *("torch", "librosa", "essentia", "pandas", "numpy", "scipy", "soundfile", "matplotlib"),
    *("safetensors", "onnxruntime", "resampy", "frechet_audio_distance", "diffusers", "optuna"),
    "ray",
}

MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in ROOT.rglob("*.py")
}


def imports(path: Path, nodes: Iterator[ast.AST] | None = None) -> set[str]:
    """Full names of what a file imports, 'package.module.thing'."""
    found = set()
    for node in nodes or ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def of_ours(path: Path) -> set[str]:
    """What it imports of the package, without the package's name."""
    mine = {name for name in imports(path) if name.startswith("timbrebench.")}
    return {name.removeprefix("timbrebench.") for name in mine} - {"__version__"}


def within(name: str, folder: str) -> bool:
    """Whether a name is in a folder, where '*' stands for any one name."""
    words, wanted = name.split("."), folder.split(".")
    return len(words) >= len(wanted) and all(
        w in ("*", word) for w, word in zip(wanted, words, strict=False)
    )


def part_of(module: str) -> str:
    return max((part for part in PARTS if within(module, part)), key=len)


def own_folder(module: str) -> str:
    part = part_of(module)
    if part in SEPARATE and module != f"{part}.plugin":
        return ".".join(module.split(".")[:2])
    return part


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_imports_only_what_its_part_may(module: str) -> None:
    allowed = ("core", own_folder(module), *PARTS[part_of(module)])
    strange = {
        name for name in of_ours(MODULES[module]) if not any(within(name, a) for a in allowed)
    }
    assert not strange, f"{module} may import {', '.join(allowed)}"


def test_the_runner_knows_metrics_by_name_only() -> None:
    for module, path in MODULES.items():
        if part_of(module) == "benchmarks":
            assert not any(within(name, "benchmarks.metrics") for name in of_ours(path)), module


def test_reports_see_what_a_run_left_only() -> None:
    for module, path in MODULES.items():
        if part_of(module) == "reports":
            core = {".".join(n.split(".")[:2]) for n in of_ours(path) if within(n, "core")}
            assert core - {"core.audio", "core.files"} <= CORE_FOR_REPORTS, module
            assert core <= CORE_FOR_REPORTS, module


def at_import(path: Path) -> Iterator[ast.AST]:
    """The statements that importing a module carries out: not those of functions, nor those for
    type checkers."""
    waiting: list[ast.AST] = [ast.parse(path.read_text())]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            waiting += node.orelse
            continue
        yield node
        waiting += ast.iter_child_nodes(node)


def loaded(module: str) -> set[str]:
    """Every module that importing one of ours loads, near or far, as far as the sources say."""
    names, waiting = set[str](), [module]
    while waiting:
        name = waiting.pop()
        if name in names:
            continue
        names.add(name)
        if name in MODULES:
            for found in imports(MODULES[name], at_import(MODULES[name])):
                waiting += _ours_or_top(found)
    return names


def _ours_or_top(name: str) -> list[str]:
    """Our modules that an import of 'timbrebench.a.b.Thing' runs; of others, the top package."""
    if not name.startswith("timbrebench."):
        return [name.split(".")[0]]
    words = name.split(".")[1:]
    prefixes = [".".join(words[:n]) for n in range(1, len(words) + 1)]
    return [m for p in prefixes for m in (p, f"{p}.__init__") if m in MODULES]


LIGHT = [
    *("builtin", "core.interfaces", "core.hookspecs", "core.options", "core.records"),
    *("core.registry", "core.manifest", "benchmarks.plan", "benchmarks.tracing", "cli.__init__"),
    *(module for module in MODULES if module.endswith(".plugin")),
    *(module for module in MODULES if module.startswith("cli.")),
]


@pytest.mark.parametrize("module", LIGHT)
def test_what_is_light_loads_nothing_heavy(module: str) -> None:
    assert not loaded(module) & HEAVY


SCRIPTS = [path for name in ("benchmarks", "tools") for path in (ROOT.parent / name).glob("*.py")]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_what_scripts_take_from_us_is_there(path: Path) -> None:
    """Also within their functions: they are run by people, and by no test to the end."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("timbrebench"):
            module = importlib.import_module(str(node.module))
            for alias in node.names:
                if not hasattr(module, alias.name):
                    importlib.import_module(f"{node.module}.{alias.name}")
