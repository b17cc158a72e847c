# Two commands: `make demo` and `make test`. Both set everything up themselves; a second call sets nothing up.
PYTHON ?= python3
TORCH_INDEX ?=
RUN := .venv/bin/python
# One torch thread a process: two collapse as soon as the other core is busy.
export OMP_NUM_THREADS = 1
export TOKENIZERS_PARALLELISM = false
export HF_HUB_OFFLINE = 1

.PHONY: demo test check evidence bench docs clean

demo: .setup/run
	.venv/bin/operant compare --task reviews --seeds 3 --limit 400 --prompts 100 --max-tokens 24 --best-of 16 --points 3 --trials 1

test: .setup/dev
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(RUN) -m pytest

check: test
	$(RUN) -m operant.compare.verify

evidence: .setup/run
	.venv/bin/operant verify --method dpo:learning_rate=4e-4
	$(RUN) scripts/aa_control.py

bench: .setup/dev
	$(RUN) -m benchmarks

docs: .setup/docs
	$(RUN) -m scripts.build_pages
	$(RUN) -m mkdocs build --strict

.setup/venv:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv .venv
	mkdir -p .setup && touch $@

.setup/run: .setup/venv constraints.txt pyproject.toml
	$(RUN) -m pip install --quiet $(if $(TORCH_INDEX),$(if $(wildcard $(TORCH_INDEX)/.),--find-links,--extra-index-url) $(TORCH_INDEX)) -c constraints.txt torch
	$(RUN) -m pip install --quiet -c constraints.txt -e .
	touch $@

.setup/dev: .setup/run
	$(RUN) -m pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

.setup/docs: .setup/run
	$(RUN) -m pip install --quiet -c constraints.txt -e '.[docs]'
	touch $@

clean:
	rm -rf .venv .setup build dist site
