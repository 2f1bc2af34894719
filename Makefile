PYTHON ?= python3
# Pinned where the CPU build is at hand; set TORCH= to keep the torch that is there.
TORCH ?= torch==2.13.0
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-slow test-machines clean

$(BIN)/lvc: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	test -z "$(TORCH)" || $(BIN)/pip install --quiet "$(TORCH)"
	$(BIN)/pip install --quiet -e ".[test]"
	touch $@

test: $(BIN)/lvc
	$(BIN)/python -m pytest -q -m "not slow"

test-slow: $(BIN)/lvc
	$(BIN)/python -m pytest -q -m slow

# Several nodes of a Ray cluster and several processes of torchrun, on loopback.
test-machines: $(BIN)/lvc
	$(BIN)/pip install --quiet -e ".[test,ray]"
	$(BIN)/python -m pytest -q -m slow tests/test_cluster.py tests/training/test_team.py

demo: $(BIN)/lvc
	$(BIN)/python tools/demo.py

clean:
	rm -rf $(VENV) build demo
