# The same commands as in .ci/run; PYTHON is the environment's interpreter.
PYTHON ?= .venv/bin/python

.PHONY: check test bench
check:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy

test:
	$(PYTHON) -m pytest -n 2

bench:
	$(PYTHON) -m bench
