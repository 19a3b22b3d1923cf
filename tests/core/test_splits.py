"""Shares by track, the forms of --split, and a fingerprint that says the split."""

from collections import Counter
from pathlib import Path

import pytest

from timbrebench.core.errors import BenchError, UnknownName
from timbrebench.core.records import Corpus, Track
from timbrebench.core.splits import apply_split, assign, assign_tracks, parse_split

IDS = [f"{n:03d}" for n in range(10)]


def tracks(ids: list[str], *instruments: str) -> list[Track]:
    return [Track(id, {i: Path(f"{i}/{id}") for i in instruments or ("a", "b")}) for id in ids]


def corpus() -> Corpus:
    return Corpus("some", tuple(tracks(IDS)), {}, "base")


@pytest.mark.parametrize(
    ("count", "train", "valid", "test"), [(0, 0, 0, 0), (1, 1, 0, 0), (2, 1, 0, 1), (3, 1, 1, 1)]
)
def test_of_few_tracks_each_split_gets_one(count: int, train: int, valid: int, test: int) -> None:
    for seed in range(20):
        found = Counter(assign(map(str, range(count)), seed).values())
        assert (found["train"], found["valid"], found["test"]) == (train, valid, test)


@pytest.mark.parametrize("count", range(4, 40, 5))
def test_no_split_is_empty(count: int) -> None:
    for seed in range(50):
        assert set(assign(map(str, range(count)), seed).values()) == {"train", "valid", "test"}


def test_shares_of_many_tracks() -> None:
    """Within four standard deviations of a binomial share."""
    found = Counter(assign(map(str, range(10000)), valid=0.05, test=0.2).values())
    assert abs(found["valid"] - 500) < 4 * (10000 * 0.05 * 0.95) ** 0.5
    assert abs(found["test"] - 2000) < 4 * (10000 * 0.2 * 0.8) ** 0.5


def test_adding_and_removing_tracks_moves_no_other() -> None:
    whole = assign(map(str, range(200)))
    for count in range(60, 200):
        part = assign(map(str, range(count)))
        assert part == {id: whole[id] for id in part}


def test_only_who_stood_in_goes_back() -> None:
    """Of ten tracks none falls into a share of 0.1 in a third of seeds: then one stands in."""
    moved = []
    for seed in range(200):
        before, after = (assign(map(str, range(count)), seed) for count in (10, 11))
        moved.append(sum(before[id] != after[id] for id in before))
    assert max(moved) <= 2
    assert sum(map(bool, moved)) < 30


def test_the_order_of_tracks_does_not_matter_and_the_seed_does() -> None:
    assert assign(IDS) == assign(reversed(IDS)) == assign(IDS * 2)
    assert len({tuple(sorted(assign(IDS, seed).items())) for seed in range(10)}) > 5
    assert assign(IDS, 0) == dict.fromkeys(IDS, "train") | {"006": "test", "000": "valid"}


def test_a_share_of_zero_gets_none() -> None:
    assert Counter(assign(IDS, test=0).values()) == {"train": 9, "valid": 1}


def test_unpaired_tracks_have_shares_for_each_instrument() -> None:
    unpaired = tracks([f"piano/{n}" for n in range(20)], "piano")
    unpaired += tracks([f"harp/{n}" for n in range(3)], "harp")
    splits = assign_tracks(unpaired)
    harp = Counter(s for id, s in splits.items() if id.startswith("harp"))
    assert harp == {"train": 1, "valid": 1, "test": 1}
    piano = {id: split for id, split in splits.items() if id.startswith("piano")}
    assert piano == assign(piano)


def test_all_tracks_of_a_player_are_in_one_split_whatever_the_seed() -> None:
    names = [f"{player}-{n}" for player in range(6) for n in range(10)]
    given = tuple(Track(n, {"a": Path(n)}, unit=n.partition("-")[0]) for n in names)
    some = Corpus("some", given, {}, "base", notes={"split": "by player"})
    for seed in range(20):
        found = apply_split(some, f"seed={seed}")
        assert len({(t.unit, t.split) for t in found.tracks}) == 6
        assert {t.split for t in found.tracks} == {"train", "valid", "test"}
        assert found.notes["split"] == f"--split seed={seed}"
    by_track = apply_split(some, "test=0-0").notes["split"]
    assert by_track.startswith("--split test=0-0, by track")


def test_named_tracks_and_the_rest_trains() -> None:
    splits = parse_split("valid=000, 001;test=002", tracks(IDS))
    assert Counter(splits.values()) == {"train": 7, "valid": 2, "test": 1}
    assert (splits["000"], splits["002"]) == ("valid", "test")


def test_with_train_named_the_others_are_left_out() -> None:
    split = apply_split(corpus(), "train=003;test=002,001;")
    assert {t.id: t.split for t in split.tracks} == {"001": "test", "002": "test", "003": "train"}


def test_all_and_seed() -> None:
    assert {t.split for t in apply_split(corpus(), "all").tracks} == {"test"}
    assert parse_split("seed=3", tracks(IDS)) == assign(IDS, 3)


def test_the_fingerprint_says_the_split_however_it_was_said() -> None:
    assert apply_split(corpus(), "") == corpus()
    assert apply_split(corpus(), "test=") == corpus()  # all train already
    prints = [apply_split(corpus(), t).fingerprint for t in ("test=001", "test=002", "all")]
    assert len({*prints, "base"}) == 4
    spelled = "test=001;train=" + ",".join(set(IDS) - {"001"})
    assert apply_split(corpus(), spelled).fingerprint == prints[0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("nonsense", "valid=TRACK"),
        ("seed=one", "seed=N"),
        ("valid=001;valid=002", "is no split"),
        ("valid=001;test=001", "'001' into valid and test"),
    ],
)
def test_what_is_no_split(text: str, told: str) -> None:
    with pytest.raises(BenchError, match=told):
        apply_split(corpus(), text)


def test_unknown_names_come_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match=r"Did you mean .*004"):
        apply_split(corpus(), "test=0004")
    with pytest.raises(UnknownName, match="Did you mean train"):
        apply_split(corpus(), "trian=001")
