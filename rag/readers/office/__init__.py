"""DOCX, PPTX and XLSX."""
