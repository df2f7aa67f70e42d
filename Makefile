# The project's verbs. `make app` and `make test` are all a person needs.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
export OMP_NUM_THREADS ?= 1
# Tests of one file stay with one worker, because they share servers and trained runs; files in their order, because
# the long ones come before the many short ones.
WORKERS := -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.PHONY: app class env test test-fast fuzz check demo labels comparisons matching reliability screenshots bench clean

$(VENV)/.app: requirements.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

$(VENV)/.dev: requirements.txt requirements-dev.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@ $(VENV)/.app

app: $(VENV)/.app          ## make the environment, install, open the app on 127.0.0.1
	$(BIN)/streamlit run app.py

class: export SIMCLR_CLASS = $(HOST)
class: export SIMCLR_CLASS_PORT = $(PORT)
class: $(VENV)/.app        ## let others look, read-only: make class HOST=192.168.1.10, further names after commas
	@test -n "$$SIMCLR_CLASS" || { echo '`HOST` must be this machine'"'"'s address, got nothing; make class HOST=192.168.1.10' >&2; exit 2; }
	$(BIN)/python app.py

env: $(VENV)/.dev          ## the environment with the development tools

test: env                  ## every test this machine can run; browser tests need Chromium
	$(BIN)/python -m pytest $(WORKERS)

test-fast: env             ## no browser, no training
	$(BIN)/python -m pytest $(WORKERS) -m "not browser and not slow"

fuzz: env                  ## the laws again, on examples nobody has seen
	HYPOTHESIS_PROFILE=dice $(BIN)/python -m pytest $(WORKERS) tests/property tests/unit tests/app -m "not slow"

check: env                 ## style, types, layers
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

demo: env                  ## build the bundled run again from the bundled pictures
	$(BIN)/python -m simclr_core.demo.build

reliability: env           ## kill a run at twenty moments and see that it ends in the same weights
	RELIABILITY_KILLS=20 $(BIN)/python -m pytest tests/cli/test_commands.py -k killed_at_any_moment

labels: env                ## measure exercise 6 of the work sheet again: about fifteen minutes on one core
	$(BIN)/python -m simclr_core.demo.labels

comparisons: env           ## train the runs behind the pages Batch size and Queue again: an hour on one core
	$(BIN)/python -m simclr_core.demo.comparisons queue
	$(BIN)/python -m simclr_core.demo.comparisons batch

matching: env              ## measure what finds the other view again: about five minutes on one core
	$(BIN)/python -m simclr_core.demo.matching_runs

screenshots: env           ## take the README's pictures again
	$(BIN)/python docs/screenshots.py

bench: env                 ## every benchmark that needs no data set of its own: half an hour; `make bench NAME=cifar OPTIONS=npz:FILE` one
	env -u OMP_NUM_THREADS $(BIN)/python -m simclr_core bench $(or $(NAME),all) $(OPTIONS)

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis test-artifacts
