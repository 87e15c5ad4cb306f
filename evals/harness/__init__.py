"""The evaluation harness: question sets in, figures out, through a running service."""
