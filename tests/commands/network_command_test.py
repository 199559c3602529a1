# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""`--mode=forward`, `--mode=convert` and `--mode=list`."""

import itertools
import json

import jax
import numpy as np
import pytest
import tiny_runs
from random_networks import random_batch, random_weights

from perceiver_bench import overrides, registry
from perceiver_bench.commands import listing, network
from perceiver_bench.errors import UserError
from perceiver_bench.model import presets
from perceiver_bench.model.weights import mapping, official
from perceiver_bench.train import weights

FORMATS = {"official": "w.pickle", "huggingface": "hf", "orbax": "w"}
# The transformers library has fixed the heads of this decoder at 8, its queries at 256.
LANGUAGE_CHANGES = [
    *("encoder.num_latents=5", "encoder.latent_channels=64", "encoder.num_layers=2"),
    *("encoder.cross_attention.qk_channels=32", "encoder.cross_attention.v_channels=64"),
    *("encoder.self_attention.qk_channels=32", "encoder.self_attention.v_channels=64"),
    *("input.channels=32", "input.max_length=20", "query.channels=32", "query.max_length=20"),
    "decoder.cross_attention.v_channels=32",
]
# Of the convolutional network it has fixed the size of the positions.
MODELS = {
    "language": LANGUAGE_CHANGES,
    "imagenet_conv": ["encoder.latent_channels=64", "query.channels=64"],
    "imagenet_learned_tiny": [],
}


@pytest.fixture(scope="module")
def language(base, tmp_path_factory):
    """A folder with a language model in every format, its inputs and what is due for them."""
    del base  # turns on its cache of compiled code
    folder = tmp_path_factory.mktemp("language")
    config = overrides.apply(presets.preset("language"), LANGUAGE_CHANGES)
    network = random_weights(config)
    for kind, name in FORMATS.items():
        weights.save(folder / name, network, kind)
    batch = random_batch(config)
    np.savez(folder / "inputs.npz", **batch)
    model = mapping.to_model(network)
    return folder, jax.device_get(jax.jit(lambda model: model(batch))(model))


def forward(capfd, folder, outputs, checkpoint="w", **values):
    return tiny_runs.command(
        capfd,
        "--mode=forward",
        "--model=language",
        *tiny_runs.as_flags(
            checkpoint=folder / checkpoint,
            inputs=folder / "inputs.npz",
            outputs=outputs,
            set=LANGUAGE_CHANGES,
            **values,
        ),
    )


@pytest.mark.parametrize("kind", FORMATS)
def test_forward_is_the_network_in_every_format(kind, language, tmp_path, capfd):
    folder, expected = language
    code, output, errors = forward(capfd, folder, tmp_path / "o.npz", FORMATS[kind])
    assert (code, output) == (0, ""), errors
    with np.load(tmp_path / "o.npz") as archive:
        assert set(archive.files) == set(expected) == {"logits"}
        assert archive["logits"].dtype == np.float32
        np.testing.assert_allclose(archive["logits"], expected["logits"], rtol=1e-6, atol=1e-6)
    assert list(tmp_path.iterdir()) == [tmp_path / "o.npz"]


def test_forward_without_a_mask_takes_every_token(language, tmp_path, capfd):
    folder, expected = language
    with np.load(folder / "inputs.npz") as archive:
        np.savez(tmp_path / "inputs.npz", inputs=archive["inputs"])
    (tmp_path / "w.pickle").symlink_to(folder / "w.pickle")
    code, _, errors = forward(capfd, tmp_path, tmp_path / "o.npz", "w.pickle")
    assert code == 0, errors
    with np.load(tmp_path / "o.npz") as archive:  # the first text has no padding, the second has
        np.testing.assert_allclose(archive["logits"][0], expected["logits"][0], atol=1e-5)
        assert np.abs(archive["logits"][1] - expected["logits"][1]).max() > 0.1


def test_repeat_prints_one_line_of_json_and_nothing_else(language, tmp_path, capfd):
    code, output, _ = forward(capfd, language[0], tmp_path / "o.npz", repeat=3)
    assert code == 0
    assert output.endswith("}\n")
    assert len(output.splitlines()) == 1
    line = json.loads(output)
    assert set(line) == {"compile_seconds", "seconds", "peak_bytes"}
    assert 0 < line["seconds"] < 60
    assert 0 < line["compile_seconds"] < 600
    assert 2**27 < line["peak_bytes"] < 2**40


def test_forward_takes_points_and_gives_every_modality(tmp_path, capfd):
    config = presets.preset("multimodal_tiny")
    weights.save(tmp_path / "w", random_weights(config), "orbax")
    batch = random_batch(config)
    del batch["label"]
    wide = {"f": np.float64, "i": np.int64}
    arrays = {name: array.astype(wide[array.dtype.kind]) for name, array in batch.items()}
    np.savez(tmp_path / "inputs.npz", **arrays)
    code, _, errors = tiny_runs.command(
        capfd,
        "--mode=forward",
        "--model=multimodal_tiny",
        *tiny_runs.as_flags(
            checkpoint=tmp_path / "w", inputs=tmp_path / "inputs.npz", outputs=tmp_path / "o.npz"
        ),
    )
    assert code == 0, errors
    with np.load(tmp_path / "o.npz") as archive:
        shapes = {name: archive[name].shape for name in archive.files}
    assert shapes == {"audio": (2, 3 * 16), "image": (2, 3, 3), "label": (2, 10)}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("way", [("huggingface", "orbax"), ("orbax", "huggingface")])
def test_converting_around_the_circle_changes_no_bit(model, way, tmp_path, capfd):
    changes = MODELS[model]
    network = random_weights(overrides.apply(presets.preset(model), changes))
    official.save(tmp_path / "first.pickle", network)
    stations = ["first.pickle", *way, "last.pystate"]
    for source, target in itertools.pairwise(stations):
        kind = {"huggingface": "huggingface"}.get(target)
        arguments = tiny_runs.as_flags(
            model=model, source=tmp_path / source, target=tmp_path / target, set=changes
        )
        arguments += [f"--format={kind}"] if kind else []
        code, output, errors = tiny_runs.command(capfd, "--mode=convert", *arguments)
        assert (code, output) == (0, ""), errors
    assert (tmp_path / "last.pystate").read_bytes() == (tmp_path / "first.pickle").read_bytes()
    assert (tmp_path / "huggingface" / "model.safetensors").is_file()
    assert weights.detect_format(tmp_path / "orbax") == "orbax"
    assert len(list(tmp_path.iterdir())) == 4


def test_list_names_every_task_and_model_and_what_is_missing(base, tmp_path, capfd, monkeypatch):
    count = listing.num_params  # of all networks it takes seconds, so it is seen for one
    one = presets.preset("language")
    monkeypatch.setattr(listing, "num_params", lambda c: count(c) if c == one else 0)
    registry.names()
    monkeypatch.setitem(registry._UNAVAILABLE, "video", "pip install perceiver-bench[video]")
    code, output, _ = tiny_runs.command(capfd, "--mode=list")
    assert code == 0
    for name in registry.names():
        task = registry.get(name)
        assert f"\n  {name} " in output
        assert task.layout in output
        for part in (*task.presets, *task.metrics, *(f"baseline:{b}" for b in task.baselines)):
            assert part in output
    for name in presets.PRESETS:
        assert f"\n  {name} " in output
    assert "language                   201,108,230 parameters  released weights exist" in output
    assert "video  unavailable: pip install perceiver-bench[video]" in output

    code, output, _ = tiny_runs.command(capfd, "--mode=list", f"--data_dir={tmp_path}")
    assert code == 0
    assert f"missing: --data_dir={tmp_path}: it has no file SST-2/train.tsv" in output
    folder = tiny_runs.data_dir(base)
    code, output, _ = tiny_runs.command(capfd, "--mode=list", f"--data_dir={folder}")
    assert f"train {tiny_runs.NUM_TRAIN} examples, dev {tiny_runs.NUM_DEV} examples" in output


def test_list_says_what_a_checkpoint_is(language, capfd, monkeypatch):
    monkeypatch.setattr(listing, "num_params", lambda _: 0)
    for kind, name in FORMATS.items():
        path = language[0] / name
        output = tiny_runs.command(capfd, "--mode=list", f"--checkpoint={path}")[1]
        assert f"{path}: {kind}" in output


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (np.array([0]), "task must hold an integer for each row of inputs"),
        (np.array([0.0, 1.0]), "task must hold an integer for each row of inputs"),
        (np.array([0, 2]), "task must be from 0 to 1"),
        (np.array([-1, 0]), "task must be from 0 to 1"),
    ],
)
def test_tasks_of_a_network_with_task_tokens_are_checked(task, message, tmp_path):
    config = overrides.apply(presets.preset("language_tiny"), ["input.num_task_tokens=2"])
    path = tmp_path / "in.npz"
    tokens = np.zeros((2, 63), np.int32)
    np.savez(path, inputs=tokens, task=np.array([1, 0]))
    assert network.read_inputs(path, config)["task"].tolist() == [1, 0]
    np.savez(path, inputs=tokens, task=task)
    with pytest.raises(UserError, match=message):
        network.read_inputs(path, config)
    np.savez(path, inputs=tokens)
    with pytest.raises(UserError, match=r"missing \['task'\]"):
        network.read_inputs(path, config)
    np.savez(path, inputs=np.zeros((2, 64), np.int32), task=np.array([1, 0]))
    with pytest.raises(UserError, match="inputs has 64 tokens, at most 63 are possible"):
        network.read_inputs(path, config)
