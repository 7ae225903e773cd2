# Everything runs in .venv, which every target makes first; PYTHON picks another interpreter.
PYTHON ?= python3
JOBS ?= 2
# What the tests of a file share is computed once: each file is one process's.
BESIDE := -n $(JOBS) --dist loadfile --no-loadscope-reorder
# Processes beside each other: threads of BLAS and OpenMP that wait for a core cost as much as work.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt
# Containers run as root, which JupyterLab accepts only when told.
ROOT_OK := $(if $(filter 0,$(shell id -u)),--allow-root)

.DEFAULT_GOAL := help
.PHONY: help install demo lab test test-fast test-unit test-notebooks test-browser test-descriptors test-networks \
	check docs linkcheck bench bench-stability bench-notebooks coverage clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(firstword $(MAKEFILE_LIST)) | awk -F'|' '{printf "make %-17s %s\n", $$1, $$2}'

install: .venv/installed ## .venv with defectkit, JupyterLab, torch and the tests' packages

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c "import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) else 'defectkit needs Python 3.11 to 3.13, this is %d.%d: run make PYTHON=python3.11' % v)"
	$(PYTHON) -m venv .venv
	$(PIP) -e '.[lab,torch,test]'
	$(BIN)/python -m defectkit.compile
	touch .venv/installed

demo: install ## silicon phases, no browser: a table, the map, coloured atoms
	$(BIN)/python -m defectkit demo

lab: install ## JupyterLab on 127.0.0.1, opened at the notebooks
	$(BIN)/jupyter lab --ServerApp.ip=127.0.0.1 --ServerApp.root_dir=notebooks $(ROOT_OK)

test: test-unit test-notebooks ## all tests and notebooks

# What was skipped stands at the end, with its reason (-rs). JOBS=1 runs one test at a time.
test-unit: install ## all tests
	$(ONE_THREAD) $(BIN)/python -m pytest -rs $(BESIDE)

# Without the tests marked slow, and without notebooks.
test-fast: install ## tests but the slow ones
	$(ONE_THREAD) $(BIN)/python -m pytest -rs $(BESIDE) -m "not slow"

# In a copy of the folder; what they measure is compared with notebooks/results.
test-notebooks: install ## every notebook, its numbers compared with those kept
	$(ONE_THREAD) $(BIN)/python tests/run_notebooks.py --jobs $(JOBS)

# Needs Chromium (Debian's package); skips with a reason without it. Of each notebook with widgets
# what these need is run, with fewer steps of each map; BROWSER="-k 'not notebook_shows'" leaves the
# notebooks out. An error of the page or in its console fails.
# Pictures: screenshots/.
test-browser: install ## widgets in Chromium
	$(PIP) -e '.[browser]'
	DEFECTKIT_SCREENSHOTS=$(CURDIR)/screenshots $(BIN)/python -m pytest tests/browser -rs \
		-n $(JOBS) --maxschedchunk=1 $(BROWSER)

# Descriptors of other libraries and objects of other programs; what PyPI does not have is skipped.
test-descriptors: install ## other libraries' descriptors and objects
	$(PIP) -e '.[descriptors,doors]'
	$(BIN)/python -m pytest -rs tests/descriptors tests/io/test_objects.py

# The two networks that others do not go with, each in an environment of its own; of MatterSim's
# requirements those that its atom features use.
test-networks: ## MACE and MatterSim, each in an environment of its own
	$(PYTHON) -m venv .venv-mace
	.venv-mace/bin/python -m pip install -c constraints.txt -e '.[torch,test,mace]'
	.venv-mace/bin/python -m pytest -rs tests/descriptors -k mace
	$(PYTHON) -m venv .venv-mattersim
	.venv-mattersim/bin/python -m pip install -c constraints.txt -e '.[torch,test,sevennet,chgnet]' \
		deprecated loguru torch-ema torch-runstats torchmetrics
	.venv-mattersim/bin/python -m pip install -c constraints.txt --no-deps mattersim
	.venv-mattersim/bin/python -m pytest -rs tests/descriptors -k mattersim

# Style, docstrings and types.
check: install ## style, docstrings and types
	$(PIP) -e '.[dev]'
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# docs/_build/html/index.html, from docstrings and notebooks as they are. The examples of the pages
# and of the docstrings are run by make test.
docs: install ## the pages, docs/_build/html
	$(PIP) -e '.[docs]'
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html

linkcheck: install ## links of the pages
	$(PIP) -e '.[docs]'
	$(BIN)/python -m sphinx -q -b linkcheck docs docs/_build/linkcheck

# One table and one figure in benchmarks/results; N2P2=FOLDER compares with a compiled n2p2 too.
# Without the water potential (fetched) the rows of forces stay as they are.
bench: install ## measurements of speed, benchmarks/results
	$(PIP) -e '.[benchmarks]'
	$(BIN)/python benchmarks/symmetry_functions.py
	-$(BIN)/python benchmarks/forces.py $(if $(N2P2),--n2p2 $(N2P2))
	$(BIN)/python benchmarks/maps.py overhead
	$(BIN)/python benchmarks/maps.py together
	$(BIN)/python benchmarks/maps.py large
	$(BIN)/python benchmarks/maps.py million
	$(BIN)/python benchmarks/identify.py
	$(BIN)/python benchmarks/small.py
	$(BIN)/python benchmarks/explorer.py
	$(BIN)/python benchmarks/streaming.py --largest 100000
	$(BIN)/python benchmarks/table.py

# Half an hour and a quarter of an hour; the first goes on where it was stopped.
bench-stability: install ## how stable clusters are (half an hour)
	$(BIN)/python benchmarks/stability.py

bench-notebooks: install ## times of the notebooks
	$(BIN)/python benchmarks/notebooks.py

# Lines of defectkit that the tests run; numba's compiled loops are not traced (see pyproject.toml).
coverage: install ## which lines the tests run
	$(BIN)/python -m pytest --cov=defectkit --cov-report=term-missing:skip-covered --cov-fail-under=90

clean: ## removes environments, demo-output and pages
	rm -rf .venv .venv-mace .venv-mattersim demo-output docs/_build
