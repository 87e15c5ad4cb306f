"""Options of ingestion: `RAG_INGEST__...`."""

from __future__ import annotations

from pydantic import Field

from rag.config.section import Section


class IngestSettings(Section):
    """How documents are read and split into chunks."""

    chunk_chars: int = Field(
        512,
        ge=64,
        le=16383,
        description="Maximum characters of a chunk, unless the vector store or the upload sets it.",
    )
    overlap: float = Field(
        0.1, ge=0, le=0.5, description="Fraction of a chunk that repeats the end of the previous chunk."
    )
    max_file_mib: int = Field(32, ge=1, description="Maximum size of an uploaded file in MiB.")
    max_request_mib: int = Field(128, ge=1, description="Maximum size of one upload with all its files in MiB.")
    jobs: int = Field(4, ge=1, le=64, description="Jobs of one vector store that run at the same time.")
    parse_timeout_s: float = Field(120.0, gt=0, description="Time limit for reading one file in seconds.")
    parse_memory_mib: int = Field(1024, ge=64, description="Memory limit for reading one file in MiB.")
    questions: int = Field(
        0,
        ge=0,
        le=8,
        description="Question-answer pairs that the language model writes for each passage, to match questions.",
    )
    ocr: str = Field(
        "",
        pattern=r"^[a-zA-Z_+/]*$",
        description="Languages for OCR of scanned pages, such as eng+deu; requires Tesseract.",
    )
