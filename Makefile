# Everything runs in .venv, which every target makes first; PYTHON picks another interpreter.
PYTHON ?= python3
BIN := .venv/bin
# Containers run as root, which JupyterLab accepts only when told.
ROOT_OK := $(if $(filter 0,$(shell id -u)),--allow-root)

.PHONY: install demo lab test test-unit test-notebooks test-browser bench clean

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c "import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) else 'defectkit needs Python 3.11 to 3.13, this is %d.%d: run make PYTHON=python3.11' % v)"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[lab,data,test]'
	touch .venv/installed

demo: install
	$(BIN)/python -m defectkit demo

lab: install
	$(BIN)/jupyter lab --ServerApp.ip=127.0.0.1 --ServerApp.root_dir=notebooks $(ROOT_OK)

test: test-unit test-notebooks

test-unit: install
	$(BIN)/python -m pytest

test-notebooks: install
	$(BIN)/python -m pytest --nbmake --nbmake-timeout=900 notebooks

# Needs Chromium (Debian's package); skips with a reason without it.
test-browser: install
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt '.[browser]'
	$(BIN)/python -m pytest tests/browser

bench: install
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt '.[benchmarks]'
	$(BIN)/python benchmarks/symmetry_functions.py

clean:
	rm -rf .venv demo-output
