# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import io
import zipfile

from perceiver_bench.commands import archive


def pack(files):
    file = io.BytesIO()
    assert archive.pack(file, files.items()) == list(files)
    return file.getvalue()


def test_a_packed_archive_is_readable_and_tells_no_time(tmp_path, monkeypatch):
    files = {"b.tsv": b"index\tprediction\n" * 1000, "a.tsv": b""}
    packed = pack(files)
    monkeypatch.setattr("time.time", lambda: 2e9)
    monkeypatch.setattr("sys.platform", "win32")
    assert pack(dict(files)) == packed
    assert len(packed) < 1000
    with zipfile.ZipFile(io.BytesIO(packed)) as whole:
        assert {name: whole.read(name) for name in whole.namelist()} == files
        whole.extractall(tmp_path)
    assert (tmp_path / "b.tsv").read_bytes() == files["b.tsv"]
