"""Fetching from a real server that stops, stalls, lies, changes, or knows no ranges."""

import ast
import hashlib
import io
import random
import re
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import timbrebench
from timbrebench.core.errors import BenchError
from timbrebench.core.fetching import Fetching, Remote, check_space, fetch, to_fetch, using
from timbrebench.testing.server import Fault, FaultyServer

CONTENT = random.Random(0).randbytes(200_000)
OTHER = random.Random(1).randbytes(200_000)
QUICK = Fetching(timeout=0.3, tries=3, wait=0.01)


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with FaultyServer({"a.tar.gz": CONTENT}) as running, using(QUICK):
        yield running


def remote_of(server: FaultyServer, algorithm: str = "md5", **fields: object) -> Remote:
    digest = hashlib.new(algorithm or "md5", CONTENT).hexdigest()
    known: dict[str, Any] = {"url": f"{server.url}/a.tar.gz", "size": len(CONTENT)}
    known["checksum"] = f"{algorithm}:{digest}" if algorithm else ""
    return Remote("a.tar.gz", **{**known, **fields})


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_a_file_is_fetched_once_with_speed_and_share(server: FaultyServer, tmp_path: Path) -> None:
    told: list[tuple[str, float]] = []
    remote = remote_of(server)
    assert to_fetch(remote, tmp_path / "new") == len(CONTENT)
    path = fetch(remote, tmp_path / "new", progress=lambda *step: told.append(step))
    assert path.read_bytes() == CONTENT and left(tmp_path / "new") == ["a.tar.gz"]
    assert told[-1][1] == 1 and "195 KiB of 195 KiB" in told[-1][0] and "/s" in told[-1][0]
    assert to_fetch(remote, tmp_path / "new") == 0
    assert fetch(remote, tmp_path / "new") == path and len(server.asked) == 1


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256", "sha512", ""])
def test_checksums_of_any_kind_or_none(
    server: FaultyServer, tmp_path: Path, algorithm: str
) -> None:
    server.faults = [Fault(cut=90_000)]
    assert fetch(remote_of(server, algorithm), tmp_path).read_bytes() == CONTENT
    assert server.asked[1][1] == "bytes=90000-"


@pytest.mark.parametrize("seed", range(5))
def test_cut_at_random_it_goes_on_and_asks_for_nothing_twice(
    server: FaultyServer, tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)
    server.faults = [Fault(cut=rng.randrange(5_000, 40_000)) for _ in range(12)]
    assert fetch(remote_of(server), tmp_path).read_bytes() == CONTENT
    assert server.sent == len(CONTENT)


def test_one_that_never_goes_on_ends_in_words(server: FaultyServer, tmp_path: Path) -> None:
    server.always = Fault(cut=0)
    server.faults = [Fault(cut=1000)]
    with pytest.raises(BenchError, match=r"ended after 1000 of 200000 bytes, 3 times.*--mirror"):
        fetch(remote_of(server), tmp_path)
    assert left(tmp_path) == ["a.tar.gz.part", "a.tar.gz.part.json"]
    assert to_fetch(remote_of(server), tmp_path) == len(CONTENT) - 1000
    server.always = Fault()
    assert fetch(remote_of(server), tmp_path).read_bytes() == CONTENT
    assert server.sent == len(CONTENT) and left(tmp_path) == ["a.tar.gz"]


def test_a_stall_is_left_and_gone_on_from(server: FaultyServer, tmp_path: Path) -> None:
    server.faults = [Fault(cut=50_000, stall=True)]
    told: list[str] = []
    fetch(remote_of(server), tmp_path, progress=lambda what, share: told.append(what))
    assert any("nothing came for 0.3 s; again in" in what for what in told)
    assert server.asked[1] == ("a.tar.gz", "bytes=50000-")


def test_a_wrong_byte_is_noticed_and_the_file_fetched_once_more(
    server: FaultyServer, tmp_path: Path
) -> None:
    server.faults = [Fault(flip=7)]
    assert fetch(remote_of(server), tmp_path).read_bytes() == CONTENT
    assert [asked for _, asked in server.asked] == ["", ""]


def test_wrong_twice_it_fails_and_leaves_nothing(server: FaultyServer, tmp_path: Path) -> None:
    server.always = Fault(flip=7)
    with pytest.raises(BenchError, match=r"holds another md5: .* it was deleted"):
        fetch(remote_of(server), tmp_path)
    assert left(tmp_path) == [] and len(server.asked) == 2


@pytest.mark.parametrize("algorithm", ["md5", ""])
def test_a_file_that_changed_on_the_server_is_not_spliced(
    server: FaultyServer, tmp_path: Path, algorithm: str
) -> None:
    """The other version has the same length: only its tag tells."""
    server.faults, server.always = [Fault(cut=100_000)], Fault(status=404)
    with pytest.raises(BenchError, match="404"):
        fetch(remote_of(server, algorithm), tmp_path)
    server.files["a.tar.gz"], server.always = OTHER, Fault()
    remote = remote_of(server, algorithm)
    if algorithm:
        with pytest.raises(BenchError, match="another md5"):
            fetch(remote, tmp_path)
        assert left(tmp_path) == []
    else:
        assert fetch(remote, tmp_path).read_bytes() == OTHER


def test_without_tag_and_checksum_nothing_is_put_together(
    server: FaultyServer, tmp_path: Path
) -> None:
    server.tags, server.faults = False, [Fault(cut=100_000)]
    assert fetch(remote_of(server, ""), tmp_path).read_bytes() == CONTENT
    assert [asked for _, asked in server.asked] == ["", ""]


def test_without_ranges_it_begins_anew(server: FaultyServer, tmp_path: Path) -> None:
    server.faults = [Fault(cut=100_000), Fault(cut=50_000, ranges=False), Fault(ranges=False)]
    assert fetch(remote_of(server), tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize(
    "lie",
    [
        {"Content-Range": "bytes 5-199999/200000"},
        {"Content-Range": "bytes 1000-299999/300000"},
        {"Content-Range": "nonsense"},
        {"ETag": '"of something else"'},
    ],
)
def test_another_part_than_was_asked_for_is_not_taken(
    server: FaultyServer, tmp_path: Path, lie: dict[str, str]
) -> None:
    server.faults = [Fault(cut=1000), Fault(headers=lie)]
    assert fetch(remote_of(server), tmp_path).read_bytes() == CONTENT
    kept = "300000" in lie.get("Content-Range", "")  # that is no file of ours at all
    assert [asked for _, asked in server.asked] == ["", "bytes=1000-", kept * "bytes=1000-"]


@pytest.mark.parametrize(
    ("page", "told"),
    [
        ({}, "it has 14 bytes there, and should have 200000"),
        ({"Content-Length": "", "Content-Type": "text/html; charset=utf-8"}, "with a web page"),
    ],
)
def test_the_page_of_a_login_costs_nothing_that_came(
    server: FaultyServer, tmp_path: Path, page: dict[str, str], told: str
) -> None:
    server.faults, server.always = [Fault(cut=150_000)], Fault(ranges=False, headers=page)
    whole, server.files["a.tar.gz"] = remote_of(server), CONTENT
    with using(Fetching(timeout=0.3, tries=1, wait=0.01)), pytest.raises(BenchError, match="ended"):
        fetch(whole, tmp_path)
    server.files["a.tar.gz"] = b"<html>log in!\n"
    with pytest.raises(BenchError, match=told):
        fetch(whole, tmp_path)
    assert (tmp_path / "a.tar.gz.part").stat().st_size == 150_000
    server.files["a.tar.gz"], server.always = CONTENT, Fault()
    assert fetch(whole, tmp_path).read_bytes() == CONTENT
    assert server.asked[-1][1] == "bytes=150000-"


def test_a_server_that_is_busy_is_asked_again(server: FaultyServer, tmp_path: Path) -> None:
    server.faults = [Fault(status=503), Fault(status=429, headers={"Retry-After": "0"})]
    assert fetch(remote_of(server), tmp_path).read_bytes() == CONTENT
    assert len(server.asked) == 3


def test_one_that_does_not_have_it_is_not(server: FaultyServer, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"could not be fetched .*404"):
        fetch(remote_of(server, url=f"{server.url}/else"), tmp_path)
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [404, 503])
def test_a_servers_words_move_no_cursor(server: FaultyServer, tmp_path: Path, status: int) -> None:
    server.always = Fault(status=status, words="no \x1b]0;title\x07\x1b[2J" + "x" * 5000)
    with pytest.raises(BenchError) as raised:
        fetch(remote_of(server), tmp_path)
    told = str(raised.value)
    assert f"{status} no \\x1b]0;title" in told and told.isprintable() and len(told) < 1000


def test_the_next_address_is_taken(server: FaultyServer, tmp_path: Path) -> None:
    remote = remote_of(server, url=f"{server.url}/else", mirrors=(f"{server.url}/a.tar.gz",))
    assert fetch(remote, tmp_path).read_bytes() == CONTENT


def test_what_one_address_began_another_ends(server: FaultyServer, tmp_path: Path) -> None:
    with FaultyServer({"a.tar.gz": CONTENT}, always=Fault(cut=0)) as first:
        first.faults = [Fault(cut=150_000)]
        remote = remote_of(first, mirrors=(f"{server.url}/a.tar.gz",))
        assert fetch(remote, tmp_path).read_bytes() == CONTENT
    assert server.asked == [("a.tar.gz", "bytes=150000-")]


def test_a_mirror_is_asked_in_place_of_the_rest(server: FaultyServer, tmp_path: Path) -> None:
    remote = remote_of(server, url="http://127.0.0.1:9/a.tar.gz")
    with using(Fetching(mirror=f"{server.url}/some/folder/")):
        assert fetch(remote, tmp_path).read_bytes() == CONTENT


def test_a_proxy_is_gone_through(server: FaultyServer, tmp_path: Path) -> None:
    """A proxy is asked for the whole address, of a host that only it knows."""
    remote = remote_of(server, url="http://host.invalid/a.tar.gz")
    with using(Fetching(proxy=server.url)):
        assert fetch(remote, tmp_path).read_bytes() == CONTENT
    assert server.headers[0]["Host"] == "host.invalid"
    with (
        using(Fetching(proxy="socks://here:1")),
        pytest.raises(BenchError, match="a proxy is http"),
    ):
        fetch(remote, tmp_path / "else")


def test_the_environments_proxy_is_gone_through(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    remote = remote_of(server, url="http://host.invalid/a.tar.gz")
    assert fetch(remote, tmp_path).read_bytes() == CONTENT


def test_a_folder_with_the_file_is_read_and_left(server: FaultyServer, tmp_path: Path) -> None:
    given, folder = tmp_path / "given", tmp_path / "root"
    given.mkdir()
    (given / "a.tar.gz").write_bytes(CONTENT)
    with using(Fetching(source=given)):
        assert to_fetch(remote_of(server), folder) == 0
        assert fetch(remote_of(server), folder) == given / "a.tar.gz"
        (given / "a.tar.gz").write_bytes(OTHER)
        with pytest.raises(BenchError, match=r"another md5.*--from"):
            fetch(remote_of(server), folder)
        (given / "a.tar.gz").write_bytes(OTHER[1:])
        with pytest.raises(BenchError, match="it has 199999 bytes"):
            fetch(remote_of(server), folder)
    assert not server.asked and not folder.exists() and left(given) == ["a.tar.gz"]


def test_a_damaged_file_is_fetched_anew(server: FaultyServer, tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(OTHER)
    assert fetch(remote_of(server), tmp_path).read_bytes() == CONTENT


def test_a_whole_part_is_taken_without_asking(server: FaultyServer, tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz.part").write_bytes(CONTENT)
    assert fetch(remote_of(server), tmp_path).read_bytes() == CONTENT and not server.asked
    (tmp_path / "a.tar.gz").rename(tmp_path / "a.tar.gz.part")
    assert fetch(remote_of(server, size=None), tmp_path).read_bytes() == CONTENT
    assert server.asked == [("a.tar.gz", "bytes=200000-")]  # answered by 416


def test_a_part_longer_than_the_file_is_dropped(server: FaultyServer, tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz.part").write_bytes(CONTENT + b"more")
    assert fetch(remote_of(server), tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"size": 100}, "has 200000 bytes there, and should have 100"),
        ({"size": None, "limit": 1 << 16}, "longer than 64 KiB"),
    ],
)
def test_another_length_is_refused_before_it_comes(
    server: FaultyServer, tmp_path: Path, fields: dict[str, int], told: str
) -> None:
    with pytest.raises(BenchError, match=told):
        fetch(remote_of(server, **fields), tmp_path)
    assert server.sent < 2 * len(CONTENT) and "a.tar.gz" not in left(tmp_path)


def test_an_endless_answer_is_cut_off(server: FaultyServer, tmp_path: Path) -> None:
    """It says nothing of its length."""
    server.files["a.tar.gz"] = bytes(3 << 20)
    server.always = Fault(headers={"Content-Length": ""})
    with pytest.raises(BenchError, match="longer than 1 MiB"):
        fetch(remote_of(server, size=None, limit=1 << 20), tmp_path)
    assert (tmp_path / "a.tar.gz.part").stat().st_size == 0


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://host/x", "a.tar.gz", "data:,x"])
def test_only_http_addresses(server: FaultyServer, tmp_path: Path, url: str) -> None:
    with pytest.raises(BenchError, match=r"no http\(s\) address.*--from DIR"):
        fetch(remote_of(server, url=url), tmp_path)


@pytest.mark.parametrize("to", ["file:///etc/hostname", "ftp://127.0.0.1/x", "gopher://x/"])
def test_only_http_redirects(server: FaultyServer, tmp_path: Path, to: str) -> None:
    server.faults = [Fault(status=302, headers={"Location": to})]
    with pytest.raises(BenchError, match=r"refused|not allowed"):
        fetch(remote_of(server), tmp_path)
    assert "a.tar.gz" not in left(tmp_path)


def test_a_redirect_is_followed_with_its_range(server: FaultyServer, tmp_path: Path) -> None:
    there = {"Location": f"{server.url}/a.tar.gz"}
    server.faults = [Fault(status=302, headers=there), Fault(cut=7000)]
    server.faults += [Fault(status=302, headers=there)]
    assert fetch(remote_of(server, url=f"{server.url}/moved"), tmp_path).read_bytes() == CONTENT
    assert server.asked[-1] == ("a.tar.gz", "bytes=7000-")


def test_a_server_that_is_not_there(tmp_path: Path, server: FaultyServer) -> None:
    with pytest.raises(BenchError, match=r"Connection refused, 3 times.*--mirror URL"):
        fetch(remote_of(server, url="http://127.0.0.1:9/x"), tmp_path)


def test_two_at_once_do_not_mix(server: FaultyServer, tmp_path: Path) -> None:
    server.faults = [Fault(cut=1000, stall=True)]
    begun, slow = threading.Event(), Fetching(timeout=20, tries=2, wait=0.01)

    def first() -> None:
        with using(slow):
            fetch(remote_of(server), tmp_path, progress=lambda what, share: begun.set())

    thread = threading.Thread(target=first)
    thread.start()
    assert begun.wait(10)
    with pytest.raises(BenchError, match="another process is fetching it"):
        fetch(remote_of(server), tmp_path)
    server.released.set()
    thread.join()
    assert (tmp_path / "a.tar.gz").read_bytes() == CONTENT


def test_too_little_disk_is_told_before_anything_is_asked(tmp_path: Path) -> None:
    check_space(tmp_path / "not" / "yet", 1, "a")
    with pytest.raises(BenchError, match=r"a needs .* GiB of disk in .* are free"):
        check_space(tmp_path / "not" / "yet", 1 << 60, "a")


def test_the_documented_dataset_downloads_and_verifies(
    server: FaultyServer, tmp_path: Path
) -> None:
    text = (Path(timbrebench.__file__).parents[1] / "docs/plugins.md").read_text()
    [code] = [c for c in re.findall(r"```python\n(.*?)```", text, re.S) if "class Sounds" in c]
    names: dict[str, Any] = {}
    exec(code, names)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("sounds/a.wav", b"sound")
        archive.writestr("../evil.wav", b"evil")
    server.files["sounds.zip"] = packed.getvalue()
    names["ARCHIVE"] = Remote("sounds.zip", f"{server.url}/sounds.zip", len(packed.getvalue()))
    dataset = type("Whole", (names["Sounds"],), {"corpus": lambda self: None})(None, tmp_path)
    assert dataset.needs().download == len(packed.getvalue())
    dataset.prepare(lambda what, share: None)
    assert (tmp_path / "sounds/a.wav").read_bytes() == b"sound"
    assert dataset.verify(lambda what, share: None) == {}
    (tmp_path / "sounds/a.wav").unlink()
    assert dataset.verify(lambda what, share: None) == {"sounds/a.wav": "it is not there"}


def test_nothing_else_knows_the_network() -> None:
    """Datasets may bring libraries of their own for it, and a cluster is reached by its address;
    nothing else of ours imports any."""
    root = Path(timbrebench.__file__).parent
    network = {"urllib.request", "http", "socket", "requests", "ftplib", "aiohttp", "httpx"}
    found = set()
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(n in network or n.partition(".")[0] in network for n in names):
                found.add(str(path.relative_to(root)))
    assert {f for f in found if not f.startswith("datasets/")} == {
        "benchmarks/executors/ray_link.py",
        "core/download.py",
        "testing/server.py",
    }
