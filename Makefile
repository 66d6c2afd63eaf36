# `make` lists the targets. Every target makes the environment first where it is missing.
SHELL := /bin/bash
.DEFAULT_GOAL := help
export UV_FIND_LINKS := $(PIP_FIND_LINKS)
BIN := .venv/bin
SERVICES := ../shared/services/up

.PHONY: help install lock hooks demo check cluster-check test test-services test-cluster test-long bench bench-joins docs clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /\1\t/' | awk -F'\t' '{printf "  make %-14s %s\n", $$1, $$2}'

install: ## Make .venv from requirements.lock (Python 3.11 is fetched where it is missing)
	@cluster/bootstrap.sh

# 130 is Ctrl-C: no error of make's. INPUT goes through the environment, so that no quote in it is the shell's.
demo: export RETAIL_DEMO_INPUT := $(INPUT)
demo: install ## Sample (or INPUT='path or glob') → lake → warehouse → API; Ctrl-C ends it
	@$(BIN)/retail demo $${RETAIL_DEMO_INPUT:+--input "$$RETAIL_DEMO_INPUT"} || [ $$? = 130 ]

check: install ## ruff, mypy, import-linter, sqlfluff, the manifests of kuberay/
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/sqlfluff lint --disable-progress-bar --config warehouse_sql/sqlfluff.cfg warehouse_sql
	@$(BIN)/sqlfluff lint --disable-progress-bar --config pipelines/joins/sqlfluff.cfg pipelines/joins
	@$(MAKE) --no-print-directory cluster-check

cluster-check: install ## Render kuberay/ and judge it by schemas, rules and Ray's readers; lint the Containerfile
	@cluster/kube_tools.sh
	@$(BIN)/retail cluster validate --test-images
	@$(BIN)/hadolint kuberay/image/Containerfile

test: install ## Unit, contract and flow tests, those of Ray in one process and the others in a second
	@$(BIN)/python -m pytest -n 2

test-services: install ## The suites on real servers, and the page in Chromium
	@cluster/test_services.sh

test-cluster: install ## Ray nodes in private namespaces, KubeRay's autoscaler on our manifests, Spark with what is killed of it
	@cluster/kube_tools.sh
	@$(BIN)/python -m pytest tests/cluster tests/kube

test-long: install ## Soaks: 2 and 10 million lines
	@$(BIN)/python -m pytest tests/long

bench: install ## Raw CSV to gold against hand-written Polars; writes docs/benchmarks.md
	@$(BIN)/python -m benchmarks.raw_to_gold

bench-joins: install ## The large joins: Spark on Ray, plain Spark and the local engine; writes docs/benchmarks.md
	@$(BIN)/python -m benchmarks.joins

docs: install ## Write the generated pages of docs/
	@$(BIN)/python -m ray_apps.docs

hooks: install ## Run ruff and import-linter before each commit, the rest before each push
	@$(BIN)/pre-commit install --hook-type pre-commit --hook-type pre-push

lock: install ## Resolve pyproject.toml into requirements.lock
	@.uv/bin/uv pip compile -q --no-annotate --no-header --python-version 3.11 pyproject.toml --all-extras --group dev -o requirements.lock
	@! grep -qE '^(nvidia|cuda|triton)' requirements.lock

clean: ## Remove environments and caches; local data (.retail) stays
	@rm -rf .venv .dbt .uv .kube-tools .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info
