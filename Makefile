.PHONY: run test lint proof mutants bench openapi pictures
SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin
# Tools that import the settings must neither need nor read a developer's .env.
BARE := ENV_FILE= DEBUG=1 DATABASE_URL=sqlite://:memory: REDIS_URL= CACHE_BACKEND=
PYTEST := $(BIN)/python -m pytest
# Most of a test's time is waiting for a server. Files stay whole, for some share a server among their tests, and in their
# order: sorted by the number of tests, as is the default, the longest would come last and one process wait for it.
TWO := -n 2 --dist loadfile --no-loadscope-reorder

run: .venv/run-ready  ## web server and worker on this machine; Ctrl-C stops both
	@$(BIN)/python -m rhiz.launch

test: lint  ## everything: lint, then the suite on PostgreSQL and Redis, then on SQLite and memory
	$(BIN)/python -m tests.servers -- $(PYTEST) $(TWO)
	env -u DATABASE_URL -u REDIS_URL -u CACHE_BACKEND $(PYTEST) $(TWO)

lint: .venv/test-ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BARE) $(BIN)/mypy
	$(BARE) $(BIN)/lint-imports
	$(BARE) $(BIN)/python manage.py makemigrations --check --dry-run

pictures: .venv/test-ready  ## docs/pictures/, as a browser sees the pages now
	$(BIN)/python -m tests.servers -- $(PYTEST) tests/integration/browser
	mkdir -p docs/pictures
	cp artefacts/browser/first-sight-of-pipeline-24h-1440-light.png docs/pictures/pipeline-light.png
	cp artefacts/browser/first-sight-of-pipeline-24h-1440-dark.png docs/pictures/pipeline-dark.png
	cp artefacts/browser/first-sight-of-letter-390-light.png docs/pictures/letter-light.png
	cp artefacts/browser/first-sight-of-letter-390-dark.png docs/pictures/letter-dark.png

openapi: .venv/test-ready  ## docs/openapi.yaml, made anew from the views
	$(BARE) $(BIN)/python manage.py spectacular --fail-on-warn --file docs/openapi.yaml

proof: .venv/test-ready  ## what is too long for every run
	$(BIN)/python -m tests.servers -- $(PYTEST) -m proof --timeout 3600
	env -u DATABASE_URL -u REDIS_URL -u CACHE_BACKEND $(PYTEST) -m proof --timeout 3600

mutants: .venv/test-ready  ## takes each rule of the log out of a copy of the code, and sees its tests fail; NAMES="..." for some
	$(BIN)/python -m tests.servers -- $(BIN)/python -m tests.mutants $(NAMES)

bench: .venv/bench-ready  ## measurements beside peers, on a PostgreSQL of its own
	$(BIN)/python -m benchmarks

.venv/bench-ready: requirements-bench.txt .venv/test-ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-bench.txt
	@touch $@

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/run-ready: requirements.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/test-ready: requirements.txt requirements-dev.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@
