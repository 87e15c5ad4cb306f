"""The slides of PowerPoint presentations."""
