# One command for each task; `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
COUNT ?= 1
PROCESSES := serve-gateway serve-registration serve-approval serve-notification serve-cards relay
PIP := $(BIN)/python -m pip install -q --disable-pip-version-check
COMPILE := uv pip compile -q --universal --python-version 3.11 --no-emit-index-url --no-emit-find-links \
           --no-header --no-annotate --generate-hashes $(UPGRADE)

.PHONY: servers-named help venv demo run local up down upgrade backup restore smoke test bench lint lock docs clean

help:
	@grep -hE '^[a-z]+:.*## ' Makefile | sed -E 's/^([a-z]+):.*## (.*)/\1\t\2/' | while IFS=$$'\t' read -r target text; do printf '  make %-8s %s\n' "$$target" "$$text"; done

venv: .venv/.dev .venv/.project ## Make .venv from the locks and install the project into it

demo: .venv/.project ## Walk one declaration through the embedded system and stay up (DEMO_EXIT=1: exit afterwards)
	@exec $(BIN)/vssid demo

run: .venv/.project ## The embedded system without the walk: one process, SQLite, no server
	@exec $(BIN)/vssid run

# Whatever one of the processes writes is a line of JSON, so the shell itself says nothing about those that end. It
# looks once a second, since bash on macOS cannot wait for any of several.
local: servers-named .venv/.project secrets ## Each service and the relay a process of its own, on AMQP_URL and DATABASE_URL
	@secret() { sed -n "s/^$$1=//p" .env; }; \
	export HTTP_PORT="$${HTTP_PORT:-8000}" \
	  SEAL_KEY="$${SEAL_KEY:-$$(secret SEAL_KEY)}" LINK_KEY="$${LINK_KEY:-$$(secret LINK_KEY)}" \
	  OFFICER_KEY="$${OFFICER_KEY:-$$(secret OFFICER_KEY)}" JOURNAL_KEY="$${JOURNAL_KEY:-$$(secret JOURNAL_KEY)}"; \
	export PUBLIC_URL="$${PUBLIC_URL:-http://127.0.0.1:$$HTTP_PORT}"; \
	$(BIN)/vssid migrate >/dev/null || exit; \
	exec 3>&2 2>/dev/null; \
	stop() { trap '' HUP INT TERM; kill $$(jobs -p); wait; exit $$1; }; \
	trap 'stop 0' HUP INT TERM; \
	port=$$HTTP_PORT; \
	for process in $(PROCESSES); do \
	  HTTP_PORT=$$port $(BIN)/vssid $${process/-/ } 2>&3 3>&- & port=$$((port + 1)); \
	done; \
	while [ $$(jobs -pr | wc -l) -eq $(words $(PROCESSES)) ]; do sleep 1; done; \
	stop 1

servers-named:
	@[ -n "$$AMQP_URL" ] && [ -n "$$DATABASE_URL" ] || { \
	  echo 'make local: set AMQP_URL=amqp://user:password@host:5672/ and DATABASE_URL=postgresql://user:password@host:5432/vssid' >&2; exit 2; }

up: secrets ## The same with docker compose (SCALE="--scale registration=3")
	docker compose up --build -d --wait $(SCALE) $(ARGS)

down: .env ## Stop what `make up` started; data stay (ARGS=-v deletes them)
	docker compose down --remove-orphans $(ARGS)

# `docker compose up` stops whatever depends on what changed, and starts it again only after all of that. So a container
# of the new version is started beside each of the old ones, without what it depends on, before the old ones are stopped.
upgrade: secrets ## Replace services, relay and gateway by this version while callers are served
	docker compose build
	docker compose run --rm --no-deps definitions
	docker compose exec -T rabbitmq rabbitmqctl -q import_definitions /etc/rabbitmq/definitions/definitions.json
	docker compose run --rm --no-deps migrate
	@set -e; for service in registration approval notification cards relay gateway; do \
	  old=$$(docker compose ps -q $$service); \
	  docker compose up -d --no-deps --no-recreate --wait --scale $$service=$$((2 * $$(wc -w <<<"$$old"))) $$service; \
	  docker stop $$old >/dev/null; docker rm $$old >/dev/null; \
	done

backup: ## Back up what `make up` started, while it runs (BACKUP=backups/…)
	@$(PYTHON) deploy/backup.py backup "$${BACKUP:-backups/$$(date -u +%Y-%m-%dT%H%M%SZ)}"

restore: ## Restore a backup into an empty system, and start it (BACKUP=backups/…)
	@[ -n "$$BACKUP" ] && [ -f .env ] || { \
	  echo 'make restore: set BACKUP=folder, and put the .env of the backed-up system here' >&2; exit 2; }
	docker compose build --quiet definitions
	@$(PYTHON) deploy/backup.py restore "$$BACKUP"
	@$(MAKE) --no-print-directory up

# With docker compose all of it runs in containers, so the machine needs no Python for it.
smoke: ## Drive a running system from submission to card, and count its messages (COUNT=50)
	@set -o pipefail; seed=$$(date +%s); \
	if docker compose ps -q approval 2>/dev/null | grep -q .; then \
	  vssid="docker compose exec -T approval vssid"; run="docker compose run --rm -T --no-deps smoke"; \
	else \
	  $(MAKE) -s .venv/.project || exit; vssid=$(BIN)/vssid; run="$(BIN)/vssid smoke run"; \
	  export GATEWAY_URL="$${GATEWAY_URL:-http://127.0.0.1:$${HTTP_PORT:-8000}}"; \
	  export INBOX_URL="$${INBOX_URL:-http://127.0.0.1:$${MAILPIT_PORT:-8025}}"; \
	fi; \
	trap "$$vssid smoke finish --seed $$seed" EXIT; \
	$$vssid smoke prepare --seed $$seed --count $(COUNT) | $$run --seed $$seed --count $(COUNT)

# The addresses are found first: if a server is missing, the only output is the line that says so.
test: lint ## Everything that must pass, RabbitMQ and PostgreSQL included (ARGS for pytest; -n 0: one process)
	@urls=$$($(BIN)/python -m tests.support.servers nginx) && env $$urls $(BIN)/python -m pytest -n 2 $(ARGS)

bench: .venv/.dev .venv/.project ## How fast it is, beside a ceiling for each figure; docs/performance.md (QUICK=1, FULL=1, ONLY=abg)
	@urls=$$($(BIN)/python -m tests.support.servers) && env $$urls $(BIN)/python -m tests.bench

chaos: .venv/.dev .venv/.project ## N declarations (10000) while a seeded schedule of faults strikes; a ledger at the end (SEED=1)
	@urls=$$($(BIN)/python -m tests.support.servers) && env $$urls $(BIN)/python -W ignore -m tests.chaos

lint: .venv/.dev .venv/.project ## Style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

lock: ## Write both locks anew from requirements*.in (UPGRADE=--upgrade for newer versions; needs uv)
	@command -v uv >/dev/null || { echo 'make lock: uv is needed, for instance pipx install uv' >&2; exit 2; }
	$(COMPILE) -o requirements.lock requirements.in
	$(COMPILE) -o requirements-dev.lock -c requirements.lock requirements-dev.in
	@! grep -n '://' requirements.lock requirements-dev.lock || { echo 'make lock: a lock names a host' >&2; exit 1; }

docs: .venv/.project ## Write the generated documents: events.md, openapi.json, asyncapi.json, the table of settings
	$(BIN)/vssid docs

clean: ## Remove .venv, var and caches, and the servers that tests started with docker compose
	rm -rf .venv var build ./*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
	@! docker info >/dev/null 2>&1 || docker compose -f tests/support/servers.yml down -v --remove-orphans

.venv/.runtime: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	  || { echo 'make: Python 3.11, 3.12 or 3.13 is needed, $(PYTHON) is not; name one: make PYTHON=python3.13' >&2; exit 2; }
	$(PYTHON) -m venv --clear .venv
	$(PIP) --require-hashes -r requirements.lock
	@touch $@

.venv/.dev: requirements-dev.lock .venv/.runtime
	$(PIP) --require-hashes -r requirements-dev.lock
	@touch $@

# Without build isolation the build takes setuptools from the lock and nothing from elsewhere.
.venv/.project: pyproject.toml .venv/.runtime
	$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: secrets
secrets:
	@$(PYTHON) deploy/environment.py
