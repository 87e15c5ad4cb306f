"""What is served beside the APIs: the page at `/ui`, Swagger UI, and `/metrics`."""
