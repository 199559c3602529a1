# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import builtins
import collections
import contextlib
import copyreg
import functools
import importlib.util
import operator
import os
import pathlib
import pickle
import struct
import sys
import types

import hypothesis.extra.numpy as st_numpy
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perceiver_bench.errors import UserError
from perceiver_bench.model.weights import unpickle

REFERENCE = pathlib.Path(__file__).parents[4] / "shared/reference/make_checkpoint.py"
PROTOCOLS = range(6)
TREE = {
    "encoder/~/linear": {
        "w": np.arange(6, dtype=np.float32).reshape(2, 3),
        "b": np.zeros(3, np.float32),
    },
    "encoder/~/batch_norm/mean_ema": {"counter": np.asarray(1, np.int32)},
}


def write(folder, data):
    path = folder / "checkpoint.pystate"
    path.write_bytes(data)
    return path


def assert_refused(folder, data, match="checkpoint.pystate: "):
    with pytest.raises(UserError, match=match) as error:
        unpickle.load(write(folder, data))
    message = str(error.value)
    assert "\n" not in message
    assert "checkpoint.pystate" in message
    assert len(message) < len(str(folder)) + 250


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


# Files that must be read.


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
def test_haiku_mappings_are_read_as_dicts(name, protocol, tmp_path, fake_class):
    mapping = fake_class("haiku._src.data_structures", name)
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
def test_reference_checkpoints_are_read_exactly(model, tmp_path):
    if not REFERENCE.exists():
        pytest.skip(f"needs the reference checkpoints' writer, {REFERENCE}")
    spec = importlib.util.spec_from_file_location("make_checkpoint", REFERENCE)
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


# Files that must be refused.


class Call:
    """Pickles as a call of `function`."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __call__(self):
        raise AssertionError("called")

    def __reduce__(self):
        return self.call


def hostile_objects(marker):
    command = f"touch {marker}"
    code = f"open({str(marker)!r}, 'w')"
    return {
        "system": Call(os.system, command),
        "eval": Call(builtins.eval, code),
        "exec": Call(builtins.exec, code),
        "open": Call(builtins.open, str(marker), "w"),
        "numpy.load": Call(np.load, str(marker), None, True),
        "partial": Call(functools.partial(os.system, command)),
        "attrgetter": Call(operator.attrgetter("system"), Call(__import__, "os")),
        "methodcaller": operator.methodcaller("system", command),
        "getattr": Call(getattr, Call(__import__, "os"), "system"),
        "nested call": Call(Call(getattr, Call(__import__, "os"), "system"), command),
        "map": Call(list, Call(map, os.system, [command])),
        "object array": np.array([Call(os.system, command)], object),
        "array subclass": np.ones(2).view(np.recarray),
        "masked array": np.ma.ones(2),
        "structured array": np.zeros(2, [("a", "f4")]),
        "text array": np.array(["a"]),
        "date array": np.zeros(2, "M8[s]"),
        "class": pathlib.PurePosixPath("a"),
        "list": [1],
        "set": {1},
        "global": os.system,
        "known global": np.ndarray,
    }


class Instance:
    """Protocols 0 and 1 pickle it through copyreg._reconstructor."""

    def __init__(self):
        self.attribute = 1


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("kind", [*hostile_objects(""), "instance"])
def test_hostile_files_call_nothing(kind, protocol, tmp_path, fake_class):
    marker = tmp_path / "called"
    hostile = Instance() if kind == "instance" else hostile_objects(marker)[kind]
    mapping = fake_class("haiku._src.data_structures", "FlatMapping")
    for tree in (hostile, {"linear": {"w": hostile}}, mapping({"linear": hostile})):
        assert_refused(tmp_path, pickle.dumps(tree, protocol))
        assert not marker.exists()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_refused_global_is_named(protocol, tmp_path):
    data = pickle.dumps({"a": Call(os.system, "true")}, protocol)
    assert_refused(tmp_path, data, match=r"names 'posix\.system'")


def test_the_mapping_of_a_hostile_argument_is_not_made(tmp_path):
    class Mapping:
        def __reduce__(self):
            return fake, (Call(os.system, f"touch {tmp_path / 'called'}"),)

    fake = collections.OrderedDict
    for protocol in PROTOCOLS:
        assert_refused(tmp_path, pickle.dumps(Mapping(), protocol))
    assert not (tmp_path / "called").exists()


def test_a_refused_module_is_not_imported(tmp_path, monkeypatch):
    (tmp_path / "hostile_module.py").write_text(f"open({str(tmp_path / 'called')!r}, 'w')")
    monkeypatch.syspath_prepend(tmp_path)
    assert_refused(tmp_path, b"chostile_module\nfunction\n.", match="hostile_module.function")
    assert not (tmp_path / "called").exists()
    assert "hostile_module" not in sys.modules


def text(value):
    return b"\x8c" + bytes([len(value)]) + value.encode()


NDARRAY = b"cnumpy\nndarray\n"
FLOAT32 = b"cnumpy\ndtype\n(" + text("f4") + b"\x89\x88tR"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("dotted name", b"\x80\x04" + text("numpy") + text("ndarray.__class__") + b"\x93."),
        ("dotted to a module", b"\x80\x04" + text("numpy") + text("os.system") + b"\x93."),
        ("name that is not text", b"\x80\x04" + text("numpy") + b"N\x93."),
        ("dunder", b"c__builtin__\n__import__\n."),
        ("call of a class", NDARRAY + b")R."),
        ("call of a number", b"K\x01)R."),
        ("call with arguments that are no tuple", b"ccollections\nOrderedDict\n}R."),
        ("new object of a class", b"\x80\x02" + NDARRAY + b")\x81."),
        ("new object with names", b"\x80\x04" + NDARRAY + b")}\x92."),
        ("instance", b"(icollections\nOrderedDict\n."),
        ("object", b"(ccollections\nOrderedDict\no."),
        ("state of a class", NDARRAY + b"}" + text("__array_finalize__") + b"Nsb."),
        ("state of a dict", b"}}b."),
        ("slots of a class", NDARRAY + b"N}" + text("__doc__") + b"Ns\x86b."),
        ("items of a class", NDARRAY + text("a") + b"Ns."),
        ("persistent id", b"Pname\n."),
        ("binary persistent id", text("name") + b"Q."),
        ("buffer from outside", b"\x80\x05\x97."),
        ("odd dtype", b"cnumpy\ndtype\n(" + text("f4,O") + b"\x89\x88tR."),
        ("object dtype", b"cnumpy\ndtype\n(" + text("O8") + b"\x89\x88tR."),
        ("dtype of a class", b"cnumpy\ndtype\n(" + NDARRAY + b"\x89\x88tR."),
        ("array without values", b"cnumpy.core.multiarray\n_reconstruct\n("
         + NDARRAY + b"K\x00\x85C\x01btR."),
        ("array of a subclass", b"cnumpy.core.multiarray\n_reconstruct\n("
         + b"cnumpy\ndtype\nK\x00\x85C\x01btR."),
        ("huge array", NDARRAY + b"(J\xff\xff\xff\x7f\x85" + FLOAT32 + b"C\x04aaaatR."),
        ("negative shape", NDARRAY + b"(J\xff\xff\xff\xff\x85" + FLOAT32 + b"C\x04aaaatR."),
        ("shape of many axes", NDARRAY + b"((" + b"K\x01" * 100 + b"t"
         + FLOAT32 + b"C\x04aaaatR."),
        ("huge empty array", NDARRAY + b"((K\x00" + b"J\xff\xff\xff\x7f" * 9 + b"t"
         + FLOAT32 + b"C\x00tR."),
        ("codec", b"c_codecs\nencode\n(" + text("a") + text("zlib") + b"tR."),
        ("text not in the codec", b"c_codecs\nencode\n(" + text("€") + text("latin1") + b"tR."),
        ("stack too short", b"\x85."),
        ("no mark", b"t."),
        ("unknown memo", b"h\x01."),
        ("open mark", b"}(."),
        ("two values", b"}}."),
        ("bytes behind the end", b"}.}"),
        ("number key", b"}K\x01K\x02s."),
        ("odd items", b"}(" + text("a") + b"u."),
        ("nothing", b""),
        ("no pickle", b"PK\x03\x04 a zip file"),
        ("a page", b"<!DOCTYPE html><html>not found</html>"),
        ("string with an odd escape", b"S'\\q'\n."),
        ("huge string", b"\x8d" + struct.pack("<Q", 2**62) + b"a."),
        ("huge frame of nothing", b"\x80\x04\x95" + struct.pack("<Q", 2**62)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_odd_files_are_refused(name, data, tmp_path):  # noqa: ARG001
    assert_refused(tmp_path, data)


def test_extension_registry_is_not_looked_up(tmp_path):
    copyreg.add_extension("posix", "system", 77)
    try:
        data = pickle.dumps(Call(os.system, f"touch {tmp_path / 'called'}"), 2)
        assert b"\x82\x4d" in data
        assert_refused(tmp_path, data, match="EXT1")
    finally:
        copyreg.remove_extension("posix", "system", 77)
    assert not (tmp_path / "called").exists()


def doubled(times):
    """A tree of 2**times leaves, in a few hundred bytes."""
    tree = {}
    for _ in range(times):
        tree = {"a": tree, "b": tree}
    return tree


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("tuple as a key", b"}" + b")" + b"\x85" * 500_000 + b"Ns."),
        ("tuple", b")" + b"\x85" * 500_000 + b"."),
        ("tuple in a call", b"ccollections\nOrderedDict\n)" + b"\x85" * 500_000 + b"R."),
        ("dicts", (b"}" + text("a")) * 200_000 + b"}" + b"s" * 200_000 + b"."),
        ("dict in itself", b"}q\x00" + text("a") + b"h\x00s."),
        ("dicts shared", pickle.dumps(doubled(30))),
        ("marks", b"(" * 900_000 + b"."),
        ("opcodes", b"N" * 2_000_000 + b"."),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_deep_and_endless_files_are_refused(name, data, tmp_path):  # noqa: ARG001
    assert_refused(tmp_path, data)


def test_one_shared_dict_is_refused(tmp_path):
    shared = {"w": np.ones(1)}
    assert_refused(tmp_path, pickle.dumps({"a": shared, "b": shared}), match="two places")


def test_a_large_memo_index_costs_nothing(tmp_path):
    assert unpickle.load(write(tmp_path, b"}r\xff\xff\xff\x7f.")) == {}


def test_bytes_repeated_from_the_memo_cannot_fill_the_memory(tmp_path):
    once = b"c_codecs\nencode\n(h\x00h\x01tR"
    head = b"X" + struct.pack("<I", 10_000) + b"a" * 10_000 + b"q\x00" + text("latin1") + b"q\x01"
    assert_refused(tmp_path, head + once * 1000 + b".", match="more array bytes")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("pickles")


VALID = [pickle.dumps({"params": TREE, "state": TREE}, protocol) for protocol in PROTOCOLS]


@settings(deadline=None, max_examples=600)
@given(st.data())
def test_random_damage_gives_a_user_error_or_a_tree(folder, data):
    content = bytearray(data.draw(st.sampled_from(VALID)))
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(content)))
        removed = data.draw(st.sampled_from([0, 1, 1, 1, 4, len(content)]))
        content[position : position + removed] = data.draw(st.binary(max_size=4))
    with contextlib.suppress(UserError):
        unpickle.load_params(write(folder, bytes(content)))


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=64))
def test_random_bytes_give_a_user_error_or_a_tree(folder, content):
    with contextlib.suppress(UserError):
        unpickle.load_params(write(folder, content))


def test_every_truncation_is_refused(tmp_path):
    for content in VALID:
        for end in range(len(content)):
            assert_refused(tmp_path, content[:end])


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
    with pytest.raises(UserError, match=r"checkpoint.pystate: cannot be written \(No space"):
        unpickle.save(path, TREE, {}, with_state=False)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture
def fake_class(monkeypatch):
    """Makes a mapping class importable under the name that old files hold."""

    def make(module_name, name):
        module = types.ModuleType(module_name)
        cls = type(name, (dict,), {"__reduce__": lambda self: (cls, (dict(self),))})
        cls.__module__ = module_name
        setattr(module, name, cls)
        for parent in ("haiku", "haiku._src"):
            monkeypatch.setitem(sys.modules, parent, types.ModuleType(parent))
        monkeypatch.setitem(sys.modules, module_name, module)
        return cls

    return make
