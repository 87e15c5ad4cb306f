"""How well the service finds and answers, measured through the service alone: sets, runs, figures, comparison."""
