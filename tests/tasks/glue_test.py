# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import dataclasses
import pickle

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from perceiver_bench.tasks.glue import common, scores, specs
from perceiver_bench.tasks.glue.presets import presets

from perceiver_bench import errors, registry
from perceiver_bench.data import text
from perceiver_bench.model.presets import PRESETS

NAMES = [name for name in specs.SPECS if name != "ax"]
TASK = registry.get("glue/sst2")
PAIRS = registry.get("glue/mrpc")
BYTES = TASK.presets["tiny"].data
PIECES = TASK.presets["tiny_sentencepiece"].data
TEXTS = ["the film is good", "its plot is not bad", "a score of six", "what a warm day"]
CLS, SEP = 4, 5


def examples(*rows):
    return [{"texts": texts, "label": label, "index": i} for i, (*texts, label) in enumerate(rows)]


def prepared(task, config, example, assets=None):
    return task.preprocess(config, assets or {})(example, None)


def test_a_sentence_loses_its_trailing_space_and_is_padded_and_masked():
    config = dataclasses.replace(BYTES, max_length=5)
    arrays = prepared(TASK, config, {"texts": ("ab \t",), "label": 1, "index": 0})
    assert arrays["inputs"].tolist() == [97 + 6, 98 + 6, 0, 0, 0]
    assert arrays["input_mask"].tolist() == [1, 1, 0, 0, 0]
    assert arrays["label"] == 1
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.int32)}


def test_a_long_sentence_is_cut():
    config = dataclasses.replace(BYTES, max_length=4)
    arrays = prepared(TASK, config, {"texts": ("abcdef",), "label": 0, "index": 0})
    assert arrays["inputs"].tolist() == [103, 104, 105, 106]
    assert arrays["input_mask"].sum() == 4


def test_an_example_without_a_label_has_none():
    assert prepared(TASK, BYTES, {"texts": ("a",), "index": 0}).keys() == {"inputs", "input_mask"}


def test_a_pair_is_joined_by_the_separator_of_its_tokenizer():
    example = {"texts": ("ab ", "c"), "label": 0, "index": 0}
    config = dataclasses.replace(BYTES, max_length=6)
    assert prepared(PAIRS, config, example)["inputs"].tolist() == [103, 104, SEP, 105, 0, 0]
    model = text.train_sentencepiece(TEXTS, 40)
    tokenizer = text.SentencePieceTokenizer(model)
    example = {"texts": (TEXTS[0], TEXTS[1] + " "), "label": 0, "index": 0}
    arrays = prepared(PAIRS, PIECES, example, {"tokenizer.model": model})
    ids = arrays["inputs"][arrays["input_mask"] == 1]
    (place,) = np.flatnonzero(ids == tokenizer.special_id("SEP"))
    assert tokenizer.decode(ids[:place]) == TEXTS[0]
    assert tokenizer.decode(ids[place + 1 :]) == TEXTS[1]


def test_a_model_without_a_separator_is_told():
    model = text.train_sentencepiece(TEXTS, 40)
    assert b"[SEP]" in model
    model = model.replace(b"[SEP]", b"[PES]")
    TASK.preprocess(PIECES, {"tokenizer.model": model})  # a single sentence needs none
    with pytest.raises(errors.UserError, match=r"data\.model: it has no piece \[SEP\]"):
        PAIRS.preprocess(PIECES, {"tokenizer.model": model})


def truncated_as_by_bert(first, second, max_length):
    """`_truncate_seq_pair` of BERT's create_pretraining_data, and the separator."""
    first, second = list(first), list(second)
    while len(first) + len(second) > max_length - 1:
        (first if len(first) > len(second) else second).pop()
    return [*first, SEP, *second]


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 40))
def test_a_long_pair_is_cut_as_by_bert(num_first, num_second, max_length):
    first, second = np.arange(10, 10 + num_first), np.arange(60, 60 + num_second)
    joined = common.join(first, second, SEP, max_length)
    assert joined.tolist() == truncated_as_by_bert(first, second, max_length)


def test_both_sentences_of_a_long_pair_survive():
    config = dataclasses.replace(BYTES, max_length=8)
    example = {"texts": ("a" * 9000, "bc"), "label": 0, "index": 0}
    assert prepared(PAIRS, config, example)["inputs"].tolist() == [103] * 5 + [SEP, 104, 105]


def test_preprocess_with_pieces_can_be_sent_to_a_worker():
    model = {"tokenizer.model": text.train_sentencepiece(TEXTS, 40)}
    for task in (TASK, PAIRS):
        prepare = task.preprocess(PIECES, model)
        example = {"texts": (TEXTS[0], TEXTS[1])[: 1 + (task is PAIRS)], "label": 1, "index": 0}
        arrays = prepare(example, None)
        again = pickle.loads(pickle.dumps(prepare))(example, None)
        assert arrays["inputs"].shape == (PIECES.max_length,)
        for name, array in arrays.items():
            np.testing.assert_array_equal(again[name], array)


def test_bytes_need_no_assets_and_pieces_are_trained_the_same_from_both_sentences():
    train = examples(("good film", "kind zebra", 1), ("plot", "warm day", 0))
    assert PAIRS.prepare_assets(BYTES, lambda: pytest.fail("read")) == {}
    assets = PAIRS.prepare_assets(PIECES, lambda: train)
    assert list(assets) == ["tokenizer.model"]
    assert PAIRS.prepare_assets(PIECES, lambda: train) == assets
    tokenizer = text.SentencePieceTokenizer(assets["tokenizer.model"])
    assert 1 not in tokenizer.encode("zebra film")  # no letter is unknown


def test_a_named_model_is_taken_as_it_is_and_has_to_agree_in_size(tmp_path):
    model = text.train_sentencepiece(TEXTS, 40)
    (tmp_path / "t.model").write_bytes(model)
    size = text.SentencePieceTokenizer(model).vocab_size
    config = dataclasses.replace(PIECES, model=str(tmp_path / "t.model"), vocab_size=size)
    assert TASK.prepare_assets(config, lambda: []) == {"tokenizer.model": model}
    for other in (size - 1, size + 1):
        config = dataclasses.replace(config, vocab_size=other)
        message = rf"data\.model=.*t\.model: it has {size} pieces.*data\.vocab_size.*{other}"
        with pytest.raises(errors.UserError, match=message):
            TASK.prepare_assets(config, lambda: [])


def test_a_model_that_cannot_serve_is_named(tmp_path):
    absent = dataclasses.replace(PIECES, model=str(tmp_path / "absent.model"))
    with pytest.raises(errors.UserError, match=r"data\.model=.*absent\.model: cannot be read"):
        TASK.prepare_assets(absent, lambda: [])
    (tmp_path / "broken.model").write_bytes(b"not a model")
    broken = dataclasses.replace(PIECES, model=str(tmp_path / "broken.model"))
    with pytest.raises(errors.UserError, match=r"data\.model"):
        TASK.prepare_assets(broken, lambda: [])


@pytest.mark.parametrize("name", NAMES)
def test_presets_agree_with_themselves_and_with_the_labels(name):
    task, spec = registry.get(f"glue/{name}"), specs.SPECS[name]
    for config in task.presets.values():
        assert config.model.input.vocab_size == config.data.vocab_size
        assert config.model.input.max_length == config.data.max_length
        assert config.model.head.num_outputs == len(spec.labels or "1")
    assert list(task.presets) == list(TASK.presets)


def test_base_presets_are_the_papers():
    for name, network in (
        ("base", "language"),
        ("sentencepiece_base", "language_sentencepiece"),
        ("base_plus", "language_plus"),
    ):
        config = PAIRS.presets[name]
        model, recipe, papers = config.model, config.train, PRESETS[network]()
        assert (model.input, model.encoder) == (papers.input, papers.encoder)
        assert model.decoder == papers.decoder
        assert model.query.channels == papers.query.channels == 768
        assert (recipe.steps, recipe.epochs, recipe.batch_size) == (0, 10, 32)
        assert (recipe.optimizer.name, recipe.optimizer.learning_rate) == ("lamb", 2e-5)
        assert (recipe.optimizer.warmup_steps, recipe.optimizer.weight_decay) == (200, 0.01)


@pytest.mark.parametrize("name", NAMES)
def test_the_grid_is_the_papers_twelve(name):
    sweep = registry.get(f"glue/{name}").sweep
    assert [list(map(float, values)) for values in sweep.values()] == [
        [16, 32, 64],
        [1e-4, 5e-5, 2e-5, 1e-5],
    ]
    assert list(sweep) == ["train.batch_size", "train.optimizer.learning_rate"]


def test_pairs_have_room_for_two_sentences():
    one, two = (presets(2, are_pairs=are_pairs) for are_pairs in (False, True))
    for name in ("small", "bytes_small"):
        assert two[name].data.max_length == 2 * one[name].data.max_length
    for name in ("tiny", "base"):  # room enough for pairs of the demo, and as in the paper
        assert two[name] == one[name]


def test_mismatched_mnli_evaluates_models_of_matched_mnli():
    matched, mismatched = (registry.get(f"glue/mnli_{kind}matched") for kind in ("", "mis"))
    assert mismatched.trained_as == matched.name
    assert mismatched.presets == matched.presets


def test_majority_predicts_the_commonest_class_with_its_frequency():
    train = examples(*(("", label) for label in (1, 1, 1, 0, 1, 1, 1, 1)))
    logits = TASK.baselines["majority"](train, train[:3], None)["logits"]
    np.testing.assert_allclose(np.exp(logits), [[0.2, 0.8]] * 3, rtol=1e-6)
    matched = registry.get("glue/mnli_matched")
    train = examples(*(("", "", label) for label in (2, 2, 1)))
    logits = matched.baselines["majority"](train, train[:2], None)["logits"]
    np.testing.assert_allclose(np.exp(logits), [[1 / 6, 2 / 6, 3 / 6]] * 2, rtol=1e-6)


def test_the_majority_of_scores_is_their_mean():
    task = registry.get("glue/stsb")
    train = examples(*(("", "", score) for score in (5.0, 4.0, 0.0)))
    logits = task.baselines["majority"](train, train[:2], None)["logits"]
    np.testing.assert_allclose(scores.to_score(logits), [[3.0]] * 2, rtol=1e-6)


def test_bag_of_words_learns_words_of_either_sentence_and_shared_ones():
    train = examples(("good", 1), ("bad", 0))
    logits = TASK.baselines["bag_of_words"](train, train, None)["logits"]
    assert logits.argmax(-1).tolist() == [1, 0]
    words = [f"word{i}" for i in range(8)]
    train = examples(*((word, other, 0) for word in words for other in words if word != other))
    train += examples(*((word, word, 1) for word in words)) * 7
    logits = PAIRS.baselines["bag_of_words"](train, train, None)["logits"]
    assert logits.argmax(-1).tolist() == [example["label"] for example in train]
    order = examples(("one", "two", 1), ("two", "one", 0))
    logits = PAIRS.baselines["bag_of_words"](order, order, None)["logits"]
    assert logits.argmax(-1).tolist() == [1, 0]


@pytest.mark.parametrize("rows", [(("good", 0), ("fine", 0)), ((". .", 0), ("!", 1))])
def test_bag_of_words_says_what_training_data_lacks(rows):
    train = examples(*rows)
    with pytest.raises(errors.UserError, match="baseline:bag_of_words"):
        TASK.baselines["bag_of_words"](train, train, None)


@given(st.floats(0, 5))
def test_the_output_that_stands_for_a_score_is_between_minus_one_and_one(score):
    output = scores.to_output(score)
    assert output.dtype == np.float32
    assert -1 <= output <= 1
    assert scores.to_score(output) == pytest.approx(score, abs=1e-6)


def test_the_loss_of_a_score_is_its_squared_error():
    task = registry.get("glue/stsb")
    true, said = np.array([0.0, 2.5, 4.2]), np.array([5.0, 2.0, 4.2])
    prediction = {"logits": scores.to_output(said)[:, None]}
    batch = {
        "label": np.stack(
            [
                prepared(task, BYTES, e)["label"]
                for e in examples(*(("a", "b", score) for score in true))
            ]
        )
    }
    np.testing.assert_allclose(task.loss(prediction, batch, 0.0), [25, 0.25, 0], atol=1e-5)
    metric = task.metrics["squared_error"]
    rows = jax.jit(metric.rows)(prediction, batch)
    assert metric.pooling.value(rows) == pytest.approx(25.25 / 3)
    with pytest.raises(errors.UserError, match=r"train\.label_smoothing=0\.1: a score has no"):
        task.loss(prediction, batch, 0.1)


def test_metrics_are_named_as_in_the_published_rows():
    found = {name: list(registry.get(f"glue/{name}").metrics) for name in NAMES}
    accuracy = ["accuracy", "cross_entropy"]
    assert found == {
        **dict.fromkeys(NAMES, accuracy),
        "cola": ["matthews_correlation", *accuracy],
        "mrpc": ["accuracy", "f1", "cross_entropy"],
        "qqp": ["accuracy", "f1", "cross_entropy"],
        "stsb": ["pearson_correlation", "spearman_correlation", "squared_error"],
    }
