"""What a cell cost and how it ended: from the records that its worker has left."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from timbrebench.core import files

TIMES = ("infer_seconds", "vocoder_seconds", "audio_seconds")


def basis_of(session: Any, store: Any, stages: Mapping[str, str]) -> str:
    """Hash of what estimates are made with beside the cell: weights and device."""
    records = [files.read_json(store.model(key) / "stage.json") for key in stages.values()]
    return files.digest([session.device, *sorted(record["sha256"] for record in records)])


def outcome_of(
    record: Mapping[str, Any],
    memory: Mapping[str, Any],
    stages: Mapping[str, str],
    store: Any,
    job: Mapping[str, Any],
) -> dict[str, Any]:
    """Times, memory and sizes of a cell: its estimates' and its stages' sums, and whether any of
    its times was taken beside other jobs."""
    made = [i for i in record["items"] if i["status"] == "ok"]
    trained = [files.read_json(store.model(key) / "stage.json") for key in stages.values()]
    total = {
        f"train_{name}": sum(s[name] for s in trained) if trained else None
        for name in ("seconds", "flops", "steps", "examples")
    }
    phases = {"estimate": memory["estimate"], **{s["name"]: s["memory"] for s in trained}}
    peaks = {
        name: max((p[name] for p in phases.values() if p.get(name)), default=None)
        for name in ("host_peak_rss", "peak_reserved", "planned_bytes")
    }
    return {
        **total,
        **speeds(total),
        **sums_of(made),
        "peak_rss_bytes": peaks["host_peak_rss"],
        "peak_gpu_bytes": peaks["peak_reserved"],
        "planned_bytes": peaks["planned_bytes"],
        "parameters": parameters(trained),
        "vocoder": record["vocoder"],
        "chosen": record["chosen"],
        "choosing_seconds": record["choosing_seconds"],
        "phases": phases,
        "threads": job["threads"],
        "shared": job.get("shared", False) or any(s.get("shared") for s in trained),
    }


def speeds(total: Mapping[str, Any]) -> dict[str, float | None]:
    """Of a cell's training, as far as there was any."""
    seconds, steps = total["train_seconds"], total["train_steps"]
    return {
        "seconds_per_step": seconds / steps if steps else None,
        "examples_per_second": total["train_examples"] / seconds if seconds else None,
    }


def sums_of(items: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """The times of items, and the seconds of their audio."""
    return {name: sum(item[name] for item in items) for name in TIMES}


def parameters(stages: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """STAGE.COMPONENT → count. A component called as another stage is what that stage trained,
    gone on with, and is counted there."""
    names = {stage["name"] for stage in stages}
    return {
        f"{stage['name']}.{part}": count
        for stage in stages
        for part, count in stage["parameters"].items()
        if part not in names
    }


def all_failed(estimates: Mapping[str, Any]) -> bool:
    """Whether there is nothing to score; what all items lacked may be there the next time."""
    statuses = {item["status"] for item in estimates["items"]}
    return "failed" in statuses and "ok" not in statuses


def verdict(folder: Path) -> dict[str, Any]:
    """A cell is ok if it made anything; where all its items failed, so has it."""
    estimates = files.read_json(folder / "estimates.json")
    failed = [i for i in estimates["items"] if i["status"] == "failed"]
    if all_failed(estimates):
        return {"status": "failed", "phase": "estimate", "reason": failed[0]["reason"]}
    if not failed:
        return {}
    reason = f"{len(failed)} of {len(estimates['items'])} items failed: {failed[0]['reason']}"
    return {"failed_items": len(failed), "reason": reason}
