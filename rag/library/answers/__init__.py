"""Operations on kept responses, chat completions and conversations, and on responses in the background."""
