# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The files of a Hugging Face folder: shards, types, torch, and all that may be broken."""

import json
import os
import struct

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
from mapping_test import assert_same, same
from random_networks import RELEASED_SMALL, random_weights

from perceiver_bench.errors import UserError
from perceiver_bench.memory import peak_bytes
from perceiver_bench.model.weights import huggingface, mapping
from perceiver_bench.model.weights.huggingface_files import read_json, read_tensors, read_weights

FLOW = RELEASED_SMALL["flow"]


def test_a_folder_with_files_is_left_alone(flow_folder):
    before = {path.name: path.read_bytes() for path in flow_folder.iterdir()}
    with pytest.raises(UserError, match="is not an empty folder; choose another name"):
        huggingface.save(flow_folder, random_weights(FLOW))
    assert {path.name: path.read_bytes() for path in flow_folder.iterdir()} == before
    assert [path.name for path in flow_folder.parent.iterdir()] == ["flow"]


def test_an_empty_folder_is_filled_and_a_failure_leaves_nothing(tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    huggingface.save(tmp_path / "empty", random_weights(FLOW))
    assert_same(huggingface.load(tmp_path / "empty", FLOW), random_weights(FLOW))

    def fail(arrays, path, metadata):
        del arrays, path, metadata
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(safetensors.numpy, "save_file", fail)
    with pytest.raises(UserError, match=r"cannot be written.*No space left"):
        huggingface.save(tmp_path / "full", random_weights(FLOW))
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def shard(folder):
    """Splits the weights of a folder into two files and an index."""
    arrays = read_weights(folder)
    (folder / "model.safetensors").unlink()
    names = sorted(arrays)
    shards = {"a.safetensors": names[:10], "b.safetensors": names[10:]}
    for file, some in shards.items():
        safetensors.numpy.save_file({name: arrays[name] for name in some}, folder / file)
    index = {"weight_map": {name: file for file, some in shards.items() for name in some}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return index


def test_shards_are_read(flow_folder):
    shard(flow_folder)
    assert_same(huggingface.load(flow_folder, FLOW), random_weights(FLOW))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda index: index["weight_map"].update(x="../flow/a.safetensors"), "is no file of the"),
        (lambda index: index["weight_map"].update(x="/etc/passwd"), "is no file of the folder"),
        (lambda index: index["weight_map"].update(x=["a"]), "is no file of the folder"),
        (lambda index: index["weight_map"].update(x="c.safetensors"), "cannot be read"),
        (lambda index: index["weight_map"].update(x="a.safetensors"), "x is in none of the shards"),
        (lambda index: index.pop("weight_map"), "has no weight_map"),
    ],
)
def test_a_bad_index_is_refused(change, message, flow_folder):
    index = shard(flow_folder)
    change(index)
    (flow_folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(UserError, match=message):
        huggingface.load(flow_folder, FLOW)


def test_half_precision_is_read(flow_folder):
    arrays = read_weights(flow_folder)
    for dtype in (np.float16, ml_dtypes.bfloat16):
        halves = {name: array.astype(dtype) for name, array in arrays.items()}
        safetensors.numpy.save_file(halves, flow_folder / "model.safetensors")
        found = mapping.flatten(huggingface.load(flow_folder, FLOW).params)
        due = mapping.flatten(random_weights(FLOW).params)
        for path in due:
            assert same(found[path], due[path].astype(dtype).astype(np.float32)), path


def test_pytorch_file_is_read_and_code_in_it_is_refused(flow_folder):
    torch = pytest.importorskip("torch", reason="the pinned torch has no build for this Python")
    arrays = read_weights(flow_folder)
    (flow_folder / "model.safetensors").unlink()
    path = flow_folder / "pytorch_model.bin"
    torch.save({name: torch.from_numpy(array) for name, array in arrays.items()}, path)
    assert_same(huggingface.load(flow_folder, FLOW), random_weights(FLOW))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"pytorch_model\.bin: no zip archive of PyTorch"):
        huggingface.load(flow_folder, FLOW)

    class Hostile:
        def __reduce__(self):
            return os.mkdir, (str(flow_folder / "broken_in"),)

    torch.save({"x": Hostile()}, path)
    with pytest.raises(UserError, match=r"refused: it names '.*mkdir'"):
        huggingface.load(flow_folder, FLOW)
    assert not (flow_folder / "broken_in").exists()
    torch.save([torch.ones(1)], path)
    with pytest.raises(UserError, match="holds a list in place of named tensors"):
        huggingface.load(flow_folder, FLOW)


def test_missing_files_are_named(flow_folder, tmp_path):
    (flow_folder / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"has neither model\.safetensors nor"):
        huggingface.load(flow_folder, FLOW)
    with pytest.raises(UserError, match=r"config\.json: cannot be read"):
        huggingface.load(tmp_path / "absent", FLOW)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[1]", b"[" * 100_000])
def test_bad_json_is_refused(content, tmp_path):
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"config\.json: .*fetch it again"):
        read_json(path)


def test_huge_json_is_not_read(tmp_path):
    path = tmp_path / "config.json"
    with path.open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(UserError, match="larger than"):
        read_json(path)


@pytest.mark.parametrize("kept", [0.0, 0.001, 0.5, 0.99999])
def test_truncated_weights_are_refused(kept, flow_folder):
    path = flow_folder / "model.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(UserError, match=r"model\.safetensors: damaged or cut short"):
        huggingface.load(flow_folder, FLOW)


def lying_file(path, shape, offsets):
    header = json.dumps({"x": {"dtype": "F32", "shape": shape, "data_offsets": offsets}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(16))


@pytest.mark.parametrize(
    ("shape", "offsets"),
    [([2**38], [0, 2**40]), ([2**38], [0, 16]), ([4], [0, 2**62]), ([2**62, 4], [0, 16])],
)
def test_a_header_that_lies_about_sizes_takes_no_memory(shape, offsets, tmp_path):
    path = tmp_path / "model.safetensors"
    lying_file(path, shape, offsets)
    before = peak_bytes()
    with pytest.raises(UserError, match="damaged or cut short"):
        read_tensors(path)
    assert peak_bytes() - before < 2**26


def test_a_header_longer_than_the_file_is_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(struct.pack("<Q", 2**62) + b"{}")
    with pytest.raises(UserError, match="damaged or cut short"):
        read_tensors(path)
