"""sampling parameters and the events of an answer. No heavy library is imported here."""
