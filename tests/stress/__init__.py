"""Long tests of crashes, writers and large stores; `make test-long` runs short rounds of them."""
