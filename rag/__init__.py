"""A BentoML service bundle for retrieval-augmented generation: Milvus finds, vLLM answers.

Importing it turns off the usage statistics that BentoML, vLLM and huggingface_hub would send, also in child processes.
"""

import os

__version__ = "0.1.0"

os.environ.update(
    {
        "BENTOML_DO_NOT_TRACK": "true",  # BentoML takes no other value for yes
        "DO_NOT_TRACK": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
)
