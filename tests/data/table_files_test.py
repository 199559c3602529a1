# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import gzip
import hashlib
import json
import sys

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perceiver_bench import errors
from perceiver_bench.data import tables

ROWS = [{"sentence": "a fine film . ", "label": 1}, {"sentence": "dull ", "label": 0}]
FORMATS = ("dev.tsv", "dev.jsonl", "dev.json", "dev.jsonl.gz", "dev.json.gz", "dev.parquet")
# The time of writing stays out of it, for the names of tests hold these bytes.
DAMAGED = gzip.compress(b'{"sentence": "a"}\n' * 99, mtime=0)[:-9]


def write(path, rows):
    if path.suffix == ".tsv":
        lines = ["sentence\tlabel", *(f"{row['sentence']}\t{row['label']}" for row in rows)]
        path.write_bytes("".join(f"{line}\n" for line in lines).encode())
    elif path.suffix == ".parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    else:
        data = "".join(json.dumps(row) + "\n" for row in rows).encode()
        path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def read(path, data, required=("sentence",), optional=("label",), **options):
    path.write_bytes(data)
    return tables.read_table(path, required, optional, **options)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_rows(tmp_path, name):
    path = write(tmp_path / name, ROWS)
    table = tables.read_table(path, ("sentence",), ("label", "idx"))
    as_cell = str if name == "dev.tsv" else int
    assert table.rows == [(row["sentence"], as_cell(row["label"]), None) for row in ROWS]
    assert tuple(table.header) == ("sentence", "label")
    assert table.fingerprint == {
        "file": name,
        "bytes": path.stat().st_size,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "num_examples": 2,
        "num_lines_with_broken_utf8": 0,
    }
    place = {"dev.tsv": "line 3", "dev.parquet": "row 2"}.get(name, "line 2")
    assert table.place(1) == f"{path}, {place}"


# Everything but the separators of the format; among it quotes and Unicode's other line ends.
TEXTS = st.text(st.characters(exclude_characters="\t\n", exclude_categories=["Cs"]))


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=30)
@given(rows=st.lists(st.tuples(TEXTS, st.integers(0, 1)), min_size=1))
def test_any_text_survives_reading(tmp_path_factory, name, rows):
    path = tmp_path_factory.mktemp("tables") / name
    write(path, [{"sentence": text, "label": label} for text, label in rows])
    table = tables.read_table(path, ("sentence", "label"))
    assert [(text, int(label)) for text, label in table.rows] == rows
    assert table.fingerprint["num_lines_with_broken_utf8"] == 0


@pytest.mark.parametrize("character", ["\x85", "\u2028", "\x0b", "\x1c", '"', "'", "\\", "\ufffd"])
def test_only_a_newline_ends_a_line_and_quotes_are_text(tmp_path, character):
    data = f"sentence\tlabel\n{character}a{character}\t1\nb\t0\n".encode()
    table = read(tmp_path / "dev.tsv", data)
    assert table.rows == [(f"{character}a{character}", "1"), ("b", "0")]
    assert table.fingerprint["num_lines_with_broken_utf8"] == 0


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbfsentence\tlabel\na\t1\nb\t0\n",
        b"sentence\tlabel\r\na\t1\r\nb\t0\r\n",
        b"sentence\tlabel\na\t1\nb\t0",
        b"label\tother\tsentence\n1\t\ta\n0\t\tb\n",
    ],
    ids=["byte order mark", "carriage returns", "no last newline", "other columns"],
)
def test_harmless_variants_read_the_same(tmp_path, data):
    assert read(tmp_path / "dev.tsv", data).rows == [("a", "1"), ("b", "0")]


def test_columns_of_a_file_without_a_header_are_given(tmp_path):
    table = read(tmp_path / "dev.tsv", b"x\t1\ta\ny\t0\tb\n", header=("from", "label", "sentence"))
    assert table.rows == [("a", "1"), ("b", "0")]
    assert table.place(0).endswith("line 1")


def test_lines_of_another_width_are_left_out_and_counted_where_a_format_has_them(tmp_path):
    data = b"sentence\tlabel\na\t1\nbroken\nin\tthree\tparts\nb\t0\n"
    table = read(tmp_path / "dev.tsv", data, skip_other_widths=True)
    assert table.rows == [("a", "1"), ("b", "0")]
    assert table.place(1).endswith("line 5")
    assert table.fingerprint["num_lines_of_other_width"] == 2


def test_broken_utf8_is_replaced_and_its_lines_counted(tmp_path):
    table = read(tmp_path / "dev.tsv", b"sentence\tlabel\nclich\xe9s \xe9\t0\nfine\t1\n\xff\t1\n")
    assert [row[0] for row in table.rows] == ["clich\ufffds \ufffd", "fine", "\ufffd"]
    assert table.fingerprint["num_lines_with_broken_utf8"] == 2
    table = read(tmp_path / "dev.json", b'{"sentence": "\xe9"}\n{"sentence": "b"}\n')
    assert [row[0] for row in table.rows] == ["\ufffd", "b"]
    assert table.fingerprint["num_lines_with_broken_utf8"] == 1
    array = pyarrow.array([b"\xe9", b"b"]).view(pyarrow.string())
    pyarrow.parquet.write_table(
        pyarrow.table({"sentence": array}), tmp_path / "dev.parquet", store_schema=False
    )
    table = tables.read_table(tmp_path / "dev.parquet", ("sentence",))
    assert table.rows == [("\ufffd",), ("b",)]
    assert table.fingerprint["num_lines_with_broken_utf8"] == 1


def test_half_a_character_spelt_in_json_becomes_text(tmp_path):
    rows = read(tmp_path / "dev.json", b'{"sentence": "a\\ud800b"}\n').rows
    rows[0][0].encode()
    assert rows[0][0].strip("\ufffd")[0] == "a"


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("dev.tsv", b"", "is empty"),
        ("dev.tsv", b"sentence\tlabel\n", "no rows"),
        ("dev.tsv", b"a\t1\nb\t0\n", "no column 'sentence'; its columns are 'a, 1'"),
        ("dev.tsv", b"sentence\tlabel\na\t1\nb\n", "line 3: 1 columns, and 2 are due: 'sentence,"),
        ("dev.tsv", b"sentence\tlabel\na\tb\t1\n", "line 2: 3 columns, and 2 are due"),
        ("dev.tsv", b"sentence\tlabel\na\t1\n\n", "line 3: 1 columns"),
        ("dev.tsv", b"sentence\tlabel\ra\t1\r", "no rows"),
        ("dev.jsonl", b"", "is empty"),
        ("dev.jsonl", b'{"sentence": "a"}\n{"sentence": "b"\n', "line 2: not JSON: "),
        ("dev.jsonl", b'{"sentence": "a"}\n\n', "line 2: not JSON: "),
        ("dev.jsonl", b"[" * 100_000, "line 1: not JSON: "),
        ("dev.jsonl", b'["a"]\n', "line 1: one JSON object a line is due"),
        ("dev.jsonl", b'[\n{"sentence": "a"}\n]', "line 1: not JSON"),
        ("dev.jsonl", b'{"text": "a"}\n', "no column 'sentence'; its columns are 'text'"),
        ("dev.jsonl", b'{"sentence": "a"}\n{"text": "a"}\n', "line 2: it has no 'sentence'"),
        ("dev.jsonl", b'{"sentence": null}\n', "line 1: it has no 'sentence'"),
        ("dev.jsonl.gz", b'{"sentence": "a"}\n', "damaged or cut off"),
        ("dev.jsonl.gz", DAMAGED, "damaged or cut off"),
        ("dev.parquet", b"", "not a Parquet file that can be read"),
        ("dev.parquet", b"sentence\tlabel\n", "not a Parquet file that can be read"),
    ],
)
def test_a_deviation_names_file_and_line(tmp_path, name, data, message):
    with pytest.raises(errors.UserError, match=message) as caught:
        read(tmp_path / name, data)
    assert str(tmp_path / name) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_message_stays_one_short_line_whatever_the_file_holds(tmp_path):
    for name, data in (("dev.tsv", b"%s\tlabel\na\t1\n"), ("dev.json", b'{"%s": 1}\n')):
        with pytest.raises(errors.UserError) as caught:
            read(tmp_path / name, data % ("\x85\u2028\x1b".encode() * 10_000))
        assert len(str(caught.value).splitlines()) == 1
        assert "\x1b" not in str(caught.value)
        assert len(str(caught.value)) < 200 + len(str(tmp_path))


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_that_cannot_be_read_is_named(tmp_path, name):
    with pytest.raises(errors.UserError, match=rf"{name}: cannot be read: No such file"):
        tables.read_table(tmp_path / name, ("sentence",))


def test_damaged_parquet_is_an_error_and_never_another_table(tmp_path):
    """A table that loses a byte is told; whatever is read has all of its rows."""
    path = write(tmp_path / "dev.parquet", [{"sentence": f"text {i}", "label": i} for i in (0, 1)])
    whole, num_errors = path.read_bytes(), 0
    for position in range(0, len(whole), 5):
        broken = bytearray(whole)
        broken[position] ^= 0xFF
        try:
            assert len(read(path, bytes(broken)).rows) == 2
        except errors.UserError:
            num_errors += 1
    assert num_errors > len(whole) // 20
    for size in range(0, len(whole), 40):
        with pytest.raises(errors.UserError, match=r"dev\.parquet: not a Parquet file"):
            read(path, whole[:size])


def test_parquet_without_pyarrow_tells_how_to_get_it(tmp_path, monkeypatch):
    path = write(tmp_path / "dev.parquet", ROWS)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(errors.UserError, match=r"pip install 'perceiver-bench\[parquet\]'"):
        tables.read_table(path, ("sentence",))
    assert tables.read_table(write(tmp_path / "dev.tsv", ROWS), ("sentence",)).rows


def test_what_unpacks_to_more_than_a_table_has_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "MAX_BYTES", 2000)
    rows = [{"sentence": "a" * 100, "label": 0}] * 30
    for name in FORMATS:
        with pytest.raises(errors.UserError, match="it unpacks to more than 2,000 bytes"):
            tables.read_table(write(tmp_path / name, rows), ("sentence",))
    monkeypatch.setattr(tables, "_MAX_LINE_BYTES", 90)
    for name in FORMATS[:5]:
        with pytest.raises(errors.UserError, match=r"line \d: longer than 90 bytes"):
            tables.read_table(tmp_path / name, ("sentence",))
