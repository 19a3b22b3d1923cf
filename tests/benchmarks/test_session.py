"""A cell in a worker: what it trains, and what it leaves open."""

from typing import Any

import pytest

from timbrebench.benchmarks.config import RunConfig
from timbrebench.benchmarks.limits import WORKSPACE
from timbrebench.benchmarks.outcomes import parameters
from timbrebench.benchmarks.plan import make_plan
from timbrebench.benchmarks.records import describe
from timbrebench.benchmarks.session import Session
from timbrebench.core.footprint import training_peak
from timbrebench.core.records import Budget
from timbrebench.core.registry import registry
from timbrebench.core.units import parse_bytes
from timbrebench.core.ways import NeedsMore, Way, padded

SMALL = {"widths": "8/16", "patch": "8"}


@pytest.fixture
def sessions(config):
    """The sessions of methods of ours, by label, with the same small networks."""

    def make(*methods: str, **fields: Any) -> dict[str, Session]:
        names = {m.partition("[")[0] for m in methods}
        fields = {"options": dict.fromkeys(names, SMALL), **fields}
        asked: RunConfig = config(*methods, budget=Budget("examples", 90), **fields)
        plan = make_plan(asked, registry())
        return {c.method.label: Session(describe(c, plan.config)) for c in plan.cells}

    return make


def stages_of(session: Session, gpu: int | None = None) -> list[dict[str, Any]]:
    return session.plan({"gpu": gpu, "host": None})["stages"]


def test_cross_and_double_find_the_same_models_under_the_same_share(sessions) -> None:
    found = sessions("cross", "double", tasks=("bell:bow", "pair:bow/reed"))
    cross, double = (stages_of(found[name]) for name in ("cross", "double"))
    assert [s["name"] for s in cross] == ["bow", "reed"]
    assert [s["key"] for s in cross] == [s["key"] for s in double]
    assert {s["share"] for s in cross} == {0.5}


def test_a_budget_of_memory_splits_the_batch_and_changes_no_key(sessions) -> None:
    (session,) = sessions("cross", options={"cross": {**SMALL, "batch": "2"}}).values()
    (plain,) = session.plan({"gpu": None, "host": None})["stages"]
    whole, least = (
        padded(training_peak(session.stages[0], way)) for way in (Way(2), Way(1, recompute=True))
    )
    plan = session.plan({"gpu": (whole + least) // 2 + WORKSPACE, "host": None})
    (split,) = plan["stages"]
    assert split["memory"]["micro_batch"] < plain["memory"]["micro_batch"] == 2
    assert least <= split["memory"]["planned_bytes"] - WORKSPACE < whole
    assert split["key"] == plain["key"]
    with pytest.raises(NeedsMore, match=r"bow does not fit: needs at least .* MiB"):
        session.plan({"gpu": least - 1 + WORKSPACE, "host": None})


def test_copies_of_training_tracks_make_another_model(sessions) -> None:
    keys, counts = [], []
    for text in ("", "pitch=-1..1", "gain=-6..6"):
        (session,) = sessions("cross", augment=text).values()
        keys.append(stages_of(session)[0]["key"])
        counts.append(
            [len(c.tracks_of("train")) for c in (session.corpus, session.training_corpus)]
        )
    assert len(set(keys)) == 3
    assert counts == [[3, 3], [3, 15], [3, 15]]


def test_the_part_that_batch_norm_sees_is_in_the_key(sessions) -> None:
    (session,) = sessions("ddim[batch=8;variant=published]", tasks=("generate:bow",)).values()
    (plain,) = stages_of(session)
    assert plain["memory"]["batch_norm"]
    peak = padded(training_peak(session.stages[0], Way(8)))
    (split,) = stages_of(session, WORKSPACE + peak - 1)
    assert split["memory"]["micro_batch"] < 8
    least = padded(training_peak(session.stages[0], Way(1, recompute=True)))
    (again,) = stages_of(session, WORKSPACE + least)
    assert again["memory"]["recompute"]
    assert len({plain["key"], split["key"], again["key"]}) == 3


def test_tasks_that_a_method_does_not_do_are_not_estimated(sessions) -> None:
    found = sessions("cross", "double", tasks=("bell:bow", "pair:bow/reed", "generate:bow"))
    assert [t.name for t in found["cross"].tasks] == ["bell:bow"]
    assert [t.name for t in found["double"].tasks] == ["pair:bow/reed"]
    assert "generate tasks only" not in found["cross"].not_applicable(found["double"].tasks[0])


def test_without_the_others_task_each_model_has_a_larger_share(sessions) -> None:
    (cross,) = sessions("cross").values()
    (stage,) = stages_of(cross)
    assert (stage["name"], stage["share"]) == ("bow", 1.0)


def test_sampling_options_change_no_model_and_open_ones_have_candidates(sessions) -> None:
    found = sessions("cross", "cross[k=100]", "cross[batch=2]")
    keys = {label: stages_of(session)[0]["key"] for label, session in found.items()}
    assert keys["cross"] == keys["cross[k=100]"] != keys["cross[batch=2]"]
    assert 250 in found["cross"].to_choose["k"]
    assert found["cross[k=100]"].to_choose == {}


def test_a_session_uses_other_values(sessions) -> None:
    (session,) = sessions("cross").values()
    session.use({"k": 300})
    assert session.method.options.k == 300


def test_what_one_stage_goes_on_with_is_counted_once() -> None:
    stages = [
        {"name": "autoencoder", "parameters": {"encoder": 3, "decoder": 4}},
        {"name": "diffusion", "parameters": {"autoencoder": 7, "unet": 10}},
    ]
    counted = {"autoencoder.encoder": 3, "autoencoder.decoder": 4, "diffusion.unet": 10}
    assert parameters(stages) == counted


SMALL_OF = {
    "palette": {"widths": "8/8/16", "blocks": "1", "batch": "4"},
    "cross": {**SMALL, "batch": "4"},
    "regress": {"widths": "8/16", "blocks": "1", "patch": "8", "batch": "4"},
    "ldm": {"widths": "32/32", "batch": "4"},
}


@pytest.mark.parametrize("limit", ["gpu", "host"])
@pytest.mark.parametrize("method", SMALL_OF)
def test_what_it_says_that_it_needs_is_enough(
    sessions, method: str, limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of all stages and of sampling, and in the words that are told: they are given back."""
    monkeypatch.setattr("timbrebench.benchmarks.session.own_data", lambda: 200_000_001)
    (session,) = sessions(method, options={method: SMALL_OF[method]}).values()
    least = {"gpu": None, "host": None}
    with pytest.raises(NeedsMore) as raised:
        session.plan({**least, limit: 1 << 20})
    told = str(raised.value).rpartition("at least ")[2]
    enough = parse_bytes(told)
    plan = session.plan({**least, limit: enough})
    planned = [plan["sampling"]["planned_bytes"]]
    planned += [stage["memory"]["planned_bytes"] for stage in plan["stages"]]
    assert max(planned) <= enough
    with pytest.raises(NeedsMore, match=f"needs at least {told}"):
        session.plan({**least, limit: raised.value.least - 1})


def test_for_a_gpu_it_is_planned_alike_wherever_it_is_planned(sessions) -> None:
    """In bf16 CUDA keeps more in float32 than a CPU does."""
    plans = []
    for device in ("cpu", "cuda"):
        (session,) = sessions("cross", precision="bf16", device=device).values()
        plans.append(session.plan({"gpu": 1 << 33, "host": None}))
    assert plans[0] == plans[1]
    (on_cpu,) = sessions("cross", precision="bf16").values()
    host = on_cpu.plan({"gpu": None, "host": 1 << 33})["stages"][0]["memory"]["planned_bytes"]
    own = on_cpu.plan({"gpu": 1 << 33, "host": 1 << 33})["stages"][0]["memory"]["planned_bytes"]
    assert host < own
