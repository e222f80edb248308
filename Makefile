# SPDX-License-Identifier: Apache-2.0
# The doors: run test bench lint docs clean. CI goes through the same ones.

PYTHON ?= python3
ONLY ?=
VENV := .venv
IN_VENV := $(VENV)/bin/python

.PHONY: help run test bench fuzz conservation lint docs clean venv packages check-python
.DEFAULT_GOAL := help

help:
	@echo "make run     try it here: broker, collector and agent on this machine, and a page to look at"
	@echo "make test    everything CI runs, installing what it needs     (ONLY=unit: one suite)"
	@echo "make bench   measure, print and write build/bench.json        (ONLY=name: one bench)"
	@echo "make fuzz    ask a fuzzer for bytes that break a reader         (ONLY=dns SECONDS=60)"
	@echo "make conservation   made = stored + counted drops, with long outages and 30 days offline"
	@echo "make lint    rules, format, types, who may import whom"
	@echo "make docs    write the generated parts of the documents anew"
	@echo "make clean   remove everything make has made"

# No root, no pip, no python3-venv needed. The embedded broker is installed only where mosquitto is not.
run: check-python
	@$(PYTHON) deploy/environment.py agent collector \
		$$(PATH="$$PATH:/usr/sbin:/usr/local/sbin" command -v mosquitto >/dev/null || echo demo)
	@exec $(IN_VENV) -m collector demo

test: venv packages
	@$(IN_VENV) -m tests.suites $(ONLY)

bench: venv
	@$(IN_VENV) -m tests.bench $(ONLY)

fuzz: venv
	@$(IN_VENV) -m tests.fuzz $(ONLY) --seconds $(or $(SECONDS),10)

conservation: venv packages
	@SCHOOLPULSE_TEST_CONSERVATION=full $(IN_VENV) -m pytest -s -p no:randomly tests/system/test_conservation.py

lint: venv
	@$(IN_VENV) -m tests.suites lint

docs: venv
	@$(IN_VENV) deploy/grafana/fleet.py
	@$(IN_VENV) -m docs.generate

clean:
	rm -rf $(VENV) build dist *.egg-info .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	rm -rf .import_linter_cache
	find agent collector deploy docs firmware_bridge tests -name __pycache__ -prune -exec rm -rf {} +

venv: check-python
	@$(PYTHON) deploy/environment.py dev

packages:
	@sh tests/setup/debian.sh
	@sh tests/setup/unpack.sh

check-python:
	@command -v $(PYTHON) >/dev/null || { echo "schoolpulse: needs Python 3.11 to 3.13, there is no $(PYTHON)"; exit 1; }
