# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""PyTorch's archives without PyTorch: what PyTorch wrote, and what nobody honest wrote."""

import contextlib
import io
import pickle
import random
import sys
import warnings
import zipfile

import numpy as np
import pytest

from perceiver_bench.errors import UserError
from perceiver_bench.memory import peak_bytes
from perceiver_bench.model.weights.torch_archive import read_archive

if sys.version_info >= (3, 12):
    pytest.importorskip("torch", reason="the pinned torch has no build for this Python")
import torch

BASE = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.pt"


@pytest.mark.parametrize(
    "tensor",
    [
        *(BASE.to(dtype) for dtype in (torch.float16, torch.float64, torch.int32, torch.int64)),
        *(BASE, BASE.to(torch.uint8), BASE > 3, torch.tensor(1.5), torch.zeros(0, 3)),
        *(BASE.permute(2, 0, 1), BASE[1:, ::2, 1:3], BASE[0, 0], torch.tensor(2)),
    ],
    ids=lambda tensor: f"{tensor.dtype}{list(tensor.shape)}",
)
def test_tensors_of_every_kind_are_read(tensor, path):
    torch.save({"a": tensor}, path)
    found = read_archive(path)["a"]
    expected = tensor.numpy()
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)
    assert not found.flags.writeable


def test_bfloat16_is_read(path):
    torch.save({"a": BASE.bfloat16()}, path)
    found = read_archive(path)["a"]
    assert found.dtype.name == "bfloat16"
    np.testing.assert_array_equal(found.astype(np.float32), BASE)


def test_names_are_those_of_the_state_dict(path):
    module = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3, padding=1), torch.nn.BatchNorm2d(3))
    state = {name: tensor.numpy() for name, tensor in module.state_dict().items()}
    torch.save(module.state_dict(), path)
    assert_same(read_archive(path), state)
    torch.save({"epoch": 3, "nested": {"model": module.state_dict()}, "note": None}, path)
    assert_same(read_archive(path), {f"nested.model.{name}": leaf for name, leaf in state.items()})
    with warnings.catch_warnings():
        # TorchScript is deprecated; the releases of CLIP are such files.
        warnings.simplefilter("ignore")
        torch.jit.script(module).save(path)
        assert_same(read_archive(path), state)
        torch.jit.trace(module.eval(), torch.zeros(1, 2, 4, 4)).save(path)
        assert_same(read_archive(path), state)


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, leaf in expected.items():
        np.testing.assert_array_equal(found[name], leaf)


class Call:
    """A pickle of it calls `function` when it is loaded."""

    def __init__(self, function, *arguments):
        self.reduced = (function, arguments)

    def __reduce__(self):
        return self.reduced


class Storage:
    """A pickle of it is the persistent id of values."""

    def __init__(self, key="0", count=4, kind="storage", dtype=torch.FloatStorage):
        self.identity = (kind, dtype, key, "cpu", count)


class Writer(pickle.Pickler):
    def persistent_id(self, obj):
        return obj.identity if isinstance(obj, Storage) else None


def tensor(storage, offset=0, shape=(4,), strides=(1,)):
    return Call(torch._utils._rebuild_tensor_v2, storage, offset, shape, strides, False, {})


def write(path, tree, records=None, compression=zipfile.ZIP_STORED):
    """Writes an archive as PyTorch does, of any tree and any records."""
    file = io.BytesIO()
    Writer(file, protocol=2).dump(tree)
    every = {"data.pkl": file.getvalue(), "data/0": bytes(16), "version": b"3\n"}
    every |= records or {}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in every.items():
            archive.writestr(f"model/{name}", content)


def test_the_archives_written_here_are_of_pytorchs_form(path):
    write(path, {"a": tensor(Storage())})
    np.testing.assert_array_equal(torch.load(path, weights_only=True)["a"], np.zeros(4))
    np.testing.assert_array_equal(read_archive(path)["a"], np.zeros(4))


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"a": Call(print, "harm")}, "it names '__builtin__.print'"),
        ({"a": Call(torch.load, "x")}, r"it names 'torch\.\w+\.load'"),
        ({"a": Call(torch.nn.Linear, 2, 2)}, r"it names 'torch.nn.*Linear'"),
        ({"a": Storage(key="1")}, "it has no record 'data/1'"),
        ({"a": Storage(key="../data.pkl")}, r"it has no record 'data/\.\./data.pkl'"),
        ({"a": Storage(key="/etc/passwd")}, "it has no record 'data//etc/passwd'"),
        ({"a": Storage(count=5)}, "its record data/0 has another size"),
        ({"a": Storage(count=2**60)}, "its record data/0 has another size"),
        ({"a": Storage(kind="module")}, "values in an unknown form"),
        ({"a": Storage(dtype=print)}, "it names '__builtin__.print'"),
        ({"a": Storage(key=("0",))}, "values in an unknown form"),
        ([Storage(), Storage(dtype=torch.IntStorage)], "values in an unknown form"),
        ({"a": tensor(Storage(), offset=1)}, "reaches beyond its values"),
        ({"a": tensor(Storage(), shape=(5,))}, "reaches beyond its values"),
        ({"a": tensor(Storage(), shape=(2, 2), strides=(2**40, 1))}, "reaches beyond its values"),
        ({"a": tensor(Storage(), offset=-1)}, "without a valid shape"),
        ({"a": tensor(Storage(), strides=(-1,))}, "without a valid shape"),
        ({"a": tensor(Storage(), shape=(2, 2))}, "without a valid shape"),
        ({"a": tensor(Storage(), shape=(2.0,))}, "without a valid shape"),
        ({"a": tensor(Storage(), shape=(2**40,), strides=(0,))}, "tensors are larger than the fi"),
        ({"a": tensor("0")}, "a tensor in an unknown form"),
        ({"a": tensor(Storage(), shape=(1,) * 100, strides=(1,) * 100)}, "a damaged archive"),
        ({"a": {1: 2}}, "a key that is a int"),
        ([1, 2], "holds a list in place of named tensors"),
    ],
)
def test_what_is_no_tree_of_tensors_is_refused(tree, message, path, capsys):
    write(path, tree)
    with pytest.raises(UserError, match=message) as error:
        read_archive(path)
    assert str(error.value).startswith(f"{path}: ")
    assert capsys.readouterr().out == ""


def test_a_persistent_id_is_no_way_to_take_memory(path):
    before = peak_bytes()
    write(path, {"a": tensor(Storage(count=2**38), shape=(2**38,))})
    with pytest.raises(UserError, match="has another size"):
        read_archive(path)
    assert peak_bytes() - before < 2**26


def test_values_may_be_shared_but_not_without_end(path):
    def shared(times):
        names = map(str, range(times))
        return {name: tensor(Storage(count=2**14), shape=(2**14,)) for name in names}

    write(path, shared(2), {"data/0": bytes(2**16)})
    assert read_archive(path).keys() == {"0", "1"}
    write(path, shared(5), {"data/0": bytes(2**16)})
    with pytest.raises(UserError, match="its tensors are larger than the file"):
        read_archive(path)


def test_packed_records_are_refused(path):
    write(path, {"a": Storage(count=2**24)}, {"data/0": bytes(2**26)}, zipfile.ZIP_DEFLATED)
    with pytest.raises(UserError, match=r"its record 'data.pkl' is compressed"):
        read_archive(path)


def test_records_that_share_bytes_are_refused(path):
    """Many names for one record make a small file of much content."""
    size = 2**16
    tree = [tensor(Storage(str(i), size // 4), shape=(1,)) for i in range(9)]
    write(path, tree, {"data/0": bytes(size)})
    with zipfile.ZipFile(path, "a") as archive:
        for i in range(1, 9):
            record = archive.getinfo("model/data/0")
            alias = zipfile.ZipInfo(f"model/data/{i}")
            for name in ("header_offset", "file_size", "compress_size", "CRC"):
                setattr(alias, name, getattr(record, name))
            archive.filelist.append(alias)
        archive._didModify = True
    with pytest.raises(UserError, match=r"records are larger than the file|a damaged one"):
        read_archive(path)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "it has no data.pkl, or several"),
        (["a/data.pkl", "b/data.pkl"], "it has no data.pkl, or several"),
        (["a/b/data.pkl"], "it has no data.pkl, or several"),
        (["data.pkl"], "it has no data.pkl, or several"),
    ],
)
def test_another_zip_archive_is_refused(names, message, path):
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, b"N.")
    with pytest.raises(UserError, match=message):
        read_archive(path)


def test_values_of_another_byte_order_are_refused(path):
    write(path, {"a": tensor(Storage())}, {"byteorder": b"big"})
    with pytest.raises(UserError, match="not in little-endian order"):
        read_archive(path)


def test_what_is_no_archive_is_refused(path):
    with pytest.raises(UserError, match=r"cannot be read \(No such file"):
        read_archive(path)
    torch.save({"a": BASE}, path, _use_new_zipfile_serialization=False)
    with pytest.raises(UserError, match=r"no zip archive of PyTorch 1.6 or later"):
        read_archive(path)


def test_garbled_archives_never_fail_otherwise(path):
    """Every cut and every changed byte gives a UserError or tensors."""
    write(
        path,
        {"a": tensor(Storage()), "b": [1, {"c": tensor(Storage(), shape=(2, 2), strides=(2, 1))}]},
    )
    whole = path.read_bytes()
    generator = random.Random(0)
    refused = 0
    for _ in range(400):
        garbled = bytearray(whole)
        garbled[generator.randrange(len(whole))] = generator.randrange(256)
        path.write_bytes(garbled)
        try:
            read_archive(path)
        except UserError:
            refused += 1
    assert refused > 200
    for end in range(0, len(whole), 7):
        path.write_bytes(whole[:end])
        with pytest.raises(UserError, match="no zip archive of PyTorch"):
            read_archive(path)


@pytest.mark.parametrize("seed", range(3))
def test_garbled_pickles_never_fail_otherwise(seed, path):
    file = io.BytesIO()
    Writer(file, protocol=2).dump({"a": tensor(Storage()), "b": [1, {"c": tensor(Storage())}]})
    generator = random.Random(seed)
    for _ in range(150):
        garbled = bytearray(file.getvalue())
        for _ in range(seed + 1):
            garbled[generator.randrange(len(garbled))] = generator.randrange(256)
        write(path, {}, {"data.pkl": bytes(garbled)})
        with contextlib.suppress(UserError):
            assert all(isinstance(leaf, np.ndarray) for leaf in read_archive(path).values())
