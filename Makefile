# The commands. `make help` lists them; start with `make serve`.
#
#   PORT          port of the service (3000)
#   HOST          address to listen on: 127.0.0.1 for this machine only, 0.0.0.0 for all interfaces (needs an API key)
#   RAG_DATA_DIR  folder for all data: documents, models (.data)
#   PYTHON        3.11 or newer; used once, to create .venv
#   CHROMIUM      the browser for the tests of the page (/usr/bin/chromium); installed with apt-get if it is missing
#   EVAL_SETS     additional sets for `make eval`: folders
#   EVAL_OPTIONS  additional options for `make eval`, such as "--no-answers --queries 50"

PORT ?= 3000
HOST ?= 127.0.0.1
RAG_DATA_DIR ?= .data
export PORT HOST PYTHON RAG_DATA_DIR

# No usage statistics, and fewer warnings.
export BENTOML_DO_NOT_TRACK := true
export DO_NOT_TRACK := 1
export VLLM_NO_USAGE_STATS := 1
export TOKENIZERS_PARALLELISM := false

BIN := .venv/bin
# A stamp's name contains the checksum of the lock that was installed: packages are installed again only if the lock
# has changed.
CPU_STAMP := .venv/.stamp-cpu-$(shell cksum < requirements-cpu.txt | cut -d' ' -f1)
DEV_STAMP := .venv/.stamp-dev-$(shell cat requirements-cpu.txt requirements-dev.txt | cksum | cut -d' ' -f1)

# The tests that need the engine run in one process, in the order of tests/conftest.py. Many tests wait rather than
# compute, so there are two processes more than there are cores, up to four.
PROCESSES := $(shell cores=$$(getconf _NPROCESSORS_ONLN); echo $$((cores < 2 ? 3 : 4)))
# Bytecode is written to disk, because the tests start hundreds of processes, each of which would compile it again.
PYTEST := env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest \
	--numprocesses $(PROCESSES) --no-loadscope-reorder --durations 30

.PHONY: help serve test test-long demo build sbom bench eval check lock clean setup setup-dev
.DEFAULT_GOAL := help

help: ## show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 18

serve: setup ## set up (once), then start the service on PORT
	@$(BIN)/python -m rag prepare
	@exec $(BIN)/bentoml serve service:RAG --host "$(HOST)" --port "$(PORT)"

test: setup-dev ## set up (once), then run the tests, except the long ones
	@scripts/browser.sh
	@$(PYTEST) -m "not long"

test-long: setup-dev ## run the long tests: stress, fuzzing, LangChain's suite, property tests with many examples
	@$(PYTEST) -m "long or hypothesis" --hypothesis-profile long

demo: setup ## ingest docs/ and ask one question about it
	@scripts/demo.sh

build: sbom ## build the Bento
	@$(BIN)/bentoml build

sbom: setup ## list all packages with licences and hashes, as CycloneDX: sbom.cdx.json (the Bento), sbom-cpu.cdx.json
	@$(BIN)/python scripts/sbom.py requirements.txt deploy/setup.sh > sbom.cdx.json
	@$(BIN)/python scripts/sbom.py requirements-cpu.txt > sbom-cpu.cdx.json

bench: setup-dev ## compare with vLLM's own server, the encoder alone and Milvus alone
	@$(BIN)/python -m bench

eval: setup-dev ## evaluate search and answers on evals/sets and EVAL_SETS; fails if they got worse
	@EVAL_SETS="$(EVAL_SETS)" EVAL_OPTIONS="$(EVAL_OPTIONS)" scripts/eval.sh

check: setup-dev ## check style, types and layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

lock: ## update the pinned requirements and their hashes; UPGRADE=1 upgrades to newer versions
	@scripts/lock.sh

clean: ## remove .venv and caches; documents and models in RAG_DATA_DIR stay
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache *.cdx.json
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

setup: $(CPU_STAMP)

setup-dev: $(CPU_STAMP) $(DEV_STAMP)

$(CPU_STAMP):
	@scripts/setup.sh
	@rm -f .venv/.stamp-cpu-* && touch $@

$(DEV_STAMP): | $(CPU_STAMP)
	@echo "Setting up the tools for tests and checks ..."
	@$(BIN)/pip install -qq --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.txt
	@rm -f .venv/.stamp-dev-* && touch $@
