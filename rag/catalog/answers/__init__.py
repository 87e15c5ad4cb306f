"""What is kept of questions and answers: responses, chat completions and conversations, with their items."""
