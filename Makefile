# Everything a newcomer needs: `make demo` and `make test`. Both set up what they need on first use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The environment is brought up to date when the lock or the project's own metadata changes, and only then.
STAMP := $(VENV)/.installed-$(shell cat requirements.lock pyproject.toml | cksum | cut -d' ' -f1)

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint bench lock

help: ## List the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16

setup: $(STAMP) ## Make the environment in .venv (done by the other targets when needed)

$(STAMP):
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is missing: install Python 3.11 or newer, or set PYTHON=…"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON=…"; exit 1; }
	@echo "Setting up $(VENV) from requirements.lock (about two minutes the first time) …"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes --no-deps --requirement requirements.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q -x '/(\.venv|\.git|dbt_project)' .
	@touch $@

demo: setup ## Build a synthetic city, run the whole road, serve the pages (ARGS="--no-serve --residents 2000")
	@$(BIN)/cityhub demo $(ARGS)

test: setup ## Run all tests (ARGS="-k landing")
	@$(BIN)/pytest $(ARGS)

lint: setup ## Format, lint, types, walls between rooms, SQL
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/sqlfluff lint --disable-progress-bar dbt_project

bench: setup ## Run one benchmark: make bench NAME=road
	@test -n "$(NAME)" || { echo "Say which: make bench NAME=… ("$$(ls benchmarks | grep -E '^[a-z]+\.py$$' | sed 's/\.py//' | tr '\n' ' ')")"; exit 2; }
	@$(BIN)/python -m benchmarks.$(NAME) $(ARGS)

lock: ## Resolve requirements.lock anew from pyproject.toml (needs uv)
	uv pip compile --quiet --python-version 3.11 --extra dev --generate-hashes --no-header --no-emit-index-url \
		--output-file requirements.lock pyproject.toml
