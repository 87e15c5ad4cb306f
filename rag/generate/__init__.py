"""How an answer is generated: start reading at `pipeline.py`. No heavy library is imported here."""
