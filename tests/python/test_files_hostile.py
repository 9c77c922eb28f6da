"""npy and npz files that lie: each is refused by name and place, or read as what it says."""

import io
import struct
import zipfile
import zlib

import numpy as np
import pytest

from engines import IS_HEDDLE, dtype_name, mx, to_numpy

pytestmark = pytest.mark.skipif(not IS_HEDDLE, reason="MLX accepts or misreads hostile files")
RNG = np.random.default_rng(0)


def refuse(path):
    """The refusal of a file: one clean error of one line that names the file."""
    import heddle

    with pytest.raises(heddle.UnsafeFileError) as caught:
        mx.eval(mx.load(str(path)))
    message = str(caught.value)
    assert path.name in message and "offset" in message, message
    assert len(message) < 1000 and "\n" not in message, message
    return message


# --- npy ----------------------------------------------------------------------------------------


def npy(header, data=bytes(8), version=(1, 0), length=None, magic=b"\x93NUMPY"):
    text = header if isinstance(header, bytes) else header.encode()
    number = struct.pack("<H" if version[0] == 1 else "<I", len(text) if length is None else length)
    return magic + bytes(version) + number + text + data


def described(descr="'<f4'", order="False", shape="(2,)", more="", **options):
    return npy(
        f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, {more}}}\n", **options
    )


NPY = {
    "empty": b"",
    **{f"{n}-bytes": described()[:n] for n in (1, 5, 6, 7, 8, 9, 10, 11)},
    "magic": described(magic=b"\x93NUMPX"),
    "version-0": described(version=(0, 0)),
    "version-4": described(version=(4, 0)),
    "version-1.1": described(version=(1, 1)),
    "length-65535": described(length=65_535),
    "length-4GB": described(version=(2, 0), length=2**32 - 1),
    "length-0": npy("", length=0),
    "call": described(shape="tuple([2])"),
    "import": npy("__import__('os').system('true')"),
    "comprehension": described(shape="(x for x in (2,))"),
    "expression": described(shape="(1+1,)"),
    "deep": described(shape="(" * 30_000 + ")" * 30_000),
    "list": described(shape="[2]"),
    "number-as-shape": described(shape="(2)"),
    "not-a-dict": npy("('<f4', False, (2,))"),
    "no-end": npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,"),
    "open-string": npy("{'descr': '<f4"),
    "escape": described(descr="'<\\x664'"),
    "text-behind": described(shape="(2,), } 1 {"),
    "key-missing": npy("{'descr': '<f4', 'shape': (2,), }"),
    "key-unknown": described(more="'x': 1"),
    "key-twice": described(more="'shape': (2,)"),
    "object": described(descr="'|O'"),
    "structured": described(descr="[('a', '<f4')]", data=bytes(8)),
    "text-type": described(descr="'<U1'"),
    "long-double": described(descr="'<f16'", data=bytes(32)),
    "f99": described(descr="'<f99'"),
    "type-empty": described(descr="''"),
    "type-order-only": described(descr="'<'"),
    "datetime": described(descr="'<M8[ns]'", data=bytes(16)),
    "order-number": described(order="1"),
    "order-none": described(order="None"),
    "negative": described(shape="(-2,)"),
    "two-negatives": described(shape="(-1, -2)"),
    "fraction": described(shape="(2.0,)"),
    "2^31": described(shape="(2147483648,)"),
    "2^64": described(shape="(18446744073709551616,)"),
    "product": described(shape="(2147483647, 2147483647, 2147483647)"),
    "product-with-0": described(shape="(0, 2147483647, 2147483647, 2147483647)", data=b""),
    "bytes-overflow": described(descr="'<f8'", shape="(2147483647, 2147483647, 2)"),
    "wide-overflow": described(descr="'<c16'", shape="(2147483647, 2147483647)"),
    "rank-100": described(shape="(" + "1," * 100 + ")", data=bytes(4)),
    "data-short": described(data=bytes(7)),
    "data-long": described(data=bytes(9)),
    "not-ascii": npy(b"{'descr': '\xff', 'fortran_order': False, 'shape': (2,), }\n"),
}


@pytest.mark.parametrize("label", NPY)
def test_hostile_npy(tmp_path, label):
    path = tmp_path / "hostile.npy"
    path.write_bytes(NPY[label])
    refuse(path)


@pytest.mark.parametrize("label", [label for label in NPY if label != "data-long"])
def test_hostile_npy_streams(label):
    import heddle

    with pytest.raises(heddle.UnsafeFileError, match="file object"):
        mx.load(io.BytesIO(NPY[label]), format="npy")


@pytest.mark.parametrize(
    "header",
    [
        "{'shape': (2,), 'fortran_order': False, 'descr': '<f4'}",
        '{"descr":"<f4","fortran_order":False,"shape":(2,)}',
        "{ 'descr' : '=f4' ,'fortran_order':True, 'shape':( 2 , ) ,}   \n",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2L,), }\n",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }\n",
    ],
)
@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_other_spellings_are_read(tmp_path, header, version):
    path = tmp_path / "x.npy"
    path.write_bytes(npy(header, np.array([1, 2], np.float32).tobytes(), version))
    assert mx.load(path).reshape(-1).tolist() == [1, 2]


# --- npz ----------------------------------------------------------------------------------------

ONE = described(shape="(2,)", data=np.array([1, 2], np.float32).tobytes())


def archive(members, method=zipfile.ZIP_STORED):
    """A good archive of (name or ZipInfo, content)."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as z:
        for name, content in members:
            if isinstance(name, str):
                z.writestr(name, content)
            else:
                z.writestr(name, content, compress_type=method)
    return file.getvalue()


def info(name, **fields):
    made = zipfile.ZipInfo(name)
    for key, value in fields.items():
        setattr(made, key, value)
    return made


def patched(content, signature, offset, value, occurrence=0):
    """The archive with bytes changed at `offset` behind a signature."""
    content = bytearray(content)
    at = -1
    for _ in range(occurrence + 1):
        at = content.index(signature, at + 1)
    content[at + offset : at + offset + len(value)] = value
    return bytes(content)


LOCAL, CENTRAL, END = b"PK\3\4", b"PK\1\2", b"PK\5\6"
STORED = archive([("a.npy", ONE)])
DEFLATED = archive([("a.npy", described(shape="(2000,)", data=bytes(8000)))], zipfile.ZIP_DEFLATED)
TWO = archive([("a.npy", ONE), ("b.npy", ONE)])


def overlapping():
    """Two entries of the directory for one member."""
    return patched(TWO, CENTRAL, 42, struct.pack("<I", 0), occurrence=1)


def renamed_twice():
    return TWO.replace(b"b.npy", b"a.npy")


def bomb_of_lies():
    """A kilobyte that claims to be a gigabyte, in all three places."""
    content = described(shape="(250000000,)", data=bytes(4000))
    deflated = archive([("a.npy", content)], zipfile.ZIP_DEFLATED)
    size = struct.pack("<I", len(content) - 4000 + 1_000_000_000)
    return patched(patched(deflated, LOCAL, 22, size), CENTRAL, 24, size)


def false_checksum():
    """The members' data changed by one bit; headers and sizes stay."""
    return patched(STORED, b"\x93NUMPY", len(ONE) - 1, b"\x41")


NPZ = {
    "empty": b"",
    "no-zip": b"x" * 100,
    "only-local": STORED[: STORED.index(CENTRAL)],
    "end-cut": STORED[:-1],
    "byte-behind": STORED + b"\0",
    "byte-before": b"\0" + STORED,
    "text-member": archive([("a.txt", "hello")]),
    "folder": archive([("a/", b"")]),
    "nested-zip": archive([("a.npz", STORED)]),
    "parent": archive([("../x.npy", ONE)]),
    "parent-inside": archive([("a/../../x.npy", ONE)]),
    "absolute": archive([("/x.npy", ONE)]),
    "backslash": STORED.replace(b"a.npy", b"a\\npy"),
    "nul-in-name": STORED.replace(b"a.npy", b"a\0npy"),
    "not-utf8-name": STORED.replace(b"a.npy", b"\xff.npy"),
    "name-twice": renamed_twice(),
    "suffix-twice": archive([("a", ONE), ("a.npy", ONE)]),
    "symlink": archive([(info("a.npy", create_system=3, external_attr=0o120777 << 16), ONE)]),
    "device": archive([(info("a.npy", create_system=3, external_attr=0o020666 << 16), ONE)]),
    **{
        f"flag-{bit}": patched(
            patched(STORED, LOCAL, 6, struct.pack("<H", 1 << bit)),
            CENTRAL,
            8,
            struct.pack("<H", 1 << bit),
        )
        for bit in (0, 5, 6, 13)
    },
    "bzip2": archive([("a.npy", ONE)], zipfile.ZIP_BZIP2),
    "lzma": archive([("a.npy", ONE)], zipfile.ZIP_LZMA),
    "checksum": false_checksum(),
    "checksum-of-deflated": patched(patched(DEFLATED, LOCAL, 14, b"1234"), CENTRAL, 16, b"1234"),
    "checksums-differ": patched(STORED, LOCAL, 14, b"1234"),
    "names-differ": STORED.replace(b"a.npy", b"b.npy", 1),
    "methods-differ": patched(STORED, LOCAL, 8, b"\10\0"),
    "sizes-differ": patched(STORED, LOCAL, 18, b"\1"),
    "stored-size": patched(patched(STORED, LOCAL, 22, b"\1"), CENTRAL, 24, b"\1"),
    "overlap": overlapping(),
    "offset-beyond": patched(STORED, CENTRAL, 42, struct.pack("<I", 10**6)),
    "directory-size": patched(STORED, END, 12, struct.pack("<I", 10)),
    "directory-offset": patched(STORED, END, 16, struct.pack("<I", 5)),
    "entries-more": patched(STORED, END, 8, struct.pack("<HH", 2, 2)),
    "entries-65535": patched(STORED, END, 8, struct.pack("<HH", 65_535, 65_535)),
    "entries-fewer": patched(TWO, END, 8, struct.pack("<HH", 1, 1)),
    "several-disks": patched(STORED, END, 4, b"\1\0"),
    "zip64-missing": patched(STORED, CENTRAL, 24, b"\xff\xff\xff\xff"),
    "bomb": bomb_of_lies(),
    "deflated-damage": patched(DEFLATED, LOCAL, 30 + 5 + 20, bytes(8)),
    "member-long": archive([("a.npy", ONE + b"tail")]),
    "member-short": archive([("a.npy", ONE[:-1])]),
    "member-object": archive([("a.npy", described(descr="'|O'"))]),
}


@pytest.mark.parametrize("label", NPZ)
def test_hostile_npz(tmp_path, label):
    path = tmp_path / "hostile.npz"
    path.write_bytes(NPZ[label])
    refuse(path)


def zip64(offset=None, entries=1, end=None):
    """An archive of one member with a zip64 end record that may lie."""
    start, body = STORED.index(CENTRAL), STORED[: STORED.index(END)]
    record = struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, entries, entries,
                         len(body) - start, start if offset is None else offset)  # fmt: skip
    locator = struct.pack("<IIQI", 0x07064B50, 0, len(body) if end is None else end, 1)
    last = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 65_535, 65_535, 2**32 - 1, 2**32 - 1, 0)
    return body + record + locator + last


ZIP64_LIES = {
    "offset": zip64(offset=10**18),
    "entries": zip64(entries=2**60),
    "end-beyond": zip64(end=10**18),
    "end-elsewhere": zip64(end=0),
}


def test_zip64_is_read(tmp_path):
    path = tmp_path / "x.npz"
    path.write_bytes(zip64())
    assert mx.load(path)["a"].tolist() == [1, 2]


@pytest.mark.parametrize("label", ZIP64_LIES)
def test_zip64_lies(tmp_path, label):
    path = tmp_path / "hostile.npz"
    path.write_bytes(ZIP64_LIES[label])
    refuse(path)


def test_sizes_behind_the_data(tmp_path):
    file = io.BytesIO()
    file.seekable = lambda: False
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("a.npy", ONE)
    path = tmp_path / "x.npz"
    path.write_bytes(file.getvalue())
    assert mx.load(path)["a"].tolist() == [1, 2]


def test_what_compresses_well_takes_memory_only_when_used(tmp_path):
    """200 million zeros in 1 MB are no lie; they are not unpacked before they are asked for."""
    path = tmp_path / "x.npz"
    header = described(shape="(200000, 1000)", data=b"")
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    deflated, crc = packer.compress(header), zlib.crc32(header)
    for _ in range(800):
        deflated += packer.compress(bytes(1_000_000))
        crc = zlib.crc32(bytes(1_000_000), crc)
    deflated += packer.flush()
    size = len(header) + 800_000_000
    fields = struct.pack("<HHHHIIIHH", 0, 8, 0, 0, crc, len(deflated), size, 5, 0)
    local = LOCAL + b"\x14\0" + fields + b"a.npy" + deflated
    central = CENTRAL + b"\x14\0\x14\0" + fields + bytes(14) + b"a.npy"
    end = END + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), len(local), 0)
    path.write_bytes(local + central + end)
    before = mx.get_active_memory()
    assert mx.load(path)["a"].shape == (200_000, 1000)
    assert mx.get_active_memory() - before < 1 << 20


@pytest.mark.parametrize(
    "content", [ONE, STORED, TWO, DEFLATED], ids=["npy", "stored", "two", "deflated"]
)
def test_truncated_at_every_byte(tmp_path, content):
    path = tmp_path / ("cut.npz" if content[:2] == b"PK" else "cut.npy")
    for length in range(len(content)):
        path.write_bytes(content[:length])
        refuse(path)


def as_numpy_reads(path):
    """What numpy makes of the file; nothing where it is the stricter one."""
    try:
        read = np.load(path, allow_pickle=False)
        return read if isinstance(read, np.ndarray) else dict(read)
    except (ValueError, OSError, NotImplementedError, zipfile.BadZipFile):
        return None


@pytest.mark.parametrize(
    "content", [ONE, STORED, TWO, DEFLATED], ids=["npy", "stored", "two", "deflated"]
)
def test_every_flipped_bit(tmp_path, content):
    """A flip is refused or read as numpy reads it; it never ends the process."""
    path = tmp_path / ("flipped.npz" if content[:2] == b"PK" else "flipped.npy")
    refused = compared = 0
    for at in range(len(content)):
        flipped = bytearray(content)
        flipped[at] ^= 1 << RNG.integers(8)
        path.write_bytes(flipped)
        try:
            ours = mx.load(path)
            mx.eval(ours)
        except ValueError:
            refused += 1
            continue
        pairs = [(ours, as_numpy_reads(path))] if content[:2] != b"PK" else []
        if not pairs:
            theirs = as_numpy_reads(path) or {}
            pairs = [(ours[name], theirs[name]) for name in theirs]
        for mine, wanted in pairs:
            if wanted is not None and dtype_name(mine.dtype) == wanted.dtype.name:
                np.testing.assert_array_equal(to_numpy(mine), wanted)
                compared += 1
    # Of an archive nearly every byte is guarded by a checksum or said twice.
    assert refused > len(content) * (0.7 if content[:2] == b"PK" else 0.3)
    assert compared > 0
