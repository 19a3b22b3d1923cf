"""Hostile archives, a table of them: what is refused, why, and that the rest is unpacked."""

import gzip
import io
import os
import resource
import stat
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from timbrebench.core.archives import Limits, extract
from timbrebench.core.errors import BenchError

GOOD = b"good" * 300
SMALL = Limits(entries=50, total=64 << 20, member=8 << 20, ratio=20, ratio_from=1 << 20)

Tar, Zip = tarfile.TarFile, zipfile.ZipFile


def tar_with(path: Path, hostile: Callable[[Tar], None], mode: str = "w:gz") -> Path:
    """good/before.wav, the hostile members, good/after.wav."""
    fast = {"compresslevel": 1} if mode == "w:gz" else {}
    with tarfile.open(path, mode, **fast) as tar:  # type: ignore[call-overload]
        put(tar, "good/before.wav")
        hostile(tar)
        put(tar, "good/after.wav")
    return path


def put(tar: Tar, name: str, content: bytes = GOOD, **fields: object) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    tar.addfile(info, io.BytesIO(content))


def special(name: str, kind: bytes, to: str = "") -> Callable[[Tar], None]:
    return lambda tar: put(tar, name, b"", type=kind, linkname=to)


def named(name: str) -> Callable[[Tar], None]:
    return lambda tar: put(tar, name)


def raw_named(name: bytes) -> Callable[[Tar], None]:
    """A member whose name is these very bytes."""
    return lambda tar: put(tar, name.decode("utf-8", "surrogateescape"))


def twice(first: str, second: str) -> Callable[[Tar], None]:
    def both(tar: Tar) -> None:
        put(tar, first)
        put(tar, second, b"other")

    return both


def sparse(tar: Tar) -> None:
    info = tarfile.TarInfo("sparse.wav")
    info.pax_headers = {"GNU.sparse.map": "0,4", "GNU.sparse.size": str(1 << 40)}
    info.size = len(GOOD)
    tar.addfile(info, io.BytesIO(GOOD))


# name of the case → what is put in, and a part of the reason
TARS: dict[str, tuple[Callable[[Tar], None], str]] = {
    "escape": (named("../evil.wav"), "leads out"),
    "escape, deep": (named("good/../../../evil.wav"), "leads out"),
    "escape, at the end": (named("good/.."), "leads out"),
    "escape, windows": (named("..\\evil.wav"), "backslash"),
    "escape, folder": (special("../evil", tarfile.DIRTYPE), "leads out"),
    "absolute": (named("/tmp/evil.wav"), "absolute"),
    "absolute, twice": (named("//evil.wav"), "absolute"),
    "absolute, drive": (named("C:/evil.wav"), "absolute"),
    "absolute, drive and backslash": (named("c:\\evil.wav"), "absolute"),
    "symbolic link": (special("evil.wav", tarfile.SYMTYPE, "/etc/passwd"), "link"),
    "symbolic link, inside": (special("evil.wav", tarfile.SYMTYPE, "good/before.wav"), "link"),
    "hard link": (special("evil.wav", tarfile.LNKTYPE, "good/before.wav"), "link"),
    "hard link, outside": (special("evil.wav", tarfile.LNKTYPE, "../../etc/passwd"), "link"),
    "character device": (special("evil.wav", tarfile.CHRTYPE), "device"),
    "block device": (special("evil.wav", tarfile.BLKTYPE), "device"),
    "pipe": (special("evil.wav", tarfile.FIFOTYPE), "pipe"),
    "unknown kind": (special("evil.wav", b"Z"), "no plain file"),
    "sparse": (sparse, "no plain file"),
    "not utf-8": (raw_named(b"evil-\xff\xfe.wav"), "not in UTF-8"),
    "not utf-8, latin": (raw_named(b"Fl\xfcte.wav"), "not in UTF-8"),
    "control characters": (named("evil\x1b[2J.wav"), "cannot be shown"),
    "new line": (named("evil\n.wav"), "cannot be shown"),
    "written backwards": (named("evil\u202evaw.exe"), "cannot be shown"),
    "long name": (named("e" * 300 + ".wav"), "too long"),
    "long path": (named("/".join(["e" * 100] * 20)), "too long"),
    "deep path": (named("e/" * 40 + "e.wav"), "too long"),
    "no name": (named("."), "no name"),
    "the same twice": (twice("a.wav", "a.wav"), "has that name"),
    "the same by case": (twice("a.wav", "A.WAV"), "has that name"),
    "the same by composition": (twice("Fl\u00fcte.wav", "Flu\u0308te.wav"), "has that name"),
    "the same by a dot": (twice("a.wav", "./a.wav"), "has that name"),
    "a file as a folder": (twice("a.wav", "a.wav/b.wav"), "same name"),
    "large": (lambda tar: put(tar, "evil.wav", os.urandom(9 << 20)), "larger than 8 MiB"),
    "large, of zeros": (lambda tar: put(tar, "evil.wav", bytes(9 << 20)), "larger than 8 MiB"),
    "ratio": (lambda tar: put(tar, "evil.wav", bytes(7 << 20)), "20 times"),
    "ratio, of a pattern": (lambda tar: put(tar, "evil.wav", b"ab" * (3 << 20)), "20 times"),
}


@pytest.mark.parametrize("case", TARS)
def test_a_hostile_member_of_a_tar_is_refused_alone(case: str, tmp_path: Path) -> None:
    hostile, told = TARS[case]
    archive = tar_with(tmp_path / "a.tar.gz", hostile)
    written, refused = extract(archive, tmp_path / "in" / "root", limits=SMALL)
    expect_the_rest(tmp_path, written)
    assert len(refused) == 1 and told in next(iter(refused.values())), refused
    assert "\n" not in next(iter(refused)) and next(iter(refused)).encode()


def expect_the_rest(folder: Path, written: list[str]) -> None:
    """The good files are there, whole; what is on disk is what is told; nothing lies outside."""
    root = folder / "in" / "root"
    found = {str(p.relative_to(root)) for p in root.rglob("*") if not p.is_dir()}
    assert {"good/before.wav", "good/after.wav"} <= found == set(written)
    assert (root / "good/after.wav").read_bytes() == GOOD
    assert not any(p.is_symlink() for p in folder.rglob("*"))
    assert {p.name for p in folder.iterdir()} <= {"in", "a.tar.gz", "a.zip"}
    assert [p.name for p in (folder / "in").iterdir()] == ["root"]


def zip_with(path: Path, hostile: Callable[[Zip], None]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("good/before.wav", GOOD)
        hostile(archive)
        archive.writestr("good/after.wav", GOOD)
    return path


def zipped(name: str, content: bytes = GOOD, **fields: int) -> Callable[[Zip], None]:
    def write(archive: Zip) -> None:
        info = zipfile.ZipInfo(name)
        info.compress_type = zipfile.ZIP_DEFLATED
        for field, value in fields.items():
            setattr(info, field, value)
        archive.writestr(info, content)

    return write


def zip_lying(size: int) -> Callable[[Zip], None]:
    """A member whose directory entry tells another size than it has."""

    def write(archive: Zip) -> None:
        zipped("evil.wav", bytes(1000))(archive)
        archive.infolist()[-1].file_size = size

    return write


def zip_overlapping(archive: Zip) -> None:
    """Two entries for one block of data."""
    zipped("first.wav")(archive)
    info = zipfile.ZipInfo("evil.wav")
    first = archive.infolist()[-1]
    for field in ("header_offset", "compress_size", "file_size", "CRC", "compress_type"):
        setattr(info, field, getattr(first, field))
    archive.filelist.insert(-1, info)


ZIPS: dict[str, tuple[Callable[[Zip], None], str]] = {
    "escape": (zipped("../evil.wav"), "leads out"),
    "escape, windows": (zipped("..\\evil.wav"), "backslash"),
    "absolute": (zipped("/tmp/evil.wav"), "absolute"),
    "absolute, drive": (zipped("C:/evil.wav"), "absolute"),
    "link": (
        zipped("evil.wav", b"/etc/passwd", external_attr=(stat.S_IFLNK | 0o777) << 16),
        "link",
    ),
    "device": (zipped("evil.wav", b"", external_attr=(stat.S_IFCHR | 0o666) << 16), "device"),
    "pipe": (zipped("evil.wav", b"", external_attr=(stat.S_IFIFO | 0o666) << 16), "pipe"),
    "control characters": (zipped("evil\x07.wav"), "cannot be shown"),
    "the same twice": (lambda z: [zipped(n)(z) for n in ("a.wav", "A.wav")] and None, "that name"),
    "packed with bzip2": (zipped("e.wav", compress_type=zipfile.ZIP_BZIP2), "method 12"),
    "packed with lzma": (zipped("e.wav", compress_type=zipfile.ZIP_LZMA), "method 14"),
    "encrypted": (zipped("e.wav", flag_bits=1), "encrypted"),
    "large": (zipped("evil.wav", bytes(9 << 20)), "larger than 8 MiB"),
    "ratio": (zipped("evil.wav", bytes(7 << 20)), "20 times"),
    "says too little": (zip_lying(10), "damaged"),
    "says too much": (zip_lying(5000), "damaged"),
    "overlapping": (zip_overlapping, "over another"),
}


@pytest.mark.parametrize("case", ZIPS)
def test_a_hostile_member_of_a_zip_is_refused_alone(case: str, tmp_path: Path) -> None:
    hostile, told = ZIPS[case]
    if case == "encrypted":
        archive = encrypted(tmp_path / "a.zip")
    else:
        archive = zip_with(tmp_path / "a.zip", hostile)
    written, refused = extract(archive, tmp_path / "in" / "root", limits=SMALL)
    expect_the_rest(tmp_path, written)
    assert len(refused) == 1 and told in next(iter(refused.values())), refused


def encrypted(path: Path) -> Path:
    """zipfile writes none: the flag is set in what it wrote."""
    data = bytearray(zip_with(path, zipped("evil.wav")).read_bytes())
    at = data.rindex(b"evil.wav") - 46  # of the directory's entry
    data[at + 8] |= 1
    path.write_bytes(data)
    return path


# ---------------------------------------------------------------------------- whole archives


def nested_headers(tar: Tar) -> None:
    """A pax header for a pax header for a pax header …"""
    for _ in range(400):
        put(tar, "x", b"20 comment=abcdefgh\n", type=tarfile.XHDTYPE)


def endless_sparse(tar: Tar) -> None:
    """A sparse file of the old GNU kind, whose list of pieces goes on and on."""
    info = tarfile.TarInfo("evil.wav")
    info.type = tarfile.GNUTYPE_SPARSE
    head = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    head[482] = 1  # it goes on
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    assert tar.fileobj is not None
    tar.fileobj.write(bytes(head))
    tar.offset += len(head)
    block = (b"%011o\0%011o\0" % (1, 1)) * 21 + b"\1" + bytes(7)
    for _ in range(2000):
        tar.fileobj.write(block)
        tar.offset += len(block)


def claim(tar: Tar) -> None:
    """A member that claims very much and has little: all that follows is its content."""
    assert tar.fileobj is not None
    info = tarfile.TarInfo("huge.bin")
    info.size = 1 << 60
    head = info.tobuf(tarfile.GNU_FORMAT)
    tar.fileobj.write(head)
    tar.offset += len(head)


BROKEN: dict[str, tuple[Callable[[Tar], None], str]] = {
    "bytes": (
        lambda tar: [put(tar, f"{n}.bin", bytes(7 << 20)) for n in range(12)] and None,
        "expands to over 64 MiB",
    ),
    "count": (lambda tar: [put(tar, f"{n}.txt") for n in range(60)] and None, "over 50 entries"),
    "count, of folders": (
        lambda tar: [special(f"{n}", tarfile.DIRTYPE)(tar) for n in range(60)] and None,
        "over 50 entries",
    ),
    "a header that goes on": (
        lambda tar: put(tar, "x", bytes(20 << 20), type=tarfile.XHDTYPE),
        "longer than any",
    ),
    "a name that goes on": (
        lambda tar: put(tar, "x", b"a" * (20 << 20), type=tarfile.GNUTYPE_LONGNAME),
        "longer than any",
    ),
    "headers of headers": (nested_headers, "damaged"),
    "pieces without end": (endless_sparse, "longer than any"),
    "a claim of exabytes": (claim, "ends too early"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_hostile_archive_is_left_after_what_came_before(case: str, tmp_path: Path) -> None:
    hostile, told = BROKEN[case]
    archive = tar_with(tmp_path / "a.tar.gz", hostile)
    limits = Limits(**{**vars(SMALL), "member": 1 << 61}) if "claim" in case else SMALL
    with pytest.raises(BenchError, match=told) as caught:
        extract(archive, tmp_path / "in" / "root", limits=limits)
    assert str(archive) in str(caught.value) and "\n" not in str(caught.value)
    assert (tmp_path / "in/root/good/before.wav").read_bytes() == GOOD
    assert {p.name for p in tmp_path.iterdir()} == {"in", "a.tar.gz"}


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 0x55]) + data[middle + 1 :]


@pytest.mark.parametrize("damage", [cut, flipped, lambda data: data[:-5]])
@pytest.mark.parametrize("kind", ["tar.gz", "tar", "zip"])
def test_a_damaged_archive_is_told(
    kind: str, damage: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    """Where a tar is not packed, only its headers can tell of a wrong byte."""
    archive = tmp_path / f"a.{kind}"
    noise = os.urandom(40_000)
    if kind == "zip":
        zip_with(archive, zipped("noise.wav", noise))
    else:
        tar_with(archive, lambda tar: put(tar, "noise.wav", noise), "w:gz" if "gz" in kind else "w")
    archive.write_bytes(damage(archive.read_bytes()))
    if kind == "tar" and damage is not cut:
        extract(archive, tmp_path / "root")
        return
    try:
        _, refused = extract(archive, tmp_path / "root")
    except BenchError as error:
        assert "damaged" in str(error)
    else:
        assert "damaged" in refused["noise.wav"]


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\3\4 and no more", b"\x1f\x8b\x08"])
def test_what_is_no_archive_is_told(content: bytes, tmp_path: Path) -> None:
    archive = tmp_path / "a.tar.gz"
    archive.write_bytes(content)
    with pytest.raises(BenchError, match=r"damaged, or no zip, tar or tar\.gz"):
        extract(archive, tmp_path / "root")


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_broken_header_in_the_middle_is_no_end(mode: str, tmp_path: Path) -> None:
    """tarfile itself takes it for one."""
    plain = tar_with(tmp_path / "plain.tar", named("good/b.wav"), "w").read_bytes()
    at = plain.index(b"good/b.wav")
    broken = plain[:at] + b"X" + plain[at + 1 :]
    archive = tmp_path / "a.tar"
    archive.write_bytes(broken if mode == "w" else gzip.compress(broken))
    with pytest.raises(BenchError, match="a header is broken"):
        extract(archive, tmp_path / "root")


def test_only_what_is_wanted_is_written_and_called_as_wanted(tmp_path: Path) -> None:
    archive = tar_with(tmp_path / "a.tar.gz", named("Fl\u00fcte 1.wav"))
    names = {"good/after.wav": "else/x.wav", "Fl\u00fcte 1.wav": "y.wav"}
    shares: list[float] = []
    written, refused = extract(
        archive, tmp_path / "root", names.get, progress=lambda what, share: shares.append(share)
    )
    assert (sorted(written), refused) == (["else/x.wav", "y.wav"], {})
    assert all(0 <= share <= 1 for share in shares)


# ---------------------------------------------------------------------------- memory

_UNPACK = """
import sys
from pathlib import Path
from timbrebench.core.archives import Limits, extract
from timbrebench.core.errors import BenchError
try:
    print(extract(Path(sys.argv[1]), Path(sys.argv[2]))[1])
except BenchError as error:
    print(error)
"""


def zip_directory(path: Path) -> Path:
    """A directory of a million entries, each of the same few bytes."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", b"")
    data = path.read_bytes()
    start = data.index(b"PK\1\2")
    entry, end = data[start : data.index(b"PK\5\6")], data[data.index(b"PK\5\6") :]
    many = entry * 1_000_000
    size = len(many).to_bytes(4, "little")
    path.write_bytes(data[:start] + many + end[:12] + size + end[16:])
    return path


MEMORY: dict[str, Callable[[Path], Path]] = {
    "tar header": lambda p: tar_with(
        p, lambda tar: put(tar, "x", bytes(160 << 20), type=tarfile.XHDTYPE)
    ),
    "zip member": lambda p: zip_with(p, zipped("evil.wav", bytes(160 << 20))),
    "zip directory": zip_directory,
}


@pytest.mark.parametrize("case", MEMORY)
def test_memory_is_bounded(case: str, tmp_path: Path) -> None:
    """In a process that has 100 MB of data, where more would be needed."""
    archive = MEMORY[case](tmp_path / "a")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (100_000_000,) * 2)

    command = [sys.executable, "-c", _UNPACK, str(archive), str(tmp_path / "root")]
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=limit)
    assert done.returncode == 0, done.stderr
    assert "longer than any" in done.stdout or "200 times" in done.stdout


def test_a_name_that_the_disk_does_not_take_is_refused(tmp_path: Path) -> None:
    """255 bytes are; what it is called until it is whole, with its suffix, is longer."""
    long = "a." + "b" * 253
    path = zip_with(tmp_path / "a.zip", zipped(long))
    found, refused = extract(path, tmp_path / "out")
    assert refused == {long: "its name is too long for the disk"} and long not in found


@pytest.mark.parametrize("name", ["Kr\u0323ti e\u0301.wav", "caf\u00e9.wav"])
def test_a_zip_without_the_flag_of_utf_8_has_mirdatas_names(tmp_path: Path, name: str) -> None:
    from mirdata.download_utils import extractall_unicode

    plain = "x" * len(name.encode())
    path = zip_with(tmp_path / "a.zip", zipped(plain))
    path.write_bytes(path.read_bytes().replace(plain.encode(), name.encode()))
    with zipfile.ZipFile(path) as archive:
        extractall_unicode(archive, tmp_path / "theirs")
    assert name in extract(path, tmp_path / "ours")[0]
    theirs = {p.name for p in (tmp_path / "theirs").iterdir()}
    assert {p.name for p in (tmp_path / "ours").iterdir()} == theirs


def test_a_zip_in_another_code_page_is_read_as_before(tmp_path: Path) -> None:
    path = zip_with(tmp_path / "a.zip", zipped("xx.wav"))
    path.write_bytes(path.read_bytes().replace(b"xx.wav", b"x\x81.wav"))
    assert "x\u00fc.wav" in extract(path, tmp_path / "out")[0]  # 0x81 in code page 437
