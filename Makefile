# Everything from nothing: needs Python 3.11 with venv and pip, and make.
#   make run         the dashboard on http://127.0.0.1:8501 (PORT=... for another port)
#   make check       before every commit: lint, types, and the tests that are quick and need no browser
#   make test        lint, types, documentation and all tests but that of the wheel
#   make test T=...  the tests of one path: T=tests/squint/io, T=tests/test_imports.py::test_...
#   make test-wheel  build the package, install it into an empty environment and use it there
#   make install     only the environment, in .venv/
#   make bench       the benchmarks
#   make fuzz        files and requests changed at random (CASES=200 of each kind)
#   make samples     write the simulated cohort of data_samples/ again
#   make pretrained  train the shipped models on it again
#   make starters    train the starter models of real tissue again, from the sections of SQUINT_TEST_DATA
#   make docs        the documentation, into site/; a warning is an error
#   make screenshots the pictures of the dashboard in it, taken anew
#   make notebooks   execute its notebooks, and keep their outputs
#   make licences    write the licences of all dependencies again
#   make sbom        what it is made of, as CycloneDX, into sbom.json
#   make vulnerabilities  whether any are known of what is installed; asks PyPI, and fails if it cannot
#   make js          lint, format and types of the dashboard's scripts (with npm; without it they are skipped)
#   make format      format the code

SHELL := /bin/bash
PYTHON ?= python3.11
PORT ?= 8501
BIN := .venv/bin
# Named by what is installed: changed requirements, or another name, version or command of ours, install again.
STAMP := .venv/.installed-$(shell (cat requirements.txt; sed '/^\[tool/,$$d' pyproject.toml) | sha256sum | cut -c1-16)
BROWSER := $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)
SECTIONS = $(filter-out data_samples/stack.h5ad, $(sort $(wildcard data_samples/*.h5ad)))

# Two processes side by side, each with the fixtures of the files it takes; long files first, so that none is
# left to one process at the end.
PYTEST := $(BIN)/python -m pytest
SIDE_BY_SIDE := -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: run check test test-fast test-wheel lint types js format-js docs \
	install bench samples pretrained starters screenshots notebooks licences sbom vulnerabilities format browser fuzz
.DEFAULT_GOAL := install

install: $(STAMP)

$(STAMP): requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --disable-pip-version-check --no-deps -e .
	rm -f .venv/.installed-*
	touch $@

browser:
ifeq ($(BROWSER),)
	@echo "chromium is not installed: the tests in a browser are skipped, and PDF, SVG and PNG export says so." >&2
endif

run: $(STAMP) browser
	exec $(BIN)/python -m streamlit run app/main.py \
		--server.address=127.0.0.1 --server.port=$(PORT) --server.headless=true

check: lint types js test-fast

ifdef T
test: $(STAMP)
	$(PYTEST) $(T)
else
test: lint types js docs browser
	$(PYTEST) $(SIDE_BY_SIDE)
endif

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo

types: $(STAMP)
	$(BIN)/mypy

test-fast: $(STAMP)
	$(PYTEST) $(SIDE_BY_SIDE) -m "not benchmark and not fuzz and not wheel and not browser and not slow"

test-wheel: $(STAMP)
	$(PYTEST) -m wheel -s tests/package

bench: $(STAMP)
	$(BIN)/python -m pytest -m benchmark -s tests/benchmarks

CASES ?= 200
fuzz: $(STAMP)
	$(BIN)/python -m pytest -m fuzz -s tests/fuzz --cases $(CASES)

# MkDocs 1.6 is pinned: a word on its successor at each build would hide the warnings that count.
docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

screenshots: $(STAMP) browser
	$(BIN)/python -m docs.tools.screenshots

notebooks: $(STAMP)
	$(BIN)/python -m docs.tools.notebooks

samples: $(STAMP)
	$(BIN)/python -m squint simulate data_samples --seed 0

pretrained: $(STAMP)
	$(BIN)/python -m squint train $(SECTIONS) --organ kidney --out data_samples/pretrained --seed 0
	$(BIN)/python -m squint train data_samples/stack.h5ad --hold-out 0.1 --organ kidney --out data_samples/stack_model --seed 0

TEST_DATA := $(or $(SQUINT_TEST_DATA),../shared/data)
starters: $(STAMP)
	$(BIN)/python -m squint train $(TEST_DATA)/xenium_breast_4quadrants_subsampled.h5ad \
		--bare "Xenium breast cancer Rep1, a fifth of the cells" --organ breast \
		--about data_samples/starters/breast.json --seed 0 --out data_samples/breast_model
	$(BIN)/python -m squint train $(TEST_DATA)/xenium_human_pancreas_full.h5ad \
		--bare "Xenium human pancreas" --organ pancreas \
		--about data_samples/starters/pancreas.json --seed 0 --out data_samples/pancreas_model

format: $(STAMP) format-js
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

licences: $(STAMP)
	$(BIN)/python -m tests.helpers.dependencies > docs/licences.md

sbom: $(STAMP)
	$(BIN)/python -m tests.helpers.sbom sbom.json

# Of make itself every failure is 2: `python -m tests.helpers.vulnerabilities` has a status of its own for each,
# and takes a file of advisories where there is no network.
vulnerabilities: $(STAMP)
	$(BIN)/python -m tests.helpers.vulnerabilities

# The scripts of the dashboard are served as they are: what node holds only checks them.
NPM := $(shell command -v npm)
NODE_BIN := node_modules/.bin
NODE_STAMP := node_modules/.installed-$(shell sha256sum package-lock.json | cut -c1-16)
SCRIPTS := app/components

ifeq ($(NPM),)
js format-js:
	@echo "npm is not installed: $@ is skipped, and nothing checks or formats the dashboard's scripts." >&2
else
js: $(NODE_STAMP)
	$(NODE_BIN)/biome check --error-on-warnings $(SCRIPTS)
	$(NODE_BIN)/tsc

format-js: $(NODE_STAMP)
	$(NODE_BIN)/biome check --write $(SCRIPTS)
endif

$(NODE_STAMP):
	npm ci --no-audit --no-fund
	touch $@
