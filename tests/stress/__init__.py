"""Long tests of crashes, concurrent writers and large stores. `make test-long` runs short rounds of them."""
