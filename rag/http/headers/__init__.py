"""Headers of our own: idempotency keys, and what services tell each other beside a body."""
