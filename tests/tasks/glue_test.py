# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import dataclasses
import pathlib
import pickle

import numpy as np
import pytest

from perceiver_bench import errors, registry
from perceiver_bench.data import text

TASK = registry.get("glue/sst2")
REAL = pathlib.Path(__file__).parents[2] / "../shared/data/glue/glue_data"
needs_real_data = pytest.mark.skipif(
    not (REAL / "SST-2").is_dir(), reason="SST-2 is not at ../shared/data/glue/glue_data"
)
BYTES = TASK.presets["tiny"].data
PIECES = TASK.presets["tiny_sentencepiece"].data


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    TASK.write_demo(folder, 0)
    return folder


@pytest.fixture(scope="module")
def train(demo):
    return TASK.source(demo, "train")


@pytest.fixture(scope="module")
def dev(demo):
    return TASK.source(demo, "dev")


def scores(baseline, train, dev):
    prediction = TASK.baselines[baseline](train, dev)
    batch = {"label": np.array([example["label"] for example in dev])}
    return {
        name: metric.pooling.value(metric.rows(prediction, batch))
        for name, metric in TASK.metrics.items()
    }


def test_demo_has_the_true_format_and_balanced_labels(demo, train, dev):
    for source, rows in ((train, 2000), (dev, 400)):
        assert source.fingerprint["num_examples"] == rows
        assert source.fingerprint["label_counts"] == {"0": rows // 2, "1": rows // 2}
    lines = (demo / "SST-2" / "dev.tsv").read_bytes().split(b"\n")
    assert lines[0] == b"sentence\tlabel"
    assert all(line[-4:] in (b". \t0", b". \t1") for line in lines[1:-1])


def test_demo_repeats_no_sentence_and_keeps_dev_apart(train, dev):
    sentences = [example["sentence"] for source in (train, dev) for example in source]
    assert len(set(sentences)) == len(sentences) == 2400


def test_demo_depends_on_the_seed_alone(demo, tmp_path):
    for seed in (0, 1):
        TASK.write_demo(tmp_path / str(seed), seed)
    for file in ("SST-2/train.tsv", "SST-2/dev.tsv"):
        assert (tmp_path / "0" / file).read_bytes() == (demo / file).read_bytes()
        assert (tmp_path / "1" / file).read_bytes() != (demo / file).read_bytes()


def test_demo_label_follows_the_last_clause_and_its_negation(dev):
    positive = {"good", "moving", "funny", "clever", "charming", "fresh", "lovely", "sharp"}
    positive |= {"warm", "bold"}
    negations = ("not", "hardly", "never", "far from", "anything but", "scarcely")
    for example in dev:
        clause = example["sentence"].removesuffix(" . ").split(" but the ")[-1]
        clause = clause.split(" but this ")[-1].split(" but its ")[-1]
        negated = any(f" {negation} " in clause for negation in negations)
        assert example["label"] == ((clause.split()[-1] in positive) != negated), example


def test_demo_cannot_be_solved_by_single_words(train, dev):
    assert scores("majority", train, dev)["accuracy"] == 50
    assert 60 < scores("bag_of_words", train, dev)["accuracy"] < 80


@pytest.mark.parametrize("preset", ["tiny", "tiny_sentencepiece"])
def test_demo_sentences_fit_the_tiny_presets(train, dev, preset):
    config = TASK.presets[preset].data
    assets = TASK.prepare_assets(config, train)
    tokenizer = text.make_tokenizer(config, assets)
    lengths = [len(tokenizer.encode(x["sentence"].rstrip())) for s in (train, dev) for x in s]
    assert max(lengths) <= config.max_length


def test_preprocess_drops_the_trailing_space_pads_and_masks():
    config = dataclasses.replace(BYTES, max_length=5)
    arrays = TASK.preprocess(config, {})({"sentence": "ab \t", "label": 1, "index": 0})
    assert arrays["inputs"].tolist() == [97 + 6, 98 + 6, 0, 0, 0]
    assert arrays["input_mask"].tolist() == [1, 1, 0, 0, 0]
    assert arrays["label"] == 1
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.int32)}


def test_preprocess_truncates_long_text():
    config = dataclasses.replace(BYTES, max_length=4)
    arrays = TASK.preprocess(config, {})({"sentence": "abcdef", "label": 0, "index": 0})
    assert arrays["inputs"].tolist() == [103, 104, 105, 106]
    assert arrays["input_mask"].sum() == 4


def test_preprocess_with_pieces_can_be_sent_to_a_worker(train):
    prepare = TASK.preprocess(PIECES, TASK.prepare_assets(PIECES, train))
    arrays, again = prepare(train[0]), pickle.loads(pickle.dumps(prepare))(train[0])
    assert arrays["inputs"].shape == (PIECES.max_length,)
    assert 0 < arrays["input_mask"].sum() < PIECES.max_length
    for name, array in arrays.items():
        np.testing.assert_array_equal(again[name], array)


def test_bytes_need_no_assets_and_pieces_are_trained_the_same_every_time(train):
    assert TASK.prepare_assets(BYTES, train) == {}
    assets = TASK.prepare_assets(PIECES, train)
    assert list(assets) == ["tokenizer.model"]
    assert TASK.prepare_assets(PIECES, train) == assets


def test_a_named_model_is_taken_as_it_is(train, tmp_path):
    model = text.train_sentencepiece(["another text"], 30)
    (tmp_path / "t.model").write_bytes(model)
    config = dataclasses.replace(PIECES, model=str(tmp_path / "t.model"))
    assert TASK.prepare_assets(config, train) == {"tokenizer.model": model}


def test_a_model_that_cannot_serve_is_named(train, tmp_path):
    absent = dataclasses.replace(PIECES, model=str(tmp_path / "absent.model"))
    with pytest.raises(errors.UserError, match=r"data\.model=.*absent\.model: cannot be read"):
        TASK.prepare_assets(absent, train)
    (tmp_path / "broken.model").write_bytes(b"not a model")
    broken = dataclasses.replace(PIECES, model=str(tmp_path / "broken.model"))
    with pytest.raises(errors.UserError, match=r"data\.model"):
        TASK.prepare_assets(broken, train)


def test_missing_files_tell_the_layout(tmp_path):
    with pytest.raises(errors.UserError, match=r"--data_dir=.*SST-2/train\.tsv and SST-2/dev\.tsv"):
        TASK.source(tmp_path, "dev")


@pytest.mark.parametrize("preset", TASK.presets)
def test_presets_agree_with_themselves(preset):
    config = TASK.presets[preset]
    assert config.model.input.vocab_size == config.data.vocab_size
    assert config.model.input.max_length == config.data.max_length
    assert config.model.head.num_outputs == 2


def test_base_presets_are_the_papers():
    for name, tokens, size in (("base", 2048, 262), ("sentencepiece_base", 512, 32_000)):
        model, recipe = TASK.presets[name].model, TASK.presets[name].train
        assert (model.input.max_length, model.input.vocab_size) == (tokens, size)
        assert (model.encoder.num_latents, model.encoder.latent_channels) == (256, 1280)
        assert model.encoder.num_layers == 26
        assert recipe.steps * recipe.batch_size == pytest.approx(10 * 67_349, abs=recipe.batch_size)
        assert (recipe.optimizer.name, recipe.optimizer.learning_rate) == ("lamb", 2e-5)


def test_majority_predicts_the_commonest_class_with_its_frequency():
    train = [{"sentence": "", "label": label} for label in (1, 1, 1, 0, 1, 1, 1, 1)]
    logits = TASK.baselines["majority"](train, train[:3])["logits"]
    np.testing.assert_allclose(np.exp(logits), [[0.2, 0.8]] * 3, rtol=1e-6)


def test_bag_of_words_is_deterministic_and_learns_words(train, dev):
    first = TASK.baselines["bag_of_words"](train, dev)["logits"]
    np.testing.assert_array_equal(first, TASK.baselines["bag_of_words"](train, dev)["logits"])
    assert first.shape == (400, 2)
    small = [{"sentence": word, "label": label} for word, label in (("good", 1), ("bad", 0))]
    assert scores("bag_of_words", small, small)["accuracy"] == 100


@pytest.mark.parametrize("words", [("good", "fine"), (". .", "!")])
def test_bag_of_words_says_what_training_data_lacks(words):
    train = [{"sentence": word, "label": i * (words[0] == ". .")} for i, word in enumerate(words)]
    with pytest.raises(errors.UserError, match="baseline:bag_of_words"):
        TASK.baselines["bag_of_words"](train, train)


@needs_real_data
def test_real_files_have_the_published_counts_and_the_known_bag_of_words_score():
    train, dev = (TASK.source(REAL, split) for split in TASK.splits)
    assert train.fingerprint["label_counts"] == {"0": 29_780, "1": 37_569}
    assert dev.fingerprint["label_counts"] == {"0": 428, "1": 444}
    assert (len(train), len(dev)) == (67_349, 872)
    assert dev[0]["sentence"] == "it 's a charming and often affecting journey . "
    assert scores("majority", train, dev)["accuracy"] == pytest.approx(100 * 444 / 872)
    assert scores("bag_of_words", train, dev)["accuracy"] == pytest.approx(81.88, abs=0.25)
