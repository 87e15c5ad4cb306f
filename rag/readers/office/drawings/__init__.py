"""Charts, diagrams and texts in drawings, which documents and slides have in common."""
