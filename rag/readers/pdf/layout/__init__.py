"""The order and shape of text on a page: lines, columns, table rows, and what repeats on each page."""
