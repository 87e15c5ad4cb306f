"""What a reader returns: text with headings, pages and a language, and its JSON."""
