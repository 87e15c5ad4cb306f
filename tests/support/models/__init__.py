"""Small models, and a language model that follows a script."""
