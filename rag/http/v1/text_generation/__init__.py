"""What the routes that generate text share: fields of requests, streams, finish reasons and log probabilities."""
