"""Builds real models of sentence-transformers that are small, untrained and quick to load."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rag.adapters import model_files
from rag.config import Settings

_SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 128,
}


def embedded_encoder() -> str:
    return model_files.embedder_folder(Settings())


def a_static_sparse_encoder(folder: Path, **options: Any) -> str:
    """An inference-free sparse model: one weight for each token of the vocabulary, higher for rarer tokens."""
    import torch
    from sentence_transformers import SparseEncoder
    from sentence_transformers.sparse_encoder.modules import SparseStaticEmbedding

    tokenizer = _tokenizer()
    weights = torch.arange(len(tokenizer.get_vocab())) / 5000 - 0.4  # words are in order of frequency: `the` is below 0
    model = SparseEncoder(modules=[SparseStaticEmbedding(tokenizer, weights, frozen=True)], device="cpu", **options)
    model.save(str(folder))
    return str(folder)


def a_splade(folder: Path, **options: Any) -> str:
    """A sparse model with a transformer for queries and passages, which weights all terms of its vocabulary."""
    from sentence_transformers import SparseEncoder
    from sentence_transformers.base.modules import Transformer
    from sentence_transformers.sparse_encoder.modules import SpladePooling

    transformer = Transformer(a_masked_language_model(folder / "masked"), transformer_task="fill-mask")
    model = SparseEncoder(modules=[transformer, SpladePooling()], device="cpu", **options)
    model.save(str(folder / "splade"))
    return str(folder / "splade")


def an_inference_free_splade(folder: Path) -> str:
    """A sparse model with fixed token weights for queries and a transformer for passages."""
    import torch
    from sentence_transformers import SparseEncoder
    from sentence_transformers.base.modules import Router, Transformer
    from sentence_transformers.sparse_encoder.modules import SparseStaticEmbedding, SpladePooling

    tokenizer = _tokenizer()
    static = SparseStaticEmbedding(tokenizer, torch.ones(len(tokenizer.get_vocab())), frozen=True)
    transformer = Transformer(a_masked_language_model(folder / "masked"), transformer_task="fill-mask")
    router = Router.for_query_document(query_modules=[static], document_modules=[transformer, SpladePooling()])
    SparseEncoder(modules=[router], device="cpu").save(str(folder / "router"))
    return str(folder / "router")


def a_masked_language_model(folder: Path) -> str:
    """A masked language model as transformers saves it, without a list of modules. It predicts the words of the text
    and random others.
    """
    import torch

    tokenizer, library = _tokenizer(), _transformers()
    torch.manual_seed(1)
    model = library.BertForMaskedLM(library.BertConfig(vocab_size=len(tokenizer), **_SIZES))
    model.bert.embeddings.word_embeddings.weight.data.normal_()
    torch.nn.init.eye_(model.cls.predictions.transform.dense.weight)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def a_cross_encoder(folder: Path, *, labels: int = 1, activation: str | None = None, scale: float = 1.0) -> str:
    """A cross-encoder as transformers saves it.

    Args:
        activation: Import path of the activation function that the model's configuration names.
        scale: Scale of the weights. A larger one spreads the scores.
    """
    import torch

    tokenizer, library = _tokenizer(), _transformers()
    torch.manual_seed(1)
    config = library.BertConfig(vocab_size=len(tokenizer), num_labels=labels, **_SIZES)
    if activation is not None:
        config.sentence_transformers = {"activation_fn": activation}
    model = library.BertForSequenceClassification(config)
    model.classifier.weight.data *= scale
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def a_static_encoder(folder: Path) -> str:
    """A bi-encoder without a transformer, so it has no contextual token vectors."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    static = StaticEmbedding(_tokenizer(), embedding_dim=16)
    SentenceTransformer(modules=[static], device="cpu").save(str(folder))
    return str(folder)


def _tokenizer() -> Any:
    return _transformers().AutoTokenizer.from_pretrained(embedded_encoder())


def _transformers() -> Any:
    """The package `transformers`, as `Any`, because its classes have few type annotations."""
    import transformers

    return transformers
