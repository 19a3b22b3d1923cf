"""A hostile list: each bad row is refused with its reason, the others are read."""

import ipaddress
import tracemalloc
from pathlib import Path

import pytest

from timbrebench.core.errors import BenchError
from timbrebench.datasets.youtube.hosts import why_inside, why_private
from timbrebench.datasets.youtube.rows import Refusal, Refusals, Row, read_list, read_rows

GOOD = "https://example.com/a.wav"


def rows_of(folder: Path, *lines: str, most: int = 1000) -> list[Row | Refusal]:
    path = folder / "list.csv"
    path.write_text("instrument,title,url\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return list(read_rows(path, most))


@pytest.mark.parametrize(
    "line, reason",
    [
        (f'"=HYPERLINK(""http://x"")",a,{GOOD}', "its instrument begins with '='"),
        (f"piano,=1+1,{GOOD}", "its title begins with '='"),
        (f"piano,@SUM(A1),{GOOD}", "its title begins with '@'"),
        (f"piano,+cmd|' /C calc'!A0,{GOOD}", "its title begins with '+'"),
        ("piano,a,-o /tmp/x", "its url begins with '-'"),
        ("piano,a,--exec=touch /tmp/x", "its url begins with '-'"),
        ("piano,a,file:///etc/passwd", "its url is no http(s) address but 'file'"),
        ("piano,a,FILE:/etc/passwd", "its url is no http(s) address but 'file'"),
        ("piano,a,ftp://example.com/a", "its url is no http(s) address but 'ftp'"),
        ("piano,a,ytsearch100:piano", "its url is no http(s) address but 'ytsearch100'"),
        ("piano,a,javascript:alert(1)", "its url is no http(s) address but 'javascript'"),
        ("piano,a,/etc/passwd", "its url is no http(s) address"),
        ("piano,a,https:///a.wav", "its url has no host"),
        ("piano,a,http://[::1", "its url is none"),
        ("piano,a,http://example.com:99999999/", "its url is none"),
        ("piano,a,https://user:word@example.com/", "its url holds a user's name"),
        ("piano,a,https://example.com\\@127.0.0.1/", "its url has no host"),
        ("piano,a,http://localhost/a", "the host 'localhost' is in a private network"),
        ("piano,a,http://printer/a", "the host 'printer' is in a private network"),
        ("piano,a,http://nas.local./a", "the host 'nas.local.' is in a private network"),
        ("piano,a,http://127.0.0.1/a", "the address 127.0.0.1 is in a private network"),
        ("piano,a,http://2130706433/a", "the address 127.0.0.1 is in a private network"),
        ("piano,a,http://0x7f.1/a", "the address 127.0.0.1 is in a private network"),
        ("piano,a,http://0/a", "the address 0.0.0.0 is in a private network"),
        ("piano,a,http://169.254.169.254/", "the address 169.254.169.254 is in a private"),
        ("piano,a,http://10.1.2.3/", "the address 10.1.2.3 is in a private network"),
        ("piano,a,http://[::ffff:192.168.0.1]/", "is in a private network"),
        ("piano,a,http://[fe80::1]/", "is in a private network"),
        ("piano,a,http://[fe80::1%25eth0]/", "is in a private network"),
        ("piano,a,http://[::127.0.0.1]/", "is in a private network"),
        ("piano,a,http://0177.0.0.1/", "the address 127.0.0.1 is in a private network"),
        ("piano,a,http://127.0.0.1./", "the address 127.0.0.1 is in a private network"),
        ("piano,a,http://%31%32%37.0.0.1/", "the address 127.0.0.1 is in a private network"),
        ("piano,a,http://①②⑦.0.0.1/", "the address 127.0.0.1 is in a private network"),
        ("piano,a,http://127。0。0。1/", "the address 127.0.0.1 is in a private network"),
        ("piano,a,http://local%68ost/", "is in a private network (--allow-private allows it)"),
        ("piano,a,http://10.1.2.3/", "(--allow-private allows it)"),
        (f"../../etc,a,{GOOD}", "its instrument may have letters"),
        (f"a/b,a,{GOOD}", "its instrument may have letters"),
        (f".hidden,a,{GOOD}", "its instrument may have letters"),
        (f"{'x' * 60},a,{GOOD}", "its instrument may have letters"),
        (f"generate,a,{GOOD}", "'generate' is a word of task names"),
        (f"piano,{'x' * 3000},{GOOD}", "its title has 3000 characters"),
        (f"piano,a\x1b[2J,{GOOD}", "its title has characters that cannot be shown"),
        (f"piano,a\u202eb,{GOOD}", "its title has characters that cannot be shown"),
        ("piano,a", "it has no url"),
        ("piano", "it has no title and no url"),
        (f"piano,,{GOOD}", "its title is empty"),
        ("piano,a,", "its url is empty"),
    ],
)
def test_a_bad_row_is_refused_and_the_others_are_read(
    tmp_path: Path, line: str, reason: str
) -> None:
    first, bad, last = rows_of(tmp_path, f"piano,a,{GOOD}", line, f"Acoustic Guitar,b,{GOOD}?2")
    assert first == Row(2, "piano", "a", GOOD)
    assert isinstance(bad, Refusal) and bad.line == 3
    assert reason in bad.reason and bad.reason.isprintable()
    assert last == Row(4, "acoustic_guitar", "b", f"{GOOD}?2")


@pytest.mark.parametrize(
    "title", ['<script>alert("x")</script>', "../../x", "a/b\\c", "é 日本", "CON", "x" * 300]
)
def test_a_title_is_data(tmp_path: Path, title: str) -> None:
    quoted = '"' + title.replace('"', '""') + '"'
    (row,) = rows_of(tmp_path, f"piano,{quoted},{GOOD}")
    assert isinstance(row, Row) and row.title == title


def test_columns_may_stand_in_any_order_after_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text(f"\ufeffURL, Title ,note,Instrument\r\n{GOOD},a,-,harp\r\n", encoding="utf-8")
    assert list(read_rows(path, 10)) == [Row(2, "harp", "a", GOOD)]


@pytest.mark.parametrize(
    "content, told",
    [
        (b"", "has no column 'instrument'"),
        (b"\x89PNG\r\n\x1a\n\0\0", "has no column 'instrument'"),
        (b"instrument,title\npiano,a\n", "has no column 'url'"),
        (b"piano,a,https://example.com\n", "has no column 'instrument'"),
    ],
)
def test_what_is_no_list_is_one_line(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(content)
    with pytest.raises(BenchError, match=told):
        list(read_rows(path, 10))
    with pytest.raises(BenchError, match="there is no list"):
        list(read_rows(tmp_path / "none.csv", 10))


def test_bytes_that_are_no_text_harm_no_other_row(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(
        b"instrument,title,url\n"
        b"piano,\xff\xfe\0,https://example.com/a\nharp,b,https://example.com/b\n"
    )
    first, second = read_rows(path, 10)
    assert isinstance(first, Row) and first.title == "\ufffd\ufffd\ufffd"
    assert isinstance(second, Row) and second.instrument == "harp"


@pytest.mark.parametrize(
    "bad, reason",
    [
        (['piano,"never closed,https://example.com/a'], "a quote is not closed on its line"),
        (['"'], "a quote is not closed on its line"),
        ([f'piano,a,{GOOD},"a note', 'of two lines"'], "a quote is not closed on its line"),
        (["x" * 16_001], "it has over 16000 characters"),
        (["x" * 16_000 + f",a,{GOOD}"], "it has over 16000 characters"),
        (["piano,a,https://" + "x" * 90_000], "it has over 16000 characters"),
        (["x" * 16_000], "it has no title and no url"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_bad_line_takes_no_other_row_with_it(
    tmp_path: Path, bad: list[str], reason: str, end: str
) -> None:
    """Every good row is taken, and every row has the number of its line."""
    path = tmp_path / "list.csv"
    lines = ["instrument,title,url", f"piano,a,{GOOD}", *bad]
    lines += [f"harp,{n},{GOOD}?{n}" for n in range(49)]
    path.write_bytes(end.join(lines).encode())
    rows = list(read_rows(path, 1000))
    good = [row for row in rows if isinstance(row, Row)]
    assert [row.line for row in good] == [2, *(n + len(bad) + 3 for n in range(49))]
    assert [row.title for row in good[1:]] == [str(n) for n in range(49)]
    refused = [row for row in rows if isinstance(row, Refusal)]
    assert [row.line for row in refused] == list(range(3, 3 + len(bad)))
    assert reason in refused[0].reason


def test_a_list_of_bad_rows_is_counted_in_little_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("timbrebench.datasets.youtube.rows._MOST_LINES", 20_000)
    path = tmp_path / "list.csv"
    path.write_text(f"instrument,title,url\npiano,a,{GOOD}\n" + "x\n" * 2_000_000)
    refused = Refusals(100)
    tracemalloc.start()
    rows = read_list(path, 1000, (), refused)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(rows) == 1 and len(refused.told) == 100
    told = refused.of("list.csv")
    assert told["list.csv, line 3"] == "it has no title and no url"
    last = "line 20001: at most 20000 lines of a list are read"
    assert told["list.csv"] == f"{len(refused) - 100} more rows were refused, as {last}"
    assert peak < 1 << 18  # of a list of 4 MB


def test_ten_thousand_rows_are_read_in_little_memory(tmp_path: Path) -> None:
    lines = [f"piano,{n} {'x' * 200},{GOOD}?{n}" for n in range(10_000)]
    path = tmp_path / "list.csv"
    path.write_text("instrument,title,url\n" + "\n".join(lines))
    tracemalloc.start()
    counts = {Row: 0, Refusal: 0}
    last = None
    for row in read_rows(path, 1000):
        counts[type(row)] += 1
        last = row
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert counts == {Row: 1000, Refusal: 9000}
    assert isinstance(last, Refusal) and "at most 1000 rows" in last.reason
    assert peak < 1 << 19  # of a list of 2.4 MB


@pytest.mark.parametrize(
    "address, public",
    [
        ("93.184.216.34", True),
        ("2606:4700::1111", True),
        ("127.0.0.2", False),
        ("172.16.0.1", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("::", False),
        ("fc00::1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::5db8:d822", True),
        ("64:ff9b:1::7f00:1", False),
        ("2002:7f00:1::", False),
        ("2002:5db8:d822::1", True),
        ("2001:0:4136:e378:8000:63bf:a247:27dd", True),  # Teredo, to 93.184.216.34
        ("2001:0:4136:e378:8000:63bf:80ff:fffe", False),  # Teredo, to 127.0.0.1
        ("2001:0:7f00:1:8000:63bf:a247:27dd", False),  # Teredo, by 127.0.0.1
        ("::ffff:0:127.0.0.1", False),
        ("::127.0.0.1", False),
        ("::1", False),
        ("fec0::1", False),
        ("fe80::1", False),
        ("ff02::1", False),
        ("100::1", False),
        ("2001:db8::1", False),
        ("2001:20::1", False),
        ("3fff::1", False),
        ("5f00::1", False),
        ("2001:4860:4860::8888", True),
        ("192.0.0.8", False),
        ("192.0.2.1", False),
        ("192.88.99.1", False),
        ("198.18.0.1", False),
        ("203.0.113.9", False),
        ("240.0.0.1", False),
        ("255.255.255.255", False),
    ],
)
def test_public_addresses(address: str, public: bool) -> None:
    assert (why_inside(ipaddress.ip_address(address)) == "") is public


def test_named_networks_are_allowed() -> None:
    address = ipaddress.ip_address("10.0.0.7")
    assert why_inside(address, ["10.0.0.0/24"]) == ""
    assert why_inside(address, ["10.0.1.0/24", "::/0"]) != ""
    assert why_private("localhost", ["127.0.0.0/8"]) == ""
