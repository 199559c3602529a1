# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Hostile and broken files: nothing of them runs, and each is told in one line."""

import builtins
import collections
import contextlib
import copyreg
import functools
import io
import operator
import os
import pathlib
import pickle
import struct
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_pickles import PROTOCOLS, TREE, fake_class, write

from perceiver_bench.errors import UserError
from perceiver_bench.model.weights import unpickle
from perceiver_bench.pickles import read_pickle


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("pickles")


def assert_refused(folder, data, match="checkpoint.pystate: "):
    with pytest.raises(UserError, match=match) as error:
        unpickle.load(write(folder, data))
    message = str(error.value)
    assert "\n" not in message
    assert "checkpoint.pystate" in message
    assert len(message) < len(str(folder)) + 250


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


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("kind", [*hostile_objects(""), "instance"])
def test_hostile_files_call_nothing(kind, protocol, tmp_path, monkeypatch):
    marker = tmp_path / "called"
    hostile = Instance() if kind == "instance" else hostile_objects(marker)[kind]
    mapping = fake_class(monkeypatch, "haiku._src.data_structures", "FlatMapping")
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
         + b"cnumpy\ndtype\nK\x00\x85C\x01btR(K\x01K\x01\x85" + FLOAT32 + b"\x89C\x04aaaatb."),
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
        ("open mark", b"(}."),
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
        ("tuple as a key", b"}" + b")" + b"\x85" * 200_000 + b"Ns."),
        ("tuple", b")" + b"\x85" * 200_000 + b"."),
        ("tuple in a call", b"ccollections\nOrderedDict\n)" + b"\x85" * 200_000 + b"R."),
        ("dicts", (b"}" + text("a")) * 200_000 + b"}" + b"s" * 200_000 + b"."),
        ("dict in itself", b"}q\x00" + text("a") + b"h\x00s."),
        ("dicts shared", pickle.dumps(doubled(30))),
        ("marks", b"(" * 200_000 + b"."),
        ("opcodes", b"}" + b"q\x00" * 1_100_000 + b"."),
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


# Lists, and the strings of Python 2.


def read(data, *, lists=True):
    return read_pickle(io.BytesIO(data), "batch", lists=lists)


@pytest.mark.parametrize("protocol", [1, 2, 3, 4, 5])
def test_lists_are_read_where_they_are_asked_for(protocol):
    tree = {"numbers": [1, 2], "one": ["a"], "none": [], "within": [[{"b": [True]}], 1.5, None]}
    data = pickle.dumps(tree, protocol)
    assert read(data) == tree
    with pytest.raises(UserError, match=r"batch: refused .* a value of type list"):
        read(data, lists=False)
    (array,) = read(pickle.dumps([np.arange(3)], protocol))
    np.testing.assert_array_equal(array, np.arange(3))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_keys_of_bytes_are_text(protocol):
    assert read(pickle.dumps({b"data": b"\xff"}, protocol)) == {"data": b"\xff"}


def test_strings_of_python_2_are_text_of_latin1():
    # cPickle.dumps({'a': 'b', 'c\xe9': 'd' * 300}, 2)
    data = b"\x80\x02}q\x01(U\x01aU\x01bq\x02U\x02c\xe9T\x2c\x01\x00\x00" + b"d" * 300 + b"u."
    assert read(data) == pickle.loads(data, encoding="latin1") == {"a": "b", "cé": "d" * 300}


def test_arrays_of_python_2_are_read():
    # cPickle.dumps(numpy.arange(3, dtype='>i2'), 2)
    data = b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85"
    data += b"U\x01b\x87Rq\x03(K\x01K\x03\x85cnumpy\ndtype\nq\x04U\x02i2K\x00K\x01\x87Rq\x05"
    data += b"(K\x03U\x01>NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
    data += b"U\x06\x00\x00\x00\x01\x00\x02tb."
    array = read(data)
    np.testing.assert_array_equal(array, pickle.loads(data, encoding="latin1"))
    assert array.tolist() == [0, 1, 2]
    assert array.dtype == np.dtype("=i2")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("call within", pickle.dumps([{"a": [Call(os.system, "false")]}])),
        ("list within itself", b"]q\x00h\x00a."),
        ("list in two places", pickle.dumps([[1]] * 2, 4)),
        ("lists shared", pickle.dumps(functools.reduce(lambda x, _: [x, x], range(30), []))),
        ("deep lists", b"]" * 200_000 + b"a" * 199_999 + b"."),
        ("items for a dict", b"}K\x01a."),
        ("many items for a dict", b"}(K\x01e."),
        ("tuple within", pickle.dumps([(1,)])),
        ("string cut short", b"T\xff\xff\xff\x7fabc."),
        ("string of a negative length", b"T\xff\xff\xff\xffabc."),
        ("text that is no Latin-1", NDARRAY + b"(K\x03\x85" + FLOAT32 + text("€") + b"tR."),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_odd_lists_and_strings_are_refused(name, data):  # noqa: ARG001
    with pytest.raises(UserError, match=r"batch: "):
        read(data)


VALID = [pickle.dumps({"params": TREE, "state": TREE}, protocol) for protocol in PROTOCOLS]


@settings(deadline=None, max_examples=300)
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
    for content in VALID[::2]:
        for end in range(len(content)):
            assert_refused(tmp_path, content[:end])
