# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""State dicts of PerAct: every name of the release, both ways, and what is refused."""

import dataclasses
import json
import sys
import zipfile

import numpy as np
import pytest
from random_networks import RELEASED_SMALL, random_weights

from perceiver_bench.errors import UserError
from perceiver_bench.model import presets
from perceiver_bench.model.weights import mapping, peract
from perceiver_bench.train import weights

if sys.version_info >= (3, 12):
    pytest.importorskip("torch", reason="the pinned torch has no build for this Python")
import torch

TINY = presets.preset("peract_tiny")
WITH_POSITIONS = dataclasses.replace(
    TINY, input=dataclasses.replace(TINY.input, positions_for_language=True)
)


def assert_same(ours, theirs):
    ours, theirs = (mapping.flatten(one.params) for one in (ours, theirs))
    assert ours.keys() == theirs.keys()
    for path in ours:
        assert ours[path].dtype == theirs[path].dtype
        assert ours[path].tobytes() == theirs[path].tobytes(), path


def state_dict(prefix="_qnet.module.", config=TINY):
    network = random_weights(config)
    extras = {peract.PREFIX_FILE: prefix.encode()}
    return network, peract.to_state_dict(dataclasses.replace(network, extras=extras))


def save(path, arrays):
    torch.save({name: torch.from_numpy(array) for name, array in arrays.items()}, path)


@pytest.mark.parametrize("name", ["peract", "peract_language_positions"])
def test_names_and_shapes_are_those_of_the_release(name, shared):
    released = json.loads((shared / "reference/peract.params.json").read_text())
    if name == "peract_language_positions":
        released["pos_encoding"] = [1, 77 + 20**3, 128]
    config = presets.preset(name)
    shapes = mapping.expected_shapes(config)
    found, halves = {}, 0
    for entry in peract.entries(config):
        shape = shapes[entry.path].shape
        empty = np.broadcast_to(0, shape if entry.layer is None else shape[1:])
        key, _, half = entry.key.partition(":")
        found[key] = list(mapping._to_source(empty, entry.layout).shape)
        if half:
            found[key][0] *= 2
            halves += 1
    assert found == released
    assert halves == 2 * 8


@pytest.mark.parametrize("config", [TINY, WITH_POSITIONS])
def test_tables_name_every_leaf_and_layer_once(config):
    entries = list(peract.entries(config))
    assert len({entry.key for entry in entries}) == len(entries)
    due = set()
    for path in mapping.expected_shapes(config):
        layers = range(config.encoder.num_layers) if "self_attention" in path else [None]
        due |= {(path, layer) for layer in layers}
    assert {(entry.path, entry.layer) for entry in entries} == due
    assert len(entries) == len(due)


@pytest.mark.parametrize("prefix", peract.PREFIXES)
def test_a_file_comes_back_bit_for_bit_with_every_prefix(prefix, tmp_path):
    network, arrays = state_dict(prefix)
    save(tmp_path / "first.pt", arrays)
    assert weights.detect_format(tmp_path / "first.pt") == "peract"
    loaded, origin = weights.load(tmp_path / "first.pt", TINY)
    assert origin["format"] == "peract"
    assert_same(loaded, network)
    weights.save(tmp_path / "folder", loaded, "orbax")
    again, _ = weights.load(tmp_path / "folder", TINY)
    weights.save(tmp_path / "last.pt", again, weights.target_format(tmp_path / "last.pt", None))
    first, last = (
        torch.load(tmp_path / name, weights_only=True) for name in ("first.pt", "last.pt")
    )
    assert first.keys() == last.keys()
    assert all(torch.equal(first[name], last[name]) for name in first)
    assert all(tensor.is_contiguous() for tensor in last.values())


def test_weights_that_were_trained_here_get_the_prefix_of_the_release():
    names = peract.to_state_dict(random_weights(TINY))
    assert all(name.startswith("_qnet.module.") for name in names)
    assert "_qnet.module.cross_attend_blocks.0.fn.to_kv.weight" in names


def test_keys_come_before_values():
    network, arrays = state_dict()
    both = arrays["_qnet.module.layers.1.0.fn.to_kv.weight"]
    ours = network.params["encoder"]["self_attention"]["attention"]
    np.testing.assert_array_equal(
        both, np.concatenate([ours["key"]["kernel"][1].T, ours["value"]["kernel"][1].T])
    )


def test_tables_of_the_original_code_are_left_out():
    network, arrays = state_dict()
    tables = {
        "_voxelizer._index_grid": np.zeros((1, 12, 12, 12, 3), np.float32),
        "_voxelizer._tiled_batch_indices": np.zeros((1, 4, 1), np.int32),
        "_qnet.module.ss0.pos_x": np.zeros(1000, np.float32),
        "_qnet.module.ss_final.pos_z": np.zeros(1000, np.float32),
    }
    assert_same(peract.from_state_dict(tables | arrays, TINY, where="x"), network)


def test_what_is_missing_left_over_or_misshapen_is_named():
    _, arrays = state_dict()
    kernel = "_qnet.module.patchify.conv3d.weight"

    def refused(changes, *removed):
        kept = {name: array for name, array in arrays.items() if name not in removed}
        with pytest.raises(UserError) as error:
            peract.from_state_dict(kept | changes, TINY, where="a.pt")
        return str(error.value)

    assert "lacks patchify.conv3d.weight" in refused({}, kernel)
    assert "unknown ss9.pos_x" in refused({"_qnet.module.ss9.pos_x": np.zeros(3, np.float32)})
    assert "[8, 8, 5, 5, 4] instead of [8, 8, 5, 5, 5]" in refused(
        {kernel: arrays[kernel][..., :4]}
    )
    odd = "_qnet.module.decoder_cross_attn.fn.to_kv.weight"
    assert "decoder_cross_attn.fn.to_kv.weight" in refused({odd: arrays[odd][:-1]})
    integers = arrays[kernel].astype(np.int32)
    assert "patchify.conv3d.weight of type int32" in refused({kernel: integers})
    with pytest.raises(UserError, match=r"a\.pt holds another model: it lacks"):
        peract.from_state_dict({}, TINY, where="a.pt")
    with pytest.raises(UserError, match="pos_encoding"):
        peract.from_state_dict(arrays, WITH_POSITIONS, where="a.pt")


def test_other_networks_have_no_such_format(tmp_path):
    other = random_weights(RELEASED_SMALL["language"])
    with pytest.raises(UserError, match="not PerAct's, so the format peract does not exist"):
        weights.save(tmp_path / "w.pt", other, "peract")
    assert not list(tmp_path.iterdir())
    with pytest.raises(UserError, match="choose --format=orbax"):
        weights.save(tmp_path / "w.pystate", random_weights(TINY), "official")


def test_hostile_and_broken_files_are_refused(tmp_path):
    path = tmp_path / "w.pt"
    _, arrays = state_dict()

    def refused(message):
        with pytest.raises(UserError, match=message):
            weights.load(path, TINY)

    save(path, arrays)
    path.write_bytes(path.read_bytes()[:-2000])
    refused("no zip archive of PyTorch")
    path.write_bytes(b"")
    refused("no zip archive of PyTorch")
    torch.save([torch.ones(3)], path)
    refused("holds a list in place of named tensors")

    class Hostile:
        def __reduce__(self):
            return (exec, ("raise SystemExit",))

    torch.save({"x": Hostile()}, path)
    refused(r"it names '.*exec'")
    # A tensor of 4 TB, all of whose values are one and the same.
    torch.save({"latents": torch.ones(1).as_strided((2**40,), (0,))}, path)
    refused("tensors are larger than the file")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("w/data.pkl", b"\0" * 10**7)
    refused("its record 'data.pkl' is compressed")


def test_without_torch_files_are_read_and_a_message_says_what_writing_needs(tmp_path, monkeypatch):
    network, arrays = state_dict()
    save(tmp_path / "w.pt", arrays)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert_same(weights.load(tmp_path / "w.pt", TINY)[0], network)
    with pytest.raises(UserError, match=r"to be written; pip install 'perceiver-bench\[torch\]'"):
        weights.save(tmp_path / "new.pt", network, "peract")
    assert not (tmp_path / "new.pt").exists()


def test_the_released_network_is_read_and_written_whole(shared):
    """Full size, 133 MB."""
    names = json.loads((shared / "reference/peract.params.json").read_text())
    rng = np.random.default_rng(0)
    arrays = {
        f"_qnet.module.{name}": rng.standard_normal(shape, dtype=np.float32)
        for name, shape in names.items()
    }
    loaded = peract.from_state_dict(arrays, presets.preset("peract"), where="x")
    back = peract.to_state_dict(loaded)
    assert back.keys() == arrays.keys()
    assert all(np.array_equal(back[name], arrays[name]) for name in arrays)
