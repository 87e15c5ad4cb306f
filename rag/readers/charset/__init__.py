"""Character encodings: labels, UTF-16 without a byte order mark, and the detection of legacy encodings."""
