# `make figures` and `make test` are all that a fresh machine needs: Python 3.11 or newer.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: figures full test speed calibrate lint torture clean

figures: $(INSTALLED)  ## every study at the quick preset: figures/, paper_checks.md, report/
	$(BIN)/theory-lab run; code=$$?; $(BIN)/theory-lab report && exit $$code

full: $(INSTALLED)  ## every study at the full preset, into figures/full/
	$(BIN)/theory-lab run --preset full; code=$$?; \
	$(BIN)/theory-lab report --preset full && exit $$code

test: $(INSTALLED)  ## the tests
	$(BIN)/python -m pytest -n 2

speed: $(INSTALLED)  ## the speed study, on one thread
	$(BIN)/python studies/speed.py

calibrate: $(INSTALLED)  ## what a GPU can do, and how near to it a training comes
	$(BIN)/python studies/calibrate.py --json calibration.json

lint: $(INSTALLED)  ## linters and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

torture: $(INSTALLED)  ## kill the real studies at random moments and compare the records
	$(BIN)/python -m tests.torture

clean:  ## remove what was measured and what was generated from it; not the environment
	rm -rf results report figures/full

$(INSTALLED): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-deps pytorchcv
	touch $@
