# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Weights and arrays from elsewhere that are not what they should be: one line, exit code 2."""

import io
import pathlib
import shutil

import numpy as np
import pytest
import tiny_runs
from random_networks import random_batch, random_weights
from tiny_runs import complaint, evaluate_flags

from perceiver_bench.model import presets
from perceiver_bench.train import weights


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """Weights of the tiny language model in every format, with its inputs."""
    folder = tmp_path_factory.mktemp("networks")
    config = presets.preset("imagenet_learned_tiny")
    for kind, name in (("official", "w.pickle"), ("huggingface", "hf"), ("orbax", "w")):
        weights.save(folder / name, random_weights(config), kind)
    np.savez(folder / "inputs.npz", **random_batch(config))
    return folder


def _cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _text(path):
    path.write_text("no weights\n" * 100)


def _cut_all(path):
    for one in path.rglob("d/*"):
        _cut(one)


@pytest.mark.parametrize(
    ("name", "spoil", "due"),
    [
        ("w.pickle", _cut, "w.pickle: "),
        ("w.pickle", _text, "w.pickle: "),
        ("w.pickle", lambda path: path.write_bytes(b""), "w.pickle: "),
        ("w.txt", _text, "w.txt: neither an official file"),
        ("empty", lambda path: path.mkdir(), "empty: neither an official file"),
        ("hf/model.safetensors", _cut, "model.safetensors: damaged or cut short"),
        ("hf/model.safetensors", _text, "model.safetensors: damaged or cut short"),
        ("hf/model.safetensors", pathlib.Path.unlink, "hf: has neither model.safetensors nor"),
        ("hf/config.json", _cut, "config.json: not JSON, or damaged"),
        ("w/metadata/metadata", _cut, "w is damaged or incomplete: no metadata"),
        ("w/params", _cut_all, "w is damaged: "),
        ("w/params", shutil.rmtree, "w is damaged: "),
    ],
)
def test_weights_that_are_none(name, spoil, due, networks, tmp_path, capfd):
    folder = shutil.copytree(networks, tmp_path / "copy")
    spoil(folder / name)
    source = folder / name.split("/")[0]
    line = complaint(
        capfd,
        "--mode=convert",
        *tiny_runs.as_flags(model="imagenet_learned_tiny", source=source, target=tmp_path / "t"),
    )
    assert due in line
    assert str(source) in line
    assert not (tmp_path / "t").exists()


@pytest.mark.parametrize("name", ["w.pickle", "hf", "w"])
@pytest.mark.parametrize(
    ("model", "change"), [("imagenet_learned_tiny", "head.num_classes=7"), ("flow_tiny", None)]
)
def test_weights_of_another_model(name, model, change, networks, tmp_path, capfd):
    """What differs is named: a shape, or the arrays that are missing or too many."""
    source = networks / name
    line = complaint(
        capfd,
        "--mode=convert",
        *tiny_runs.as_flags(
            model=model, source=source, target=tmp_path / "t", set=[change] if change else []
        ),
    )
    assert str(source) in line
    due = ("7", "10") if change else {"hf": ["architectures"], "w": ["absent"]}.get(name, ["lacks"])
    assert all(part in line for part in due), line


def test_weights_of_another_task_model(networks, base, tmp_path, capfd):
    data = tiny_runs.data_dir(base)
    for name in ("w.pickle", "hf", "w"):
        line = complaint(capfd, *evaluate_flags(data, tmp_path, checkpoint=networks / name))
        assert line


def test_targets_that_cannot_be(networks, tmp_path, capfd):
    (tmp_path / "old").mkdir()
    (tmp_path / "file").write_text("")
    for model, target, due in (
        ("imagenet_learned_tiny", "old", "exists already; name a new one"),
        ("imagenet_learned_tiny", "file/below", f"--target={tmp_path / 'file'}: cannot write"),
        ("imagenet_learned_tiny", "file/x.pickle", f"--target={tmp_path / 'file'}: cannot write"),
    ):
        line = complaint(
            capfd,
            "--mode=convert",
            *tiny_runs.as_flags(
                model=model, source=networks / "w.pickle", target=tmp_path / target
            ),
        )
        assert due in line
    weights.save(tmp_path / "light", random_weights(presets.preset("flow_light_tiny")), "orbax")
    line = complaint(
        capfd,
        "--mode=convert",
        *tiny_runs.as_flags(
            model="flow_light_tiny", source=tmp_path / "light", target=tmp_path / "x.pickle"
        ),
    )
    assert "choose --format=orbax" in line


def _npz(**arrays):
    return lambda path: np.savez(path, **arrays)


def _flipped(path):
    np.savez_compressed(path, images=np.random.default_rng(0).random((1, 32, 32, 3)))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)


def _single_array():
    buffer = io.BytesIO()
    np.save(buffer, IMAGES)
    return buffer.getvalue()


IMAGES = np.zeros((1, 32, 32, 3), np.float32)


@pytest.mark.parametrize(
    ("spoil", "due"),
    [
        (pathlib.Path.unlink, "no such file"),
        (_cut, "not a readable .npz file"),
        (_text, "not a readable .npz file"),
        (_flipped, "not a readable .npz file"),
        (lambda path: path.write_bytes(b""), "not a readable .npz file"),
        (lambda path: path.write_bytes(_single_array()), "not a readable .npz file"),
        (_npz(images=np.array([{}], dtype=object)), "not a readable .npz file"),
        (_npz(image=IMAGES), "it should hold images; missing ['images'], unknown ['image']"),
        (_npz(images=IMAGES, extra=IMAGES), "unknown ['extra']"),
        (_npz(images=IMAGES[0]), "images is [32, 32, 3], not ['any', 'any', 'any', 3]"),
        (_npz(images=np.full((1, 32, 32, 3), np.nan)), "images holds values that are not finite"),
        (_npz(images=np.full((1, 2, 2, 3), "a")), "values of type <U1; numbers are due"),
        (_npz(images=IMAGES[:0]), "images holds 0 values"),
        (_npz(images=np.zeros((1, 2, 2, 3), complex)), "of type complex128"),
    ],
)
def test_images(spoil, due, networks, tmp_path, capfd):
    path = tmp_path / "inputs.npz"
    shutil.copy(networks / "inputs.npz", path)
    spoil(path)
    line = complaint(
        capfd,
        "--mode=forward",
        *tiny_runs.as_flags(
            model="imagenet_learned_tiny",
            checkpoint=networks / "w",
            inputs=path,
            outputs=tmp_path / "o.npz",
        ),
    )
    assert line.startswith(f"--inputs={path}: ")
    assert due in line
    assert not (tmp_path / "o.npz").exists()


@pytest.fixture(scope="module")
def sequences(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sequences")
    for name in ("language_tiny", "multimodal_tiny"):
        weights.save(folder / name, random_weights(presets.preset(name)), "orbax")
    return folder


TOKENS = np.zeros((2, 64), np.int32)
SCENE = {
    "images": np.zeros((1, 2, 16, 16, 3), np.float32),
    "audio": np.zeros((1, 256, 1), np.float32),
}
POINTS = {"audio_points": np.zeros(3, int), "image_points": np.zeros(3, int)}


@pytest.mark.parametrize(
    ("model", "arrays", "due"),
    [
        ("language_tiny", {"inputs": TOKENS + 262}, "inputs must be ids from 0 to 261"),
        ("language_tiny", {"inputs": TOKENS - 1}, "inputs must be ids from 0 to 261"),
        ("language_tiny", {"inputs": TOKENS + 0.5}, "inputs must be ids from 0 to 261"),
        ("language_tiny", {"inputs": np.zeros((1, 65), int)}, "65 tokens, at most 64 are possible"),
        ("language_tiny", {"inputs": TOKENS, "input_mask": TOKENS[:1]}, "must have the shape of"),
        ("language_tiny", {"input_mask": TOKENS}, "missing ['inputs']"),
        ("multimodal_tiny", {"images": SCENE["images"]}, "missing ['audio']"),
        ("multimodal_tiny", {**SCENE, "audio_points": POINTS["audio_points"]}, "give both"),
        (
            "multimodal_tiny",
            {**SCENE, "audio": np.zeros((2, 256, 1))},
            "the network takes no such arrays",
        ),
        (
            "multimodal_tiny",
            {**SCENE, **POINTS, "image_points": np.array([512])},
            "image_points must be from 0 to 511",
        ),
    ],
)
def test_sequences(model, arrays, due, sequences, tmp_path, capfd):
    np.savez(tmp_path / "inputs.npz", **arrays)
    line = complaint(
        capfd,
        "--mode=forward",
        *tiny_runs.as_flags(
            model=model,
            checkpoint=sequences / model,
            inputs=tmp_path / "inputs.npz",
            outputs=tmp_path / "o.npz",
        ),
    )
    assert due in line


def test_outputs_that_cannot_be_written(networks, tmp_path, capfd):
    (tmp_path / "file").write_text("")
    line = complaint(
        capfd,
        "--mode=forward",
        *tiny_runs.as_flags(
            model="imagenet_learned_tiny",
            checkpoint=networks / "w",
            inputs=networks / "inputs.npz",
            outputs=tmp_path / "file" / "o.npz",
        ),
    )
    assert line.startswith(f"{tmp_path / 'file' / 'o.npz'}: cannot be written: ")
