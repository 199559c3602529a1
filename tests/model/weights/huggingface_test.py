# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import dataclasses
import json
import logging
import subprocess
import sys

import numpy as np
import pytest
from mapping_test import assert_same, same
from random_networks import RELEASED_SMALL, random_weights

from perceiver_bench.config import AttentionConfig, FourierPosition
from perceiver_bench.errors import UserError
from perceiver_bench.model import presets
from perceiver_bench.model.weights import huggingface, mapping, official
from perceiver_bench.model.weights.huggingface import SIDE_FILE
from perceiver_bench.model.weights.huggingface_config import activation, config_json
from perceiver_bench.model.weights.huggingface_files import read_weights

FLOW = RELEASED_SMALL["flow"]
CONV = RELEASED_SMALL["imagenet_conv"]
LEARNED = RELEASED_SMALL["imagenet_learned"]


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
def test_fields_that_contradict_the_network_are_named(changes, message, flow_folder):
    change_config(flow_folder, **changes)
    with pytest.raises(UserError, match=message):
        huggingface.load(flow_folder, FLOW)


def test_fields_left_out_have_the_defaults_of_transformers(flow_folder):
    path = flow_folder / "config.json"
    values = json.loads(path.read_text())
    for field in ("qk_channels", "num_blocks", "cross_attention_widening_factor"):
        del values[field]
    path.write_text(json.dumps(values))
    huggingface.load(flow_folder, FLOW)
    del values["num_latents"]
    path.write_text(json.dumps(values))
    with pytest.raises(UserError, match="num_latents is 256, but"):
        huggingface.load(flow_folder, FLOW)


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


def test_the_module_does_not_import_torch():
    program = (
        "import sys, perceiver_bench.model.weights.huggingface\n"
        "print('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr
