"""What retrieval and generation both need of a language model: structured prompts, reading what it wrote."""
