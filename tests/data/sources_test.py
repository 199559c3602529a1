# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import pytest

from perceiver_bench import errors
from perceiver_bench.data import sources


def test_examples_in_memory_are_a_source():
    source = sources.MemorySource(({"a": 1}, {"a": 2}), {"file": "x"})
    assert (len(source), source[1], source.fingerprint) == (2, {"a": 2}, {"file": "x"})
    assert list(source) == [{"a": 1}, {"a": 2}]


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
