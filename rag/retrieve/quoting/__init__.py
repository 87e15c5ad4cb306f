"""Quoted answers: picks the sentences, list items, table rows and commands of the hits that answer a question."""
