# What can be done with a checkout; `make help` lists it. Needs Python >= 3.10 and nothing else.

PYTHON ?= python3
DEMO_DIR ?= outputs/demo
ARGS ?=

VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
# The pins are of Python 3.11; elsewhere the lower bounds in pyproject.toml rule.
PINS = $(shell $(PYTHON) -c "import sys; print('constraints.txt' * (sys.version_info[:2] == (3, 11)))")
# By the environment, so that they hold for what builds packages, too; newer pips ask for both.
PINNED = PIP_CONSTRAINT='$(1)' PIP_BUILD_CONSTRAINT='$(1)'

# The oldest versions that are supported, in an environment of their own.
PYTHON_OLDEST ?= python3.10
VENV_OLDEST := .venv-oldest

# A folder of data beside the checkout is used unless the environment names another.
ifndef SELFLIFT_DATA
ifneq ($(wildcard ../shared/data/.),)
export SELFLIFT_DATA := $(abspath ../shared/data)
endif
endif

.DEFAULT_GOAL := help
.PHONY: help venv demo test test-oldest lint docs wheel-check pins audit clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(STAMP) ## Make .venv with selflift (editable) and the developers' tools

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(call PINNED,$(PINS)) $(PY) -m pip install --quiet --disable-pip-version-check \
	  --editable '.[dev,docs]'
	@touch $@

demo: venv ## Train the default on built-in synthetic data, evaluate it, say where the results lie
	@case '$(DEMO_DIR)' in \
	  *..*) echo "DEMO_DIR: expected a folder without '..', got '$(DEMO_DIR)'" >&2; exit 2;; \
	  outputs/?*) rm -rf -- '$(DEMO_DIR)';; \
	esac
	$(PY) -m selflift.train output_dir='$(DEMO_DIR)'
	$(PY) -m selflift.eval checkpoint='$(DEMO_DIR)'
	@echo; echo 'Pictures:'; find '$(DEMO_DIR)' -name '*.png' | sort | sed 's/^/  /'
	@echo 'Checkpoints:'; find '$(DEMO_DIR)' -name '*.pt' | sort | sed 's/^/  /'

test: venv ## Run the tests; make test ARGS="-k geometry" runs some of them
	OMP_NUM_THREADS=1 $(PY) -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)

test-oldest: ## Run the tests with the oldest supported Python and versions (GBs of CUDA on Linux)
	$(PYTHON_OLDEST) -m venv $(VENV_OLDEST)
	$(call PINNED,constraints-oldest.txt) $(VENV_OLDEST)/bin/python -m pip install --quiet \
	  --disable-pip-version-check --editable '.[data,hub]' beartype hypothesis pytest pytest-xdist
	$(VENV_OLDEST)/bin/python -m pytest $(ARGS)

lint: venv ## Check style, formatting, types and which room imports which
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

docs: venv ## Build the documentation as a site, strictly, in build/site
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --quiet --strict --site-dir build/site

wheel-check: venv ## Build the wheel and use it from a fresh environment in an empty folder
	PYTHON='$(abspath $(PY))' bash scripts/check_wheel.sh

pins: venv ## Check that everything installed is pinned, and the lowest versions are the declared ones
	$(PY) scripts/check_pins.py

audit: venv ## Ask for known vulnerabilities of the pinned versions, where somebody can be asked
	PATH="$(abspath $(VENV))/bin:$$PATH" $(PY) scripts/audit.py $(ARGS)

clean: ## Remove the environments, builds and caches; data and outputs stay
	rm -rf $(VENV) $(VENV_OLDEST) build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find src tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +
