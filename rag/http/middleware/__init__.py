"""What wraps every request: admission, request ids, disconnects, deadlines and the drain."""
