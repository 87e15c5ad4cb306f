"""Tables of any format: their layout, their header, and their rows as text."""
