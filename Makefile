PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# One thread a process; and what one process has compiled, the others need not compile again.
ONE := OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=

.PHONY: install demo test quick test-slow lint bench clean

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[onnx,parquet,dev]'
	touch $@

demo: install
	$(BIN)/nasbench demo --out demo

test: install
	$(ONE) $(BIN)/python -m pytest -n auto --dist loadfile -m "not slow" --ignore tests/benchmarks --benchmark-disable

quick: install
	$(ONE) $(BIN)/python -m pytest -n auto --dist loadfile -m "not slow and not process and not heavy" --ignore tests/benchmarks --benchmark-disable

test-slow: install
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt ray
	$(ONE) $(BIN)/python -m pytest -m slow --ignore tests/benchmarks --benchmark-disable
	$(ONE) $(BIN)/python -m pytest tests/benchmarks --benchmark-disable

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict nasbench strategies
	$(BIN)/lint-imports

bench: install
	$(ONE) $(BIN)/python -m pytest tests/benchmarks --benchmark-only

clean:
	rm -rf $(VENV) build dist demo *.egg-info
