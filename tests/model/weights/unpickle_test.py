# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import collections
import importlib.util
import os
import pickle
import sys
import types

import hypothesis.extra.numpy as st_numpy
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_pickles import PROTOCOLS, TREE, fake_class, write

from perceiver_bench.errors import UserError
from perceiver_bench.model.weights import unpickle


def assert_trees_equal(actual, expected):
    if isinstance(expected, dict):
        assert type(actual) is dict
        assert list(actual) == list(expected)
        for name in expected:
            assert_trees_equal(actual[name], expected[name])
    else:
        assert type(actual) is np.ndarray
        assert actual.shape == expected.shape
        assert actual.dtype == expected.dtype.newbyteorder("=")
        assert actual.tobytes() == expected.astype(actual.dtype).tobytes()  # NaN and -0 too


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_arrays_of_every_form_are_read(protocol, tmp_path):
    tree = {
        "big_endian": np.arange(4, dtype=">f8"),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "axes_moved": np.arange(24).reshape(2, 3, 4).transpose(1, 0, 2),
        "strided": np.arange(10, dtype=np.uint8)[::3],
        "empty": np.zeros((0, 3), np.float32),
        "no_axes": np.array(2.5, np.float16),
        "booleans": np.array([True, False]),
        "brain": np.asarray(jnp.arange(3, dtype=jnp.bfloat16)),
        "read_only": np.frombuffer(b"12345678", np.int32),
    }
    assert_trees_equal(unpickle.load(write(tmp_path, pickle.dumps(tree, protocol))), tree)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_numpy_scalars_are_read_as_arrays_without_axes(protocol, tmp_path):
    value = unpickle.load(write(tmp_path, pickle.dumps({"a": np.float32(1.5)}, protocol)))["a"]
    assert value.shape == ()
    assert value.dtype == np.float32
    assert value == 1.5


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_old_numpy_names_are_read(protocol, tmp_path):
    data = pickle.dumps(TREE, protocol)
    # From protocol 4 on a name follows its own length; that of a frame is not looked at.
    for name in (b"numpy._core.multiarray", b"numpy._core.numeric"):
        old = name.replace(b"_core", b"core")
        data = data.replace(bytes([len(name)]) + name, bytes([len(old)]) + old)
        data = data.replace(name, old)
    assert b"numpy.core." in data
    assert b"numpy._core." not in data
    assert_trees_equal(unpickle.load(write(tmp_path, data)), TREE)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", ["FlatMapping", "FlatMap", "frozendict"])
def test_haiku_mappings_are_read_as_dicts(name, protocol, tmp_path, monkeypatch):
    mapping = fake_class(monkeypatch, "haiku._src.data_structures", name)
    tree = mapping({module: mapping(leaves) for module, leaves in TREE.items()})
    data = pickle.dumps(tree, protocol)
    params, state = unpickle.load_params(write(tmp_path, data))
    assert_trees_equal(params, TREE)
    assert state == {}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_ordered_dicts_are_read_as_dicts(protocol, tmp_path):
    tree = collections.OrderedDict(TREE)
    assert_trees_equal(unpickle.load(write(tmp_path, pickle.dumps(tree, protocol))), TREE)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_arrays_of_todays_jax_are_read(protocol, tmp_path):
    tree = {"linear": {"w": jnp.arange(6.0).reshape(2, 3), "b": jnp.ones(3, jnp.bfloat16)}}
    actual = unpickle.load(write(tmp_path, pickle.dumps(tree, protocol)))
    assert_trees_equal(actual, {"linear": {n: np.asarray(a) for n, a in tree["linear"].items()}})


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_device_arrays_of_older_jax_are_read(protocol, tmp_path, monkeypatch):
    module = types.ModuleType("jax._src.device_array")
    monkeypatch.setitem(sys.modules, module.__name__, module)

    def reconstruct_device_array():
        raise AssertionError("called")

    reconstruct_device_array.__module__ = module.__name__
    reconstruct_device_array.__qualname__ = "reconstruct_device_array"
    module.reconstruct_device_array = reconstruct_device_array

    class DeviceArray:
        def __reduce__(self):
            function, arguments, state = TREE["encoder/~/linear"]["w"].__reduce__()
            aval = {"weak_type": False, "named_shape": {}}
            return reconstruct_device_array, (function, arguments, state, aval)

    actual = unpickle.load(write(tmp_path, pickle.dumps({"w": DeviceArray()}, protocol)))
    assert_trees_equal(actual, {"w": TREE["encoder/~/linear"]["w"]})


def test_params_and_state_are_told_apart(tmp_path):
    data = pickle.dumps({"params": TREE, "state": {"ema": {"average": np.ones(2)}}})
    params, state = unpickle.load_params(write(tmp_path, data))
    assert_trees_equal(params, TREE)
    assert_trees_equal(state, {"ema": {"average": np.ones(2)}})


@pytest.mark.parametrize("model", ["imagenet_conv", "multimodal"])
def test_reference_checkpoints_are_read_exactly(model, tmp_path, shared):
    spec = importlib.util.spec_from_file_location(
        "make_checkpoint", shared / "reference/make_checkpoint.py"
    )
    make_checkpoint = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make_checkpoint)
    params, state = make_checkpoint.params(model, 0)
    tree = {"params": params, "state": state} if model in make_checkpoint.WITH_STATE else params
    path = write(tmp_path, pickle.dumps(tree))
    try:
        actual = unpickle.load_params(path)
    finally:
        path.unlink()
    assert_trees_equal(actual[0], params)
    assert_trees_equal(actual[1], state)


names = st.text(max_size=8)
arrays = st_numpy.arrays(
    st.one_of(
        st_numpy.boolean_dtypes(),
        st_numpy.integer_dtypes(endianness="?"),
        st_numpy.floating_dtypes(endianness="?"),
    ).filter(lambda dtype: dtype.itemsize <= 8),
    st_numpy.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
)
trees = st.dictionaries(names, st.dictionaries(names, arrays, max_size=4), max_size=4)


@settings(deadline=None, max_examples=150)
@given(tree=trees, protocol=st.sampled_from(PROTOCOLS))
def test_any_tree_survives_any_protocol(tree, protocol, folder):
    path = write(folder, pickle.dumps(tree, protocol))
    if set(tree) != {"params", "state"}:
        assert_trees_equal(unpickle.load_params(path)[0], tree)


@pytest.mark.parametrize(
    ("tree", "match"),
    [
        ({"linear": np.ones(2)}, "'linear' is a ndarray, not a dict"),
        ({"linear": {"w": 1.0}}, "'linear/w' is a float, not an array"),
        ({"linear": {"w": {"x": np.ones(2)}}}, "'linear/w' is a dict, not an array"),
        (np.ones(2), "holds a ndarray in place of a dict"),
        ({"params": TREE, "state": None}, "holds a NoneType"),
        ({"two\nlines": 1}, r"'two\\nlines' is a int"),
        ({"two": {"lines\n": 1}}, r"'two/lines\\n' is a int"),
    ],
)
def test_other_trees_are_no_parameters(tree, match, tmp_path):
    with pytest.raises(UserError, match=match):
        unpickle.load_params(write(tmp_path, pickle.dumps(tree)))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"absent\.pystate: cannot be read"):
        unpickle.load(tmp_path / "absent.pystate")
    with pytest.raises(UserError, match="cannot be read"):
        unpickle.load(tmp_path)


# Writing.


@pytest.mark.parametrize("with_state", [True, False])
def test_saved_files_are_read_here_and_by_pickle(with_state, tmp_path):
    path = tmp_path / "saved.pystate"
    state = {"ema": {"average": jnp.arange(3.0)}} if with_state else {}
    unpickle.save(path, TREE, state, with_state)
    expected = {"ema": {"average": np.arange(3, dtype=np.float32)}} if with_state else {}
    params, read_state = unpickle.load_params(path)
    assert_trees_equal(params, TREE)
    assert_trees_equal(read_state, expected)
    plain = pickle.loads(path.read_bytes())
    assert_trees_equal(plain, {"params": TREE, "state": expected} if with_state else TREE)


def test_saved_files_name_nothing_that_older_numpy_lacks(tmp_path):
    path = tmp_path / "saved.pystate"
    unpickle.save(path, {"a": {"w": np.asfortranarray(np.ones((2, 3)))}}, {}, with_state=False)
    assert b"_core" not in path.read_bytes()


def test_a_state_is_not_dropped(tmp_path):
    with pytest.raises(ValueError, match="holds no state"):
        unpickle.save(tmp_path / "saved.pystate", TREE, TREE, with_state=False)


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = write(tmp_path, b"old")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"checkpoint\.pystate: cannot be written: No space"):
        unpickle.save(path, TREE, {}, with_state=False)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
