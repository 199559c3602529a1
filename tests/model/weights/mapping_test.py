# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest
from flax import nnx
from random_networks import RELEASED_SMALL, random_weights

from perceiver_bench.errors import UserError
from perceiver_bench.model.weights import huggingface, mapping, official
from perceiver_bench.model.weights.mapping import Entry

TABLES = {"official": official.entries, "huggingface": huggingface.entries}
CONFIG = RELEASED_SMALL["imagenet_conv"]


def same(ours, theirs):
    """Says whether two arrays are equal in every bit, NaN included."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    return (
        ours.dtype == theirs.dtype
        and ours.shape == theirs.shape
        and ours.tobytes() == theirs.tobytes()
    )


def assert_same(ours, theirs):
    ours, theirs = (mapping.flatten(w.params) | mapping.flatten(w.state) for w in (ours, theirs))
    assert ours.keys() == theirs.keys()
    for path in ours:
        assert same(ours[path], theirs[path]), path


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("family", RELEASED_SMALL)
def test_tables_name_every_leaf_and_layer_once(family, table):
    config = RELEASED_SMALL[family]
    entries = list(TABLES[table](config))
    keys = [entry.key for entry in entries]
    assert len(set(keys)) == len(keys)
    due = set()
    for path in mapping.expected_shapes(config):
        layers = range(config.encoder.num_layers) if "self_attention" in path else [None]
        due |= {(path, layer) for layer in layers}
    assert {(entry.path, entry.layer) for entry in entries} == due
    assert len(entries) == len(due)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("family", RELEASED_SMALL)
def test_write_and_read_are_inverse_bit_for_bit(family, table):
    config = RELEASED_SMALL[family]
    weights = random_weights(config)
    arrays = mapping.write(weights, TABLES[table](config))
    params, state = mapping.read(arrays, TABLES[table](config), config, where="test")
    assert_same(mapping.Weights(config=config, params=params, state=state), weights)


@pytest.mark.parametrize(
    ("layout", "ours", "theirs"),
    [
        ("transposed", (2, 3), (3, 2)),
        ("convolution", (7, 5, 2, 3), (3, 2, 7, 5)),
        ("convolution_1x1", (2, 3), (3, 2, 1, 1)),
        ("kernel_1x1", (2, 3), (1, 1, 2, 3)),
        ("channels", (4,), (1, 1, 1, 4)),
        ("same", (2, 3), (2, 3)),
    ],
)
def test_layouts(layout, ours, theirs):
    array = np.arange(np.prod(ours)).reshape(ours)
    found = mapping._to_source(array, layout)
    assert found.shape == theirs
    np.testing.assert_array_equal(mapping._from_source(found, layout), array)


def read_changed(change):
    arrays = mapping.write(random_weights(CONFIG), huggingface.entries(CONFIG))
    change(arrays)
    return mapping.read(arrays, huggingface.entries(CONFIG), CONFIG, where="FILE")


BIAS = "perceiver.decoder.decoder.final_layer.bias"
COUNTER = "perceiver.input_preprocessor.convnet.batchnorm.num_batches_tracked"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays: arrays.pop(BIAS), f"FILE holds another model: it lacks {BIAS}"),
        (lambda arrays: arrays.update(extra=np.ones(1)), "it has unknown extra"),
        (lambda arrays: arrays.update({BIAS: np.ones(6)}), rf"{BIAS} \[6\] instead of \[5\]"),
        (lambda arrays: arrays.update({BIAS: np.ones((5, 1, 1))}), r"\[5, 1, 1\] instead of"),
        (lambda arrays: arrays.update({BIAS: np.ones(5, complex)}), "type complex128"),
        (lambda arrays: arrays.update({BIAS: np.ones(5, int)}), "type int64 instead of float32"),
        (lambda arrays: arrays.update({COUNTER: np.float32(1)}), "type float32 instead of int32"),
        (lambda arrays: arrays.update({COUNTER: np.ones(1, int)}), r"\[1\] instead of \[\]"),
    ],
)
def test_another_model_is_refused_with_the_key(change, message):
    with pytest.raises(UserError, match=message):
        read_changed(change)


def test_long_lists_of_keys_are_cut():
    with pytest.raises(UserError, match="and 77 more") as error:
        mapping.read({}, [Entry("x", None, f"key{i:02}") for i in range(85)], CONFIG, where="FILE")
    assert len(str(error.value)) < 200


def test_to_model_holds_the_weights():
    weights = random_weights(CONFIG)
    _, state = nnx.split(mapping.to_model(weights))
    params, state = mapping.split_state(mapping.flatten(nnx.to_pure_dict(state)))
    assert_same(dataclasses.replace(weights, params=params, state=state), weights)


def test_flatten_and_unflatten_are_inverse():
    tree = {"b": {"c": 1, "a": {"x": 2}}, "a": 3}
    assert mapping.flatten(tree) == {"a": 3, "b.a.x": 2, "b.c": 1}
    assert mapping.unflatten(mapping.flatten(tree)) == tree
