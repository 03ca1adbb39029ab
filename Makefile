# make demo      sets up .venv, makes three clips and checks them: verdicts and pictures in demo/
# make test      sets up .venv, then format, lint, types and tests: all that a change must pass
# make test-slow the tests that take longer, 30 minutes in all
# make test-nightly the tests that take minutes each, and 1,000 examples of each property
# make wheel     builds the wheel and runs it in an empty environment (CI does)
# make bench     timings; their results are kept in benchmarks/README.md
# make format    writes the format that `make test` asks for, and the line numbers of docs/paper.md

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
DEMO_CLIPS := $(addprefix demo/clips/,bona_fide.mp4 attack_print.mp4 attack_replay.mp4)

.PHONY: demo test test-slow slow-clusters slow-others test-nightly bench format lint types static unit wheel clean

# The model that ships has not seen the person of these clips. 3 is the code of an attack.
demo: $(READY)
	$(BIN)/python scripts/make_demo_clips.py demo/clips
	$(BIN)/vivant check $(DEMO_CLIPS) --explain demo/pictures || test $$? -eq 3
	$(BIN)/vivant check $(DEMO_CLIPS) --json | $(BIN)/python scripts/require_decisions.py
	@echo "Pictures of the verdicts: demo/pictures. Your own clip:"
	@echo "  $(BIN)/vivant check CLIP.mp4 --explain demo/pictures"

# Beside one another: the checkers use one core while the first tests still start.
test: $(READY)
	@command -v chromium >/dev/null || echo "SKIPPED: the tests of the page, for want of Debian's chromium (apt-get install chromium)"
	@$(MAKE) --no-print-directory --jobs=2 static unit

static: lint types

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(READY)
	$(BIN)/mypy

# One thread for each process of a test: on small networks two wait for one another, and on a busy machine
# they do so for minutes. A worker that has nothing left takes tests from the other.
unit slow-clusters slow-others test-nightly: export OMP_NUM_THREADS = 1
PYTEST := $(BIN)/pytest --numprocesses 2 --dist worksteal --durations=10
unit: $(READY)
	$(PYTEST)

# The tests of clusters mostly wait for Ray; the others work meanwhile.
test-slow: $(READY)
	@$(MAKE) --no-print-directory --jobs=2 slow-clusters slow-others

slow-clusters slow-others: export VIVANT_EXAMPLES = ci
slow-clusters: $(READY)
	$(BIN)/pytest -m slow --durations=10 tests/distributed

slow-others: $(READY)
	$(PYTEST) -m slow --ignore=tests/distributed

test-nightly: export VIVANT_EXAMPLES = nightly
test-nightly: $(READY)
	$(BIN)/pytest -m nightly --durations=10
	$(PYTEST)

# The tests leave their exported graph behind; the wheel runs it in an environment without torch.
wheel: $(READY)
	$(BIN)/python scripts/check_wheel.py .pytest_cache/d/export/lite.onnx.json

bench: $(READY)
	$(BIN)/vivant bench model_d
	$(BIN)/vivant bench lite
	$(BIN)/python benchmarks/stream.py
	$(BIN)/python benchmarks/check.py
	$(BIN)/python benchmarks/preparation.py
	$(BIN)/python benchmarks/training.py
	$(BIN)/python benchmarks/metrics.py
	$(BIN)/python benchmarks/serving.py
	$(BIN)/python benchmarks/scale.py

format: $(READY)
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .
	$(BIN)/python scripts/number_paper_lines.py --write

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv dist build .pytest_cache .mypy_cache .ruff_cache
