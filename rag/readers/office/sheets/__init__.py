"""The sheets of a workbook."""
