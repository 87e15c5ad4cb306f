"""Results as tables and plots, and comparisons of runs."""
