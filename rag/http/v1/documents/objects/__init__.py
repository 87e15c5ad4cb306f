"""Response objects of the document routes: OpenAI's objects with fields of our own."""
