"""A tiny model that sees: Idefics3 (as in SmolVLM) with random weights and the tokenizer of the embedded model."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from rag.adapters import model_files
from rag.config import Settings

IMAGE_TOKEN = "<image>"
TOKENS_OF_AN_IMAGE = 7
"""Four for its content, and three that mark where it begins and ends."""
_SIDE, _PATCH, _SCALE = 32, 8, 2
"""Pixels of the square to which each image is scaled, and of a patch; patches per side that make one token."""
TEMPLATE = """{%- for message in messages %}
{{- "<|im_start|>" + message.role + "\\n" }}
{%- for part in message.content %}
{%- if part.type == "image" %}{{- "<image>" }}{%- elif part.type == "text" %}{{- part.text }}{%- endif %}
{%- endfor %}
{{- "<|im_end|>\\n" }}
{%- endfor %}
{%- if add_generation_prompt %}
{{- "<|im_start|>assistant\\n" }}
{%- endif %}"""
"""Like SmolVLM's, it reads contents as lists of parts only."""


def a_vision_tokenizer(folder: Path) -> Any:
    """The tokenizer, which is also saved in the folder."""
    library = _transformers()
    tokenizer = library.AutoTokenizer.from_pretrained(model_files.llm_folder(Settings()))
    marks = ["<fake_token_around_image>", IMAGE_TOKEN, "<end_of_utterance>", "<global-img>"]
    tokenizer.add_tokens(marks, special_tokens=True)
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    return tokenizer


def a_vision_model(folder: Path) -> str:
    import torch

    library = _transformers()
    tokenizer = a_vision_tokenizer(folder)
    edge = {"longest_edge": _SIDE}
    images = library.Idefics3ImageProcessorPil(size=edge, max_image_size=edge, do_image_splitting=False)
    tokens = (_SIDE // _PATCH // _SCALE) ** 2
    library.Idefics3Processor(images, tokenizer, image_seq_len=tokens, chat_template=TEMPLATE).save_pretrained(folder)
    torch.manual_seed(7)
    model = library.Idefics3ForConditionalGeneration(_config(library, tokenizer))
    for name, weights in model.named_parameters():  # larger than usual, so that an image shows in the probabilities
        if "norm" not in name:
            torch.nn.init.normal_(weights, std=0.2)
    model.to(torch.bfloat16).save_pretrained(folder)
    return str(folder)


def _config(library: Any, tokenizer: Any) -> Any:
    layers = {"num_hidden_layers": 2, "num_attention_heads": 2}
    return library.Idefics3Config(
        vision_config={
            **layers, "hidden_size": 32, "intermediate_size": 64, "image_size": _SIDE, "patch_size": _PATCH,
        },
        text_config={
            **layers, "model_type": "llama", "vocab_size": len(tokenizer), "hidden_size": 64, "intermediate_size": 128,
            "num_key_value_heads": 2, "head_dim": 32, "max_position_embeddings": 2048,
            "bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
        },
        image_token_id=tokenizer.convert_tokens_to_ids(IMAGE_TOKEN),
        scale_factor=_SCALE,
        pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip


def a_png(color: str, *, side: int = 32) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (side, side), color).save(file, "PNG")
    return file.getvalue()


def _transformers() -> Any:
    import transformers

    return transformers
