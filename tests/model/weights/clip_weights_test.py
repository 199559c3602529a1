# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""CLIP's weights from each format, compared by what the networks compute with them."""

import json
import shutil
import sys
import warnings

import numpy as np
import pytest
from flax import nnx
from random_networks import fast_jit
from safetensors.numpy import load_file, save_file

from perceiver_bench.errors import UserError
from perceiver_bench.model.clip_text import ClipTextConfig
from perceiver_bench.model.weights import clip

if sys.version_info >= (3, 12):
    for _name in ("torch", "transformers"):
        pytest.importorskip(_name, reason="the pinned torch has no build for this Python")
import clip_reference
import torch
import transformers
from clip_reference import CONTEXT, HEADS, LAYERS, PROJECTION, WIDTH

VOCAB_SIZE = 60
CONFIG = ClipTextConfig(
    vocab_size=VOCAB_SIZE,
    num_positions=CONTEXT,
    channels=WIDTH,
    num_heads=HEADS,
    num_layers=LAYERS,
    projection_channels=PROJECTION,
)


def batch(length):
    """Returns ids [4, length] of texts of several lengths, padded with zeros."""
    ids = np.random.default_rng(length).integers(0, VOCAB_SIZE - 2, (4, length))
    ids[:, 0] = VOCAB_SIZE - 2
    for row, end in enumerate(np.linspace(1, length - 1, 4).astype(int)):
        ids[row, end] = VOCAB_SIZE - 1
        ids[row, end + 1 :] = 0
    return ids


def run(network, ids):
    """Runs a network as one compiled program."""
    structure, state = nnx.split(network)
    return fast_jit(lambda state, ids: nnx.merge(structure, state)(ids))(state, ids)


def assert_near(ours, theirs, relative=1e-5):
    """Compares with the largest entry, as entries near zero are differences of large ones."""
    theirs = theirs.detach().numpy()
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=relative * np.abs(theirs).max())


@pytest.fixture(scope="module")
def openai():
    return clip_reference.Clip(VOCAB_SIZE).eval()


@pytest.fixture(scope="module")
def files(openai, tmp_path_factory):
    """Every file of OpenAI's kind, of one module. Nobody may change them."""
    folder = tmp_path_factory.mktemp("openai")
    example = torch.from_numpy(batch(CONTEXT))
    with warnings.catch_warnings():
        # TorchScript is deprecated; the release is such a file.
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(openai, example), folder / "traced.pt")
        torch.jit.save(torch.jit.script(openai), folder / "scripted.pt")
    torch.save(openai.state_dict(), folder / "state.pt")
    torch.save({k: v.half() for k, v in openai.state_dict().items()}, folder / "half.pt")
    return folder


def huggingface(cls, vocab_size=VOCAB_SIZE, **changes):
    """Returns a network of the transformers library with random weights."""
    text = transformers.CLIPTextConfig(
        vocab_size=vocab_size,
        hidden_size=WIDTH,
        intermediate_size=4 * WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        max_position_embeddings=CONTEXT,
        projection_dim=PROJECTION,
        bos_token_id=vocab_size - 2,
        eos_token_id=vocab_size - 1,
        **changes,
    )
    if cls is transformers.CLIPModel:
        vision = transformers.CLIPVisionConfig(
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=1,
            num_attention_heads=2,
            image_size=8,
            patch_size=4,
        )
        config = transformers.CLIPConfig(
            text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=PROJECTION
        )
        network = cls(config)
    else:
        network = cls(text)
    clip_reference.randomise(network)
    return network.eval()


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A Hugging Face folder of a text model. Nobody may change it."""
    folder = tmp_path_factory.mktemp("saved") / "text"
    huggingface(transformers.CLIPTextModelWithProjection).save_pretrained(folder)
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    """A copy of `saved` that a test may change."""
    return shutil.copytree(saved, tmp_path / "text")


@pytest.mark.parametrize("name", ["traced.pt", "scripted.pt", "state.pt"])
def test_openais_files_give_what_the_module_computes(name, openai, files):
    network = clip.load(files / name)
    assert network.config == CONFIG
    ids = batch(CONTEXT)
    tokens, sentence = openai(torch.from_numpy(ids))
    found = run(network, ids)
    assert_near(found.tokens, tokens)
    assert_near(found.sentence, sentence)


def test_half_precision_is_widened(openai, files):
    ids = batch(CONTEXT)
    found = run(clip.load(files / "half.pt"), ids)
    assert found.tokens.dtype == np.float32
    rounded = clip_reference.Clip(VOCAB_SIZE).eval()
    rounded.load_state_dict({k: v.half() for k, v in openai.state_dict().items()})
    assert_near(found.tokens, rounded(torch.from_numpy(ids))[0])


@pytest.mark.parametrize("eos", ["last", "argmax"])
def test_text_models_equal_the_transformers_library(eos, tmp_path):
    reference = huggingface(transformers.CLIPTextModel)
    if eos == "argmax":  # as the configurations of the first releases have it
        reference.eos_token_id = 2
    reference.save_pretrained(tmp_path)
    network = clip.load(tmp_path)
    assert network.config.projection_channels is None
    for length in (3, 7, CONTEXT):
        ids = batch(length)
        expected = reference(torch.from_numpy(ids))
        found = run(network, ids)
        assert_near(found.tokens, expected.last_hidden_state)
        assert_near(found.sentence, expected.pooler_output)


def test_projections_equal_the_transformers_library(saved):
    reference = transformers.CLIPTextModelWithProjection.from_pretrained(saved)
    ids = batch(CONTEXT)
    expected = reference(torch.from_numpy(ids))
    found = run(clip.load(saved), ids)
    assert_near(found.tokens, expected.last_hidden_state)
    assert_near(found.sentence, expected.text_embeds)


def test_a_whole_clip_gives_its_text_tower(tmp_path):
    reference = huggingface(transformers.CLIPModel)
    reference.save_pretrained(tmp_path)
    ids = batch(CONTEXT)
    network = clip.load(tmp_path)
    assert network.config == CONFIG
    expected = reference.get_text_features(torch.from_numpy(ids))
    assert_near(run(network, ids).sentence, expected.pooler_output)


def test_computed_positions_of_older_folders_are_left_out(folder):
    arrays = load_file(folder / "model.safetensors")
    arrays["text_model.embeddings.position_ids"] = np.arange(CONTEXT)[None]
    save_file(arrays, folder / "model.safetensors")
    assert clip.load(folder).config == CONFIG


EMBEDDING = "token_embedding.weight"
MAP = "transformer.resblocks.1.attn.in_proj_weight"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({MAP: None}, "it lacks transformer.resblocks.1.attn.in_proj:key.weight"),
        ({"ln_final.bias": None}, "it lacks ln_final.bias"),
        ({EMBEDDING: None}, "holds no text transformer of CLIP: it lacks token_embedding"),
        ({"more": torch.zeros(2)}, "it has unknown more"),
        ({"transformer.resblocks.5.ln_1.bias": torch.zeros(128)}, "it lacks transformer.resbl"),
        ({"ln_final.bias": torch.zeros(129)}, r"ln_final.bias \[129\] instead of \[128\]"),
        (
            {"transformer.resblocks.0.mlp.c_fc.weight": torch.zeros(128, 512)},
            r"resblocks.0.mlp.c_fc.weight \[128, 512\] instead of \[512, 128\]",
        ),
        ({MAP: torch.zeros(385, 128)}, r"has unknown .*in_proj_weight|lacks .*in_proj:key"),
        ({MAP: torch.zeros(390, 128)}, r"in_proj:query.weight \[130, 128\] instead of"),
        ({EMBEDDING: torch.zeros(60, 130)}, "130 channels, which is no multiple of 64"),
        ({EMBEDDING: torch.zeros(60)}, r"token_embedding.weight is \[60\] and no matrix"),
        ({EMBEDDING: torch.zeros(60, 0)}, r"token_embedding.weight is \[60, 0\] and no matrix"),
        ({"text_projection": torch.zeros(5)}, r"text_projection is \[5\] and no matrix"),
        ({"ln_final.bias": torch.zeros(128).long()}, "ln_final.bias of type int64"),
    ],
)
def test_another_network_is_refused(change, message, openai, tmp_path):
    state = dict(openai.state_dict()) | change
    state = {name: tensor for name, tensor in state.items() if tensor is not None}
    torch.save(state, tmp_path / "model.pt")
    with pytest.raises(UserError, match=message) as error:
        clip.load(tmp_path / "model.pt")
    assert str(error.value).startswith(str(tmp_path))


def test_a_state_dict_without_layers_is_refused(openai, tmp_path):
    state = {k: v for k, v in openai.state_dict().items() if "resblocks" not in k}
    torch.save(state, tmp_path / "model.pt")
    with pytest.raises(UserError, match=r"it lacks transformer.resblocks.0.attn.in_proj:key.bias"):
        clip.load(tmp_path / "model.pt")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"hidden_act": "gelu"}, "hidden_act is 'gelu'; .* has 'quick_gelu'"),
        ({"layer_norm_eps": 1e-6}, "layer_norm_eps is 1e-06"),
        ({"num_attention_heads": 3}, "num_attention_heads is 3, into which 128 channels do not"),
        ({"num_attention_heads": 0}, "num_attention_heads is 0"),
        ({"num_attention_heads": "2"}, "num_attention_heads is '2'"),
        ({"text_config": 3}, "text_config is no object"),
    ],
)
def test_another_configuration_is_refused(fields, message, folder):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))
    with pytest.raises(UserError, match=message):
        clip.load(folder)


def test_a_folder_of_something_else_is_refused(folder):
    arrays = load_file(folder / "model.safetensors")
    save_file({f"bert.{name}": leaf for name, leaf in arrays.items()}, folder / "model.safetensors")
    with pytest.raises(UserError, match="holds no text transformer of CLIP"):
        clip.load(folder)
    (folder / "config.json").unlink()
    with pytest.raises(UserError, match=r"config.json: cannot be read"):
        clip.load(folder)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"RN50.pt: cannot be read \(No such file"):
        clip.load(tmp_path / "RN50.pt")
