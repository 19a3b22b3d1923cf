# Two commands matter: `make demo` and `make test`. Both do all set-up, in .venv.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
DEMO := runs/demo


.PHONY: demo test lint format acceptance clean

# Vibraphone to piano on the embedded dataset, at a part of the quick budget.
demo: .venv/runtime
	$(BIN)/bench run --suite quickstart --out $(DEMO)
	$(BIN)/bench report $(DEMO)

test: .venv/dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The long checks of learning and endurance; an hour or two on two cores.
acceptance: .venv/dev
	$(BIN)/python -m pytest -m acceptance -p no:xdist --timeout 10800 -ra

clean:
	rm -rf .venv build *.egg-info .pytest_cache .ruff_cache .mypy_cache

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/runtime: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	$(BIN)/python -c "from timbrebench.core.compiled import compile_librosa; compile_librosa()"
	touch $@

.venv/dev: .venv/runtime
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@
