"""What this repository itself is measured with: sets, baselines, the choice of defaults. `rag.evals` does the work."""
