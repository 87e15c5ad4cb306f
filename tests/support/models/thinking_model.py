"""A tiny model that thinks: random weights, the tokenizer of the embedded model, and a chat template like Qwen3's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rag.adapters import model_files
from rag.config import Settings

MARKS = ("<think>", "</think>", "<tool_call>", "</tool_call>")
"""Tokens of the vocabulary, as in Qwen3's."""
GAP_MARKS = ("<fim_prefix>", "<fim_suffix>", "<fim_middle>")
"""Tokens for inserting text, as in StarCoder's."""
TEMPLATE = """{%- for message in messages %}
{%- set content = message.content %}
{%- if message.role == "assistant" %}{%- set content = content.split("</think>")[-1] %}{%- endif %}
{{- "<|im_start|>" + message.role + "\\n" + content + "<|im_end|>\\n" }}
{%- endfor %}
{%- if add_generation_prompt %}
{{- "<|im_start|>assistant\\n" }}
{%- if enable_thinking is defined %}
{{- "<think>\\n" if enable_thinking else "<think>\\n\\n</think>\\n\\n" }}
{%- endif %}
{%- endif %}"""
"""With `enable_thinking`, the prompt begins the thinking, as that of the Thinking-2507 models does."""


def a_thinking_tokenizer(folder: Path) -> str:
    """The tokenizer alone."""
    tokenizer = _transformers().AutoTokenizer.from_pretrained(model_files.llm_folder(Settings()))
    tokenizer.add_tokens([*MARKS, *GAP_MARKS])
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    return str(folder)


def a_thinking_model(folder: Path) -> str:
    """A model of two layers with 64 dimensions, which a test drives by structured outputs and biases."""
    import torch

    library = _transformers()
    a_thinking_tokenizer(folder)
    tokenizer = library.AutoTokenizer.from_pretrained(folder)
    torch.manual_seed(7)
    config = library.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=32,
        max_position_embeddings=2048,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        tie_word_embeddings=True,
    )
    library.LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    return str(folder)


def _transformers() -> Any:
    import transformers

    return transformers
