"""Strangers' distributions, made by hand: what pip leaves, without pip."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from timbrebench.core.registry import registry


@dataclass
class Site:
    """A folder of installed distributions."""

    folder: Path

    def install(
        self, name: str, code: str, *, version: str = "1.0", source: Path | None = None
    ) -> Path:
        """A distribution of one module, whose path is returned; with ``source`` an editable one,
        whose module lies there."""
        module = (source or self.folder) / f"{name}.py"
        module.write_text(code)
        for old in self.folder.glob(f"{name}-*.dist-info"):
            old.rename(self.folder / f"replaced-{old.name}-by-{version}")
        info = self.folder / f"{name}-{version}.dist-info"
        info.mkdir()
        info.joinpath("METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        info.joinpath("entry_points.txt").write_text(f"[timbrebench]\nplugin = {name}\n")
        files = [f"{info.name}/METADATA", f"{info.name}/entry_points.txt", f"{info.name}/RECORD"]
        files += [] if source else [module.name]
        info.joinpath("RECORD").write_text("".join(f"{file},,\n" for file in files))
        registry.cache_clear()
        return module


@pytest.fixture
def site(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """On the path of this process and of those that it starts."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    registry.cache_clear()
    yield Site(folder)
    registry.cache_clear()
