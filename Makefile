# make demo      sets up .venv, makes three clips and checks them: verdicts and pictures in demo/
# make test      sets up .venv, then format, lint, types, tests, wheel: all that a change must pass
# make test-slow the tests that take minutes
# make bench     timings; their results are kept in benchmarks/README.md
# make format    writes the format that `make test` asks for, and the line numbers of docs/paper.md

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
DEMO_CLIPS := $(addprefix demo/clips/,bona_fide.mp4 attack_print.mp4 attack_replay.mp4)

.PHONY: demo test test-slow bench format lint types unit wheel clean

# The model that ships has seen neither the clips' seed nor any person. 3 is the code of an attack.
demo: $(READY)
	$(BIN)/python scripts/make_demo_clips.py demo/clips
	$(BIN)/vivant check $(DEMO_CLIPS) --explain demo/pictures || test $$? -eq 3
	$(BIN)/vivant check $(DEMO_CLIPS) --json | $(BIN)/python scripts/require_decisions.py
	@echo "Pictures of the verdicts: demo/pictures. Your own clip:"
	@echo "  $(BIN)/vivant check CLIP.mp4 --explain demo/pictures"

test: lint types unit wheel

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(READY)
	$(BIN)/mypy

# In five goes: in one, a worker that had lived for five minutes ended without a word, three times of three
# at whatever test it was at; shorter ones were not seen to. Why is not found.
PICTURES := tests/attacks tests/datasets
NETWORKS := tests/networks tests/training tests/recipes
COMMANDS := tests/cli tests/evaluation tests/reproduction
SERVICE := tests/serving
PYTEST := $(BIN)/pytest --numprocesses 2 --dist loadfile --durations=10
unit: $(READY)
	@command -v chromium >/dev/null || echo "SKIPPED: the tests of the page, for want of Debian's chromium (apt-get install chromium)"
	$(PYTEST) $(PICTURES)
	$(PYTEST) $(NETWORKS)
	$(PYTEST) $(COMMANDS)
	$(PYTEST) $(SERVICE)
	$(PYTEST) $(addprefix --ignore=,$(PICTURES) $(NETWORKS) $(COMMANDS) $(SERVICE))

# The tests leave their exported graph behind; the wheel runs it in an environment without torch.
wheel: unit
	$(BIN)/python scripts/check_wheel.py .pytest_cache/d/export/lite.onnx.json

# What measures time, or has nodes killed under it, has the machine for itself.
ALONE := tests/bench tests/distributed tests/serving
test-slow: $(READY)
	$(BIN)/pytest -m slow --durations=10 $(ALONE)
	$(PYTEST) --no-loadscope-reorder -m slow tests $(addprefix --ignore=,$(ALONE))

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
