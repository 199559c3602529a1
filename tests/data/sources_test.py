# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perceiver_bench import errors
from perceiver_bench.data import sources

HEADER = ("sentence", "label")


def read(tmp_path, data):
    path = tmp_path / "dev.tsv"
    path.write_bytes(data)
    return sources.read_tsv(path, HEADER, num_labels=2)


def test_rows_become_examples_in_the_order_of_the_file(tmp_path):
    data = b"sentence\tlabel\na fine film . \t1\ndull \t0\n"
    source = read(tmp_path, data)
    assert list(source) == [
        {"sentence": "a fine film . ", "label": 1, "index": 0},
        {"sentence": "dull ", "label": 0, "index": 1},
    ]
    assert len(source) == 2
    assert source.fingerprint == {
        "file": "dev.tsv",
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "num_examples": 2,
        "label_counts": {"0": 1, "1": 1},
        "num_lines_with_broken_utf8": 0,
    }


# Everything but the separators of the format; among it quotes and Unicode's other line ends.
TEXTS = st.text(st.characters(exclude_characters="\t\n", exclude_categories=["Cs"]))


@given(rows=st.lists(st.tuples(TEXTS, st.integers(0, 1)), min_size=1))
def test_any_text_survives_reading(tmp_path_factory, rows):
    lines = ["sentence\tlabel", *(f"{sentence}\t{label}" for sentence, label in rows)]
    source = read(tmp_path_factory.mktemp("tsv"), "".join(f"{x}\n" for x in lines).encode())
    assert [(example["sentence"], example["label"]) for example in source] == rows
    assert source.fingerprint["num_lines_with_broken_utf8"] == 0


@pytest.mark.parametrize("character", ["\x85", "\u2028", "\x0b", "\x1c", '"', "'", "\\", "\ufffd"])
def test_only_a_newline_ends_a_line_and_quotes_are_text(tmp_path, character):
    source = read(tmp_path, f"sentence\tlabel\n{character}a{character}\t1\nb\t0\n".encode())
    assert [example["sentence"] for example in source] == [f"{character}a{character}", "b"]
    assert source.fingerprint["num_lines_with_broken_utf8"] == 0


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbfsentence\tlabel\na\t1\nb\t0\n",
        b"sentence\tlabel\r\na\t1\r\nb\t0\r\n",
        b"sentence\tlabel\na\t1\nb\t0",
    ],
    ids=["byte order mark", "carriage returns", "no last newline"],
)
def test_harmless_variants_read_the_same(tmp_path, data):
    assert list(read(tmp_path, data)) == [
        {"sentence": "a", "label": 1, "index": 0},
        {"sentence": "b", "label": 0, "index": 1},
    ]


def test_broken_utf8_is_replaced_and_its_lines_counted(tmp_path):
    source = read(tmp_path, b"sentence\tlabel\nclich\xe9s \xe9\t0\nfine\t1\n\xff\t1\n")
    assert [example["sentence"] for example in source] == ["clich\ufffds \ufffd", "fine", "\ufffd"]
    assert source.fingerprint["num_lines_with_broken_utf8"] == 2


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"sentence\tlabel\n", "no rows"),
        (b"a\t1\nb\t0\n", r"line 1: the header is 'a\\t1' and should be 'sentence\\tlabel'"),
        (b"sentence\tlabel\ra\t1\r", "line 1: the header is"),
        (b"sentence\tlabel\na\t1\nb\n", "line 3: 1 columns, and 2 are due"),
        (b"sentence\tlabel\na\tb\t1\n", "line 2: 3 columns, and 2 are due"),
        (b"sentence\tlabel\na\t1\n\n", "line 3: 1 columns"),
        (b"sentence\tlabel\na\tpositive\n", "line 2: the label is 'positive'"),
        (b"sentence\tlabel\na\t0\nb\t2\n", "line 3: the label is '2' and should be one of 0, 1"),
        (b"sentence\tlabel\na\t-1\n", "line 2: the label is '-1'"),
        (b"sentence\tlabel\na\t1.0\n", "line 2: the label is '1.0'"),
        (b"sentence\tlabel\na\t 1\n", "line 2: the label is ' 1'"),
        ("sentence\tlabel\na\t\u0661\n".encode(), "line 2: the label is '\u0661'"),
        (b"sentence\tlabel\na\t\n", "line 2: the label is ''"),
    ],
)
def test_a_deviation_names_file_and_line(tmp_path, data, message):
    with pytest.raises(errors.UserError, match=message) as caught:
        read(tmp_path, data)
    assert str(tmp_path / "dev.tsv") in str(caught.value)


def test_a_message_stays_one_short_line_whatever_the_file_holds(tmp_path):
    with pytest.raises(errors.UserError) as caught:
        read(tmp_path, b"sentence\tlabel\na\t" + "\x85\u2028\x1b".encode() * 10_000)
    assert len(str(caught.value).splitlines()) == 1
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 200 + len(str(tmp_path))


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(errors.UserError, match=r"absent\.tsv: cannot be read"):
        sources.read_tsv(tmp_path / "absent.tsv", HEADER, 2)


def test_find_file_names_the_flag_and_the_layout(tmp_path):
    (tmp_path / "SST-2").mkdir()
    layout = "SST-2/train.tsv and SST-2/dev.tsv"
    with pytest.raises(errors.UserError, match=r"--data_dir=.*nowhere: no such folder.*dev\.tsv"):
        sources.find_file(tmp_path / "nowhere", "SST-2/dev.tsv", layout)
    with pytest.raises(errors.UserError, match=r"--data_dir=.* no file SST-2/dev\.tsv.*train\.tsv"):
        sources.find_file(tmp_path, "SST-2/dev.tsv", layout)
    with pytest.raises(errors.UserError, match="no file"):
        sources.find_file(tmp_path, "SST-2", layout)  # a folder is not the file
    path = tmp_path / "SST-2" / "dev.tsv"
    path.touch()
    assert sources.find_file(tmp_path, "SST-2/dev.tsv", layout) == path
