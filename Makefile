# Bare `make` lists the targets. Everything runs from the checkout; state lives in .unbroken (UNBROKEN_STATE).
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
# infra/local.env for this stack: the file itself, or with shifted ports when UNBROKEN_PORT_OFFSET is set.
LOCAL := set -a && . <($(PYTHON) -m infra.native env) && set +a &&
# Versions for `make test-brokers`; unset: those it names itself.
BROKERS ?=
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help install up down status demo test lint check bench corpus render months lock test-brokers faults drills alerts fresh

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 15

install: $(VENV)/complete  ## virtual environment from the lock file

$(VENV)/complete: requirements/dev.lock pyproject.toml infra/python.sh
	bash infra/python.sh $(PYTHON) $(VENV)

up: install  ## start the local stack of real services, installing what is missing
	$(PY) -m infra.native up

down:  ## end everything `make up` started
	$(PYTHON) -m infra.native down

status:  ## the stack's services, then the pipeline
	@$(PYTHON) -m infra.native status; $(LOCAL) unbroken status

demo: up  ## the main job on footage made on the spot, with what it found
	$(LOCAL) $(PY) -m pipeline.demo

test: install  ## every test, on real services; the stack is left as it was found
	@was_up=0; $(PY) -m infra.native status >/dev/null 2>&1 && was_up=1; \
	trap '[ $$was_up = 1 ] || $(PY) -m infra.native down >/dev/null' EXIT; \
	$(PY) -m infra.native install tests; \
	$(PY) -m infra.native up && $(LOCAL) $(PY) -m pytest

lint: install  ## style, types, layers
	ruff check .
	ruff format --check .
	mypy
	lint-imports

check: lint test  ## exactly what CI runs

bench: up  ## measurements as ratios against a floor in the same run; JSON in bench/results
	$(LOCAL) $(PY) -m bench

corpus: install  ## what is found and what is invented in recordings broken on purpose, beside common tools
	$(PY) -m tests.corpus

render: install  ## write the files that are made from data
	$(PY) docs/render.py

months: install  ## 200 simulated months of deadlines (25 are part of `make test`)
	UNBROKEN_MONTH_SEEDS=200 $(PY) -m pytest tests/domain/test_deadline_month.py

lock: install  ## renew the lock file after editing pyproject.toml
	$(PY) -m pip install -q uv && uv pip compile -q pyproject.toml --group dev --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-annotate --no-header -o requirements/dev.lock

test-brokers: install  ## the runner's real-broker tests on other Kafka versions
	$(PY) -m tests.brokers $(BROKERS)

faults: up  ## every fault between us and the store, a dozen cases a cell; everything killed at random (a few are in `make test`)
	$(LOCAL) UNBROKEN_FAULT_SEEDS=$${UNBROKEN_FAULT_SEEDS:-12} UNBROKEN_KILL_SEEDS=$${UNBROKEN_KILL_SEEDS:-5} \
	  UNBROKEN_KILLS=$${UNBROKEN_KILLS:-10} $(PY) -m pytest -rP tests/faults tests/e2e/test_kills.py \
	  tests/e2e/test_full_store.py

drills: up  ## state topics lost and rolled back, a broker deleted and wiped; what is rebuilt is compared
	$(LOCAL) UNBROKEN_DRILLS=1 $(PY) -m pytest tests/e2e/test_recovery.py

alerts: up  ## alerts on real Prometheus and Alertmanager, heard and over; a deadline of a minute in place of a day
	$(LOCAL) UNBROKEN_ALERT_TRIALS=1 $(PY) -m pytest -rP tests/e2e/test_alerts.py

fresh:  ## both README commands in a new clone with empty caches
	bash tests/fresh.sh
