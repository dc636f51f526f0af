# The commands a user and a developer need; `make` alone shows them.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: help setup run test check format bench screenshot clean

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## make setup   create .venv with pinned dependencies
setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("fluxtop needs Python 3.11 or newer") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -q core console
	touch $(STAMP)

## make run     open fluxtop on an embedded instance of four brokers
run: setup
	$(BIN)/fluxtop --test-size 4

## make test    run the whole test suite
test: setup
	$(BIN)/python -m pytest -q

## make check   ruff, mypy --strict, import-linter and the format
check: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

## make format  put the sources into the project's format
format: setup
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

## make bench   print the figures, beside flux-core's where it is installed
bench: setup
	$(BIN)/python -m tests.bench

## make screenshot   take the README's picture anew
screenshot: setup
	$(BIN)/python docs/screenshot.py

## make clean   remove what setup and the tools made
clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .import_linter_cache .hypothesis
