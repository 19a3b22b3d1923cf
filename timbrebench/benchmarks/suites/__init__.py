"""Suites: named functions that give the configurations of a published comparison, and the layout
of its report. ``bench run --suite NAME --scale quick|paper``. Light.
"""

from timbrebench.benchmarks.suites import (
    cross_grid,
    ddim_table,
    difftransfer,
    ldm_tables,
    quickstart,
)
from timbrebench.benchmarks.suites.records import (
    SCALES,
    Asked,
    Suite,
    SuiteInfo,
    with_budget,
)
from timbrebench.core.errors import UnknownName

SUITES = {
    info.name: info
    for info in (
        SuiteInfo(
            "quickstart",
            "ldm and palette beside the controls on vibraphone to piano",
            quickstart.quickstart,
        ),
        SuiteInfo(
            "difftransfer-table-1",
            "single instruments, single conversions mixed, and mixtures, beside DiffTransfer's",
            difftransfer.difftransfer_table_1,
            datasets=("starlet", "starnet"),
        ),
        SuiteInfo(
            "cross-diffusion-grid",
            "cross-diffusion over forward steps k and start step s, both ways (Tables 5.1, 5.2)",
            cross_grid.cross_diffusion_grid,
            datasets=("starlet", "folder"),
        ),
        SuiteInfo(
            "ddim-table",
            "unconditional synthesis: data size, clip length, training, inference steps, batch",
            ddim_table.ddim_table,
        ),
        SuiteInfo(
            "ldm-tables",
            "latent diffusion, published and corrected: parameters (Table 2), losses (Table 3)",
            ldm_tables.ldm_tables,
            datasets=("starlet", "folder"),
        ),
    )
}


def find(name: str) -> SuiteInfo:
    """The suite called ``name``."""
    if name not in SUITES:
        raise UnknownName("suite", name, SUITES, hint="See: bench list suites")
    return SUITES[name]


__all__ = ["SCALES", "SUITES", "Asked", "Suite", "SuiteInfo", "find", "with_budget"]
