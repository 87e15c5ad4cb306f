"""docs/models.md: its names are vLLM's, and its calculations are correct."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
MODELS = ROOT / "docs" / "models.md"
GIB, KIB = 2**30, 2**10
BYTES = {"bf16": 2.0, "8 bits": 1.0, "4 bits": 0.5195}
"""With 4 bits, each group of 128 weights has a 16-bit scale and a 4-bit zero point."""
OVERHEAD_GIB, USED = 1.5, 0.9


@cache
def source(path: str) -> ast.Module:
    """A source file of vLLM. It is parsed, not imported, because importing takes ten seconds."""
    found = importlib.util.find_spec("vllm")
    assert found is not None
    assert found.submodule_search_locations
    return ast.parse((Path(found.submodule_search_locations[0]) / path).read_text())


def fields(path: str, *classes: str) -> set[str]:
    return {
        line.target.id
        for node in source(path).body
        if isinstance(node, ast.ClassDef) and node.name in classes
        for line in node.body
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)
    }


def words(path: str, name: str) -> set[str]:
    """The values of a `Literal`, or the keys of a dictionary."""
    for node in source(path).body:
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        if isinstance(target, ast.Name) and target.id == name:
            values = node.value.keys if isinstance(node.value, ast.Dict) else ast.walk(node.value)
            return {one.value for one in values if isinstance(one, ast.Constant) and isinstance(one.value, str)}
    raise AssertionError(f"{path} has no {name}")


def settings() -> Iterator[tuple[str, str, str]]:
    """Page, engine argument and value of every setting in the documentation."""
    for page in PAGES:
        for name, quoted, plain in re.findall(
            r"RAG_LLM__ENGINE__([A-Z_]+)(?:='([^']*)'|=([^\s`,'()]+))?", page.read_text()
        ):
            if name != "NAME":
                yield page.name, name.lower(), quoted or plain


def test_every_engine_argument_in_the_documentation_is_vllms() -> None:
    known = fields("engine/arg_utils.py", "EngineArgs", "AsyncEngineArgs")
    assert len(known) > 150
    named = {name for _, name, _ in settings()}
    assert {"tensor_parallel_size", "speculative_config", "max_model_len"} <= named
    assert named <= known


@pytest.mark.parametrize(
    ("argument", "path", "literal"),
    [
        ("quantization", "model_executor/layers/quantization/__init__.py", "QuantizationMethods"),
        ("kv_cache_dtype", "config/cache.py", "CacheDType"),
        ("dtype", "config/model.py", "ModelDType"),
        ("distributed_executor_backend", "config/parallel.py", "DistributedExecutorBackend"),
    ],
)
def test_their_values_are_vllms(argument: str, path: str, literal: str) -> None:
    used = {value for _, name, value in settings() if name == argument and value}
    assert used
    assert used <= words(path, literal)


def test_online_quantization_uses_a_method_that_supports_it() -> None:
    """`fp8` alone is only for models that already have 8 bits."""
    made = {value for page, name, value in settings() if page == MODELS.name and name == "quantization"}
    assert made
    assert made <= words("config/quantization.py", "_ONLINE_SHORTHANDS")


def test_speculative_configs_are_valid() -> None:
    known, methods = (
        fields("config/speculative.py", "SpeculativeConfig"),
        words("config/speculative.py", "SpeculativeMethod"),
    )
    values = [json.loads(value) for _, name, value in settings() if name == "speculative_config" and value]
    assert {value["method"] for value in values} == {"ngram", "draft_model"}
    for value in values:
        assert set(value) <= known
        assert value["method"] in methods


def rows(first: str) -> list[list[str]]:
    """Cells of the table whose header begins with `first`."""
    lines = MODELS.read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {first} |")) + 2
    table = lines[start : next(n for n in range(start, len(lines)) if not lines[n].startswith("|"))]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


@cache
def models() -> dict[str, tuple[float, float, int, int, int, int]]:
    """By model: parameters, embedding parameters, layers, KV heads, head size, context."""
    found = {}
    for name, total, embeddings, layers, heads, size, context, *_ in rows("model | parameters, 10^9"):
        found[name.split(" ")[0]] = (
            *(float(total) * 1e9, float(embeddings) * 1e9),
            *(int(layers), int(heads), int(size), int(context)),
        )
    return found


def weights_gib(model: str, kind: str) -> float:
    total, embeddings, *_ = models()[model]
    return ((total - embeddings) * BYTES[kind] + embeddings * 2) / GIB


def kv_bytes(model: str) -> int:
    _, _, layers, heads, size, _ = models()[model]
    return 2 * layers * heads * size * 2


def test_model_sizes() -> None:
    for name, *_, in_bf16, in_8, in_4, kv in rows("model | parameters, 10^9"):
        model = name.split(" ")[0]
        assert float(kv) == kv_bytes(model) / KIB, model
        for said, kind in ((in_bf16, "bf16"), (in_8, "8 bits"), (in_4, "4 bits")):
            assert not said or float(said) == round(weights_gib(model, kind), 1), (model, kind)


def test_memory_left_on_a_gpu() -> None:
    for model, kind, gpus, memory, weights, left, tokens in rows("model | weights"):
        on_each = weights_gib(model, kind) / int(gpus)
        free = float(memory) * USED - on_each - OVERHEAD_GIB
        fitting = free * GIB * int(gpus) / kv_bytes(model)
        assert float(weights) == round(on_each, 1), (model, kind)
        assert float(left) == round(free, 1), (model, kind)
        assert int(tokens.replace(",", "")) == int(fitting / 1000) * 1000, (model, kind, gpus)


def test_the_embedded_model_is_as_its_config_says(language_model: Path) -> None:
    config = json.loads((language_model / "config.json").read_text())
    _, _, layers, heads, size, context = models()["SmolLM2-135M-Instruct"]
    assert (layers, heads, size, context) == (
        config["num_hidden_layers"],
        config["num_key_value_heads"],
        config["head_dim"],
        config["max_position_embeddings"],
    )


def test_the_calculation_for_a_laptop() -> None:
    text = MODELS.read_text()
    assert f"{2 * GIB // kv_bytes('Qwen2.5-1.5B-Instruct'):,} tokens at 28 KiB" in text
    assert f"has {2 * GIB // kv_bytes('Qwen2.5-0.5B-Instruct'):,}" in text
