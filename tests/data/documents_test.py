# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Documents of every format, whole, broken and hostile."""

import gzip
import itertools
import json

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perceiver_bench.data import documents
from perceiver_bench.errors import UserError


def read(path):
    counts = documents.Counts()
    return list(documents.parts(path, counts)), counts


def lines(*texts):
    return "".join(json.dumps({"text": text}) + "\n" for text in texts).encode()


def test_every_format_gives_the_same_documents(tmp_path):
    texts = ["Ein Satz.", "naïve café \u2028 one line", 'quotes "and" tabs\t']
    (tmp_path / "a.jsonl").write_bytes(lines(*texts))
    (tmp_path / "b.json.gz").write_bytes(gzip.compress(lines(*texts)))
    pyarrow.parquet.write_table(
        pyarrow.table({"url": ["u"] * 3, "text": texts}), tmp_path / "c.parquet"
    )
    due = [text.strip().encode() for text in texts]
    for name in ("a.jsonl", "b.json.gz", "c.parquet"):
        found, counts = read(tmp_path / name)
        assert found == due, name
        assert (counts.documents, counts.parts) == (3, 3)
    (tmp_path / "d.txt.gz").write_bytes(gzip.compress(texts[0].encode()))
    assert read(tmp_path / "d.txt.gz")[0] == due[:1]


def test_oddities_are_mended_and_counted(tmp_path):
    path = tmp_path / "odd.jsonl"
    path.write_bytes(lines("a\0b", "", "  ", "\ud800 lone") + b'{"text": "bro')
    found, counts = read(path)
    assert found == [b"a b", "\ufffd\ufffd\ufffd lone".encode()]
    assert counts.parts_with_nul == 1
    assert counts.empty_documents == 2
    assert counts.parts_with_broken_utf8 == 1
    assert counts.broken_lines == 1
    assert counts.documents == 4


def test_a_file_that_breaks_off_keeps_what_came_before(tmp_path):
    path = tmp_path / "half.jsonl.gz"
    whole = gzip.compress(lines(*(f"document {i} {i * 7919 % 1013}" for i in range(2000))))
    path.write_bytes(whole[: len(whole) // 2])
    found, counts = read(path)
    assert 100 < len(found) < 2000
    assert found[0] == b"document 0 0"
    assert counts.broken_files == 1


def test_an_empty_text_file_is_counted(tmp_path):
    (tmp_path / "empty.txt").write_bytes(b"")
    found, counts = read(tmp_path / "empty.txt")
    assert not found
    assert counts.empty_documents == 1


@given(
    words=st.lists(st.text("aé€𝄞 \n", min_size=1, max_size=40), min_size=1, max_size=30),
    size=st.integers(8, 64),
)
def test_long_documents_are_cut_at_white_space_without_loss(words, size):
    text = " ".join(words).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(documents, "PART_BYTES", size)
        found = documents._cut(text)
    assert b"".join(found) == text
    assert all(len(part) <= size for part in found)
    for part in found:
        part.decode()  # no character is cut
    for before, after in itertools.pairwise(found):
        inside_a_word = not before[-1:].isspace()
        assert not inside_a_word or len(before.split()) == 1, (before, after)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b"plain text\n", "no line is JSON"),
        ("a.jsonl", b'{"txt": "a"}\n', "line 1: it has no field 'text'"),
        ("a.jsonl", b"[1]\n", "line 1: it has no field 'text'"),
        ("a.jsonl", b'{"text": 5}\n', "line 1: it has no field 'text'"),
        ("a.parquet", b"PAR1 nothing", "not a Parquet file"),
    ],
)
def test_a_file_without_text_is_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        read(tmp_path / name)
    assert name in str(caught.value)


def test_a_parquet_file_without_text_names_its_columns(tmp_path):
    pyarrow.parquet.write_table(pyarrow.table({"body": ["a"]}), tmp_path / "a.parquet")
    with pytest.raises(UserError, match=r"no column 'text', only body"):
        read(tmp_path / "a.parquet")


def test_a_line_beyond_all_measure_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(documents, "_MAX_LINE_BYTES", 100)
    (tmp_path / "a.jsonl").write_bytes(lines("a" * 200))
    with pytest.raises(UserError, match="line 1: longer than 100 bytes"):
        read(tmp_path / "a.jsonl")


def test_files_are_found_by_their_names_in_order(tmp_path):
    for name in ("b/z.txt", "a.jsonl.gz", "readme.md", "b/a.parquet", "b/x.parquet.gz"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    found = [str(path.relative_to(tmp_path)) for path in documents.text_files(tmp_path)]
    assert found == ["a.jsonl.gz", "b/a.parquet", "b/z.txt"]
    with pytest.raises(UserError, match="holds no text"):
        documents.text_files(tmp_path / "none")
