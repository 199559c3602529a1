# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import dataclasses
import json
import logging
import os
import resource
import struct
import subprocess
import sys

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
from mapping_test import assert_same, same
from random_networks import RELEASED_SMALL, random_weights

from perceiver_bench.config import AttentionConfig, FourierPosition
from perceiver_bench.errors import UserError
from perceiver_bench.model import presets
from perceiver_bench.model.weights import huggingface, mapping, official
from perceiver_bench.model.weights.huggingface import SIDE_FILE
from perceiver_bench.model.weights.huggingface_config import activation, config_json
from perceiver_bench.model.weights.huggingface_files import read_json, read_tensors, read_weights

FLOW = RELEASED_SMALL["flow"]
CONV = RELEASED_SMALL["imagenet_conv"]
LEARNED = RELEASED_SMALL["imagenet_learned"]


@pytest.fixture
def folder(tmp_path):
    """A folder that holds the small flow network."""
    huggingface.save(tmp_path / "flow", random_weights(FLOW))
    return tmp_path / "flow"


def change_config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize("family", RELEASED_SMALL)
def test_official_to_huggingface_and_back_is_bit_for_bit(family, tmp_path):
    config = RELEASED_SMALL[family]
    params, state = official.to_modules(random_weights(config))
    weights = official.from_modules(dict(params), dict(state), config, where="test")
    huggingface.save(tmp_path / "folder", weights)
    loaded = huggingface.load(tmp_path / "folder", config)
    assert loaded.config == config
    assert_same(loaded, weights)
    back = official.to_modules(loaded)
    for ours, theirs in zip(back, (params, state), strict=True):
        assert ours.keys() == theirs.keys()
        for module in theirs:
            assert ours[module].keys() == theirs[module].keys()
            for name, array in theirs[module].items():
                assert same(ours[module][name], array), f"{module}/{name}"
    needs_side_file = family in ("imagenet_conv", "imagenet_learned")
    assert (tmp_path / "folder" / SIDE_FILE).exists() == needs_side_file


def test_hidden_averages_follow_from_the_averages_without_the_side_file(tmp_path):
    weights = random_weights(CONV)
    huggingface.save(tmp_path / "folder", weights)
    (tmp_path / "folder" / SIDE_FILE).unlink()
    found = mapping.flatten(huggingface.load(tmp_path / "folder", CONV).state)
    for name in ("mean", "variance"):
        path = f"adapter.stem.norm.{name}"
        average = mapping.flatten(weights.state)[f"{path}_average"]
        assert found[f"{path}_counter"] == 4
        due = average * (1 - 0.9**4)
        np.testing.assert_allclose(found[f"{path}_hidden"], due, rtol=1e-6)


def test_side_file_of_other_weights_is_ignored(tmp_path):
    for seed, name in enumerate(("old", "new")):
        weights = random_weights(CONV)
        state = mapping.flatten(weights.state)
        state["adapter.stem.norm.mean_average"] = np.full(64, seed, np.float32)
        weights = dataclasses.replace(weights, state=mapping.unflatten(state))
        huggingface.save(tmp_path / name, weights)
    (tmp_path / "old" / SIDE_FILE).replace(tmp_path / "new" / SIDE_FILE)
    found = mapping.flatten(huggingface.load(tmp_path / "new", CONV).state)
    due = np.full(64, 1 - 0.9**4)
    np.testing.assert_allclose(found["adapter.stem.norm.mean_hidden"], due, rtol=1e-6)


def test_the_query_that_the_port_adds_is_taken_off_the_bias(tmp_path):
    weights = random_weights(LEARNED)
    huggingface.save(tmp_path / "folder", weights)
    ours = mapping.flatten(weights.params)
    key = "perceiver.decoder.decoder.decoding_cross_attention.attention.output.dense.bias"
    written = read_weights(tmp_path / "folder")[key]
    due = ours["decoder.attention.output.bias"] - ours["query.queries"][0]
    np.testing.assert_array_equal(written, due)


def test_a_genuine_folder_is_read_as_transformers_computes_it(tmp_path, caplog):
    huggingface.save(tmp_path / "folder", random_weights(LEARNED))
    (tmp_path / "folder" / SIDE_FILE).unlink()
    change_config(tmp_path / "folder", hidden_act="gelu")
    with caplog.at_level(logging.INFO, logger="absl"):
        loaded = huggingface.load(tmp_path / "folder", LEARNED)
    decoder = dataclasses.replace(LEARNED.decoder, use_query_residual=True)
    assert loaded.config == dataclasses.replace(LEARNED, activation="gelu", decoder=decoder)
    assert "activation is gelu here" in caplog.text
    assert "use_query_residual is True here" in caplog.text


@pytest.mark.parametrize("family", presets.OFFICIAL)
def test_released_sizes_need_little_more_than_the_defaults(family):
    """Holds what the released folders say, against a slip that both directions share."""
    values = config_json(presets.preset(family))
    due = {
        "language": {"num_latents": 256, "d_latents": 1280, "d_model": 768, "qk_channels": 256},
        "imagenet_fourier": {"num_latents": 512, "num_blocks": 8, "qk_channels": None},
        "imagenet_learned": {"image_size": 224, "num_labels": 1000},
        "imagenet_conv": {"num_cross_attention_heads": 1, "num_self_attention_heads": 8},
        "flow": {"train_size": [368, 496], "num_self_attends_per_block": 24},
        "multimodal": {"image_size": 56, "num_frames": 16, "audio_samples_per_frame": 1920},
    }[family]
    assert {field: values[field] for field in due} == due


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_latents": 7}, "num_latents is 7, but the network asked for has 6"),
        ({"num_latents": "6"}, "num_latents is '6'"),
        ({"train_size": [8, 6]}, r"train_size is \[8, 6\]"),
        ({"architectures": ["PerceiverModel"]}, "architectures is .'PerceiverModel'."),
        ({"model_type": "bert"}, "model_type is 'bert'"),
        ({"cross_attention_shape_for_attention": "q"}, "cross_attention_shape_for_attention"),
        ({"hidden_act": "relu"}, "hidden_act is 'relu', but only these are known: gelu"),
        ({"hidden_act": ["gelu"]}, "hidden_act is"),
    ],
)
def test_fields_that_contradict_the_network_are_named(changes, message, folder):
    change_config(folder, **changes)
    with pytest.raises(UserError, match=message):
        huggingface.load(folder, FLOW)


def test_fields_left_out_have_the_defaults_of_transformers(folder):
    path = folder / "config.json"
    values = json.loads(path.read_text())
    for field in ("qk_channels", "num_blocks", "cross_attention_widening_factor"):
        del values[field]
    path.write_text(json.dumps(values))
    huggingface.load(folder, FLOW)
    del values["num_latents"]
    path.write_text(json.dumps(values))
    with pytest.raises(UserError, match="num_latents is 256, but"):
        huggingface.load(folder, FLOW)


@pytest.mark.parametrize(
    ("values", "due"),
    [({}, 2), ({"id2label": {str(i): "x" for i in range(5)}}, 5), ({"num_labels": 4}, 4)],
)
def test_labels_are_counted_as_transformers_counts_them(values, due, tmp_path):
    huggingface.save(tmp_path / "folder", random_weights(LEARNED))
    path = tmp_path / "folder" / "config.json"
    old = json.loads(path.read_text())
    del old["num_labels"]
    path.write_text(json.dumps(old | values))
    if due == 5:
        huggingface.load(tmp_path / "folder", LEARNED)
    else:
        with pytest.raises(UserError, match=f"num_labels is {due}, but the network"):
            huggingface.load(tmp_path / "folder", LEARNED)


@pytest.mark.parametrize(
    ("name", "due"),
    [
        ("gelu", "gelu"),
        ("gelu_python", "gelu"),
        ("gelu_new", "gelu_tanh"),
        ("gelu_pytorch_tanh", "gelu_tanh"),
        ("gelu_fast", "gelu_tanh"),
    ],
)
def test_names_of_the_activation(name, due):
    assert activation({"hidden_act": name}, where="test") == due


@pytest.mark.parametrize(
    ("family", "path", "value"),
    [
        ("flow", "decoder.cross_attention", AttentionConfig(num_heads=2)),
        ("flow", "decoder.use_query_residual", True),
        ("flow", "input.channels", 32),
        ("imagenet_fourier", "input.position", FourierPosition(num_bands=8, max_resolution=(9, 9))),
        ("imagenet_learned", "input.size", (6, 8)),
        ("multimodal", "input.video_bands", 16),
        ("language", "encoder.cross_attention.qk_channels", 32),
    ],
)
def test_networks_that_transformers_cannot_express_are_refused(family, path, value, tmp_path):
    def replace(config, names):
        inner = value if not names[1:] else replace(getattr(config, names[0]), names[1:])
        return dataclasses.replace(config, **{names[0]: inner})

    weights = random_weights(replace(RELEASED_SMALL[family], path.split(".")))
    with pytest.raises(UserError, match=f"has {path} fixed at .*choose --format=orbax"):
        huggingface.save(tmp_path / "folder", weights)
    assert not list(tmp_path.iterdir())


def test_a_folder_with_files_is_left_alone(folder):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(UserError, match="is not an empty folder; choose another name"):
        huggingface.save(folder, random_weights(FLOW))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in folder.parent.iterdir()] == ["flow"]


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


def test_shards_are_read(folder):
    shard(folder)
    assert_same(huggingface.load(folder, FLOW), random_weights(FLOW))


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
def test_a_bad_index_is_refused(change, message, folder):
    index = shard(folder)
    change(index)
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(UserError, match=message):
        huggingface.load(folder, FLOW)


def test_half_precision_is_read(folder):
    arrays = read_weights(folder)
    for dtype in (np.float16, ml_dtypes.bfloat16):
        halves = {name: array.astype(dtype) for name, array in arrays.items()}
        safetensors.numpy.save_file(halves, folder / "model.safetensors")
        found = mapping.flatten(huggingface.load(folder, FLOW).params)
        due = mapping.flatten(random_weights(FLOW).params)
        for path in due:
            assert same(found[path], due[path].astype(dtype).astype(np.float32)), path


def test_pytorch_file_is_read_and_code_in_it_is_refused(folder):
    torch = pytest.importorskip("torch", reason="pytorch_model.bin needs torch")
    arrays = read_weights(folder)
    (folder / "model.safetensors").unlink()
    path = folder / "pytorch_model.bin"
    torch.save({name: torch.from_numpy(array) for name, array in arrays.items()}, path)
    assert_same(huggingface.load(folder, FLOW), random_weights(FLOW))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"pytorch_model\.bin: not a state dict, or damaged"):
        huggingface.load(folder, FLOW)

    class Hostile:
        def __reduce__(self):
            return os.mkdir, (str(folder / "broken_in"),)

    torch.save({"x": Hostile()}, path)
    with pytest.raises(UserError, match="not a state dict, or damaged"):
        huggingface.load(folder, FLOW)
    assert not (folder / "broken_in").exists()
    torch.save([torch.ones(1)], path)
    with pytest.raises(UserError, match="not a state dict"):
        huggingface.load(folder, FLOW)


def test_without_torch_the_message_says_what_to_install(folder, monkeypatch):
    (folder / "model.safetensors").replace(folder / "pytorch_model.bin")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(UserError, match=r"pip install 'perceiver-bench\[torch\]'"):
        huggingface.load(folder, FLOW)


def test_missing_files_are_named(folder, tmp_path):
    (folder / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"has neither model\.safetensors nor"):
        huggingface.load(folder, FLOW)
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
def test_truncated_weights_are_refused(kept, folder):
    path = folder / "model.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(UserError, match=r"model\.safetensors: damaged or cut short"):
        huggingface.load(folder, FLOW)


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
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UserError, match="damaged or cut short"):
        read_tensors(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**16  # KiB


def test_a_header_longer_than_the_file_is_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(struct.pack("<Q", 2**62) + b"{}")
    with pytest.raises(UserError, match="damaged or cut short"):
        read_tensors(path)


def test_the_module_does_not_import_torch():
    program = (
        "import sys, perceiver_bench.model.weights.huggingface\n"
        "print('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr
