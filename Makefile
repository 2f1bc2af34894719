PYTHON ?= python3
# Pinned where the CPU build is at hand; set TORCH= to keep the torch that is there.
TORCH ?= torch==2.13.0
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-slow bench clean

$(BIN)/lvc: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	test -z "$(TORCH)" || $(BIN)/pip install --quiet "$(TORCH)"
	$(BIN)/pip install --quiet -e ".[test]"
	touch $@

test: $(BIN)/lvc
	$(BIN)/python -m pytest -q -m "not slow"

test-slow: $(BIN)/lvc
	$(BIN)/python -m pytest -q -m slow

demo: $(BIN)/lvc
	$(BIN)/python tools/demo.py

# make bench DATASET=frames [BENCH="--clips 50"]
bench: $(BIN)/lvc
	test -n "$(DATASET)" || { echo "make bench DATASET=FOLDER: a data set made by lvc build-dataset" >&2; exit 2; }
	$(BIN)/pip install --quiet -e ".[bench]"
	$(BIN)/python tools/benchmark_reading.py "$(DATASET)" -o docs/benchmarks.md --data docs/data/reading.json $(BENCH)

clean:
	rm -rf $(VENV) build demo
