PYTHON ?= python3
# Pinned where the CPU build is at hand; set TORCH= to keep the torch that is there.
TORCH ?= torch==2.13.0
VENV := .venv
BIN := $(VENV)/bin
# Of tests at once; a file's tests stay together, since they share what they make.
TEST_PROCESSES ?= 2
# Of each fuzz target, and where corpora and what was found go.
FUZZ_SECONDS ?= 1800
FUZZ ?= build/fuzz

.PHONY: demo check test test-inputs test-long test-slow test-sanitizers test-machines test-lerobot bench fuzz fuzz-kernels clean

$(BIN)/lvc: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	test -z "$(TORCH)" || $(BIN)/pip install --quiet "$(TORCH)"
	$(BIN)/pip install --quiet -e ".[test]"
	touch $@

# What is written: format, complexity, unused code, types.
check: $(BIN)/lvc
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: $(BIN)/lvc check
	$(BIN)/python -m pytest -q -m "not slow and not inputs" -n $(TEST_PROCESSES) --dist loadfile

# Several hundred kinds of sources: containers, codecs, pixel formats, colours, times.
test-inputs: $(BIN)/lvc
	$(BIN)/python -m pytest -q tests/video/test_colour_and_time.py

test-slow: $(BIN)/lvc
	$(BIN)/python -m pytest -q -m slow

# A recording of 24 hours, and one of 11 minutes by every family: memory, opening, random frames. -s shows the figures.
test-long: $(BIN)/lvc
	$(BIN)/python -m pytest -q -s -m slow tests/encoding/test_long_recording.py

# The compiled kernels under ASan and UBSan: golden files, damaged ones, hostile bits, what tests of the kernels hand them, and
# the reader's fuzz corpus with changes of it.
SANITIZED := build/sanitized
SANITIZED_CHANGES ?= 3000
test-sanitizers: $(BIN)/lvc
	$(BIN)/python -m lvc.kernels.build --sanitize $(SANITIZED)/kernels.so
	$(BIN)/python -m tests.fuzz.seeds $(SANITIZED)/fuzz
	set -e; export LD_PRELOAD="$$($${CC:-cc} -print-file-name=libasan.so)" ASAN_OPTIONS=detect_leaks=0 \
		LVC_KERNELS=$(SANITIZED)/kernels.so LVC_MODELS=$(SANITIZED)/fuzz/weights OMP_NUM_THREADS=1; \
	$(BIN)/python -m pytest -q tests/kernels/test_binding.py tests/entropy/test_bits.py tests/entropy/test_mixing.py \
		tests/native/test_shown.py tests/native/test_planes.py tests/codecs/palette tests/codecs/hybrid tests/container/test_container_damage.py \
		tests/container/test_container_format.py -m "not slow" --deselect tests/codecs/palette/test_training.py; \
	for seed in 1 2 3 4; do $(BIN)/python -m tests.codecs.palette.hostile $$seed 1000; done; \
	for target in container reader; do \
		$(BIN)/python -m tests.fuzz.replay $$target $(SANITIZED)/fuzz/corpus/$$target --mutations $(SANITIZED_CHANGES); \
	done

# The decoders in C, whose coverage libFuzzer sees, from bytes; first the seeds, which the same files' encoders write.
FUZZ_CFLAGS := -g -O2 -std=c11 -fwrapv -fno-strict-aliasing -ffp-contract=off -fno-sanitize-recover=all -Ilvc/kernels
FUZZ_C := $(wildcard lvc/kernels/*.c)
$(FUZZ)/fuzz_% $(FUZZ)/seeds_%: tests/fuzz/fuzz_%.c $(FUZZ_C) $(wildcard lvc/kernels/*.h)
	mkdir -p $(FUZZ)
	clang $(FUZZ_CFLAGS) -fsanitize=fuzzer,address,undefined $(FUZZ_C) $< -lm -o $(FUZZ)/fuzz_$*
	clang $(FUZZ_CFLAGS) -fsanitize=address,undefined -DFUZZ_SEEDS $(FUZZ_C) $< -lm -o $(FUZZ)/seeds_$*

# Of each target, and the longest input.
FUZZ_KERNELS ?= palette hybrid
fuzz-kernels: $(FUZZ_KERNELS:%=$(FUZZ)/fuzz_%)
	set -e; for target in $(FUZZ_KERNELS); do \
		mkdir -p $(FUZZ)/grown/$$target $(FUZZ)/corpus/$$target $(FUZZ)/found; \
		$(FUZZ)/seeds_$$target $(FUZZ)/corpus/$$target; \
		nice -n 19 $(FUZZ)/fuzz_$$target $(FUZZ)/grown/$$target $(FUZZ)/corpus/$$target -max_total_time=$(FUZZ_SECONDS) \
			-max_len=2000 -len_control=0 -artifact_prefix=$(FUZZ)/found/$$target- -print_final_stats=1; \
	done

fuzz: $(BIN)/lvc fuzz-kernels
	$(BIN)/pip install --quiet -e ".[fuzz]"
	$(BIN)/python -m tests.fuzz.seeds $(FUZZ)
	set -e; for target in container reader weights; do \
		mkdir -p $(FUZZ)/grown/$$target $(FUZZ)/found; \
		LVC_MODELS=$(FUZZ)/weights OMP_NUM_THREADS=1 nice -n 10 $(BIN)/python -m tests.fuzz.fuzz_$$target \
			$(FUZZ)/grown/$$target $(FUZZ)/corpus/$$target -max_total_time=$(FUZZ_SECONDS) \
			-rss_limit_mb=4000 -timeout=300 -artifact_prefix=$(FUZZ)/found/$$target- -print_final_stats=1; \
	done

# Several nodes of a Ray cluster and several processes of torchrun, on loopback.
test-machines: $(BIN)/lvc
	$(BIN)/pip install --quiet -e ".[test,ray]"
	$(BIN)/python -m pytest -q -m slow tests/parallel/test_cluster.py tests/training/test_team.py

# LeRobot's own loader, in an environment of its own: make test-lerobot LEROBOT=.../bin/python
test-lerobot: $(BIN)/lvc
	test -n "$(LEROBOT)" || { echo "make test-lerobot LEROBOT=PYTHON: one that has lerobot, torchcodec and pytest" >&2; exit 2; }
	HF_HUB_OFFLINE=1 PYTHONPATH=$(CURDIR) LVC_PYTHON=$(CURDIR)/$(BIN)/python \
		$(LEROBOT) -m pytest -q -c /dev/null --rootdir . --noconftest --import-mode=importlib tests/reading/test_lerobot_loader.py

demo: $(BIN)/lvc
	$(BIN)/python tools/demo.py

# make bench DATASET=frames [BENCH="--clips 50"]
bench: $(BIN)/lvc
	test -n "$(DATASET)" || { echo "make bench DATASET=FOLDER: a data set made by lvc build-dataset" >&2; exit 2; }
	$(BIN)/pip install --quiet -e ".[bench]"
	$(BIN)/python tools/benchmark_reading.py "$(DATASET)" -o docs/benchmarks.md --data docs/data/reading.json $(BENCH)

clean:
	rm -rf $(VENV) build demo
