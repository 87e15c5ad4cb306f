"""The evaluation harness: reads question sets, queries a running service and reports metrics."""
