# The two commands that matter are `make run` and `make test`. Each makes .venv and installs what is missing:
# Debian packages when it may (root and apt-get), Python packages always. The second time nothing is installed.
# Tests with programs of others (curl, nghttp2-client, nghttp2-server, nginx-light, wrk, chromium-headless-shell, redis,
# ngtcp2-client) are skipped where those are missing; .ci/run installs them.

VENV   := .venv
PY     := $(VENV)/bin/python
STAMPS := .make
TYPES  := $(shell find sbc -name '*.pxd' 2>/dev/null)
TWINS  := $(wildcard $(TYPES:.pxd=.py) $(TYPES:.pxd=.pyx)) $(TYPES)
CONFIG ?= config/sbc.yaml
ARGS   ?=
# Most tests wait more than they compute: one more at a time than there are processors. A file's tests stay in order.
SIDE_BY_SIDE := --numprocesses=$(shell n=$$(nproc 2>/dev/null || echo 2); echo $$((n < 8 ? n + 1 : 8))) --dist=loadfile

.PHONY: help run test test-hostile test-cluster test-deployment test-others test-pure lint bench storm autobahn conformance fuzz history chaos build clean
.DEFAULT_GOAL := help

help:
	@echo 'make run          the edge with $(CONFIG) and two demo agent nodes, ready to talk to'
	@echo 'make test         the tests, with the compiled modules where a compiler is there (ARGS="-k drain" picks some)'
	@echo 'make test-hostile the edge under attack, and what reads hostile bytes (tests/hostile, tests/fuzz)'
	@echo 'make test-cluster several workers, edges and machines, with real Redis servers in trouble (tests/cluster)'
	@echo 'make test-deployment  the container file and the Kubernetes manifest, with their judges (fetches them from PyPI)'
	@echo 'make test-others  the edge between clients and servers of others: curl, SDKs, gRPC, a browser (tests/thirdparty)'
	@echo 'make test-pure    core, runtime and fault tests with the same modules as plain Python'
	@echo 'make lint         ruff, mypy --strict, the import contracts'
	@echo 'make bench        the measurements of bench/'
	@echo 'make storm        2,000 clients that come back at once'
	@echo 'make autobahn     the Autobahn WebSocket cases, direct against through the edge (fetches the suite from PyPI)'
	@echo 'make conformance  the MCP conformance suite, direct against through the edge (fetches the suite from npm)'
	@echo 'make fuzz         every parser against made-up input, a minute each (ARGS="--seconds 600 request_head")'
	@echo 'make history      edges on one Redis while all goes wrong, from a seed: who owned what when (ARGS="--seed 7")'
	@echo 'make chaos        whole systems in network namespaces while all goes wrong, from a seed (SEED=7 SECONDS=120; root)'
	@echo 'make build        the compiled modules alone'
	@echo 'make clean        removes what was built and installed here'

run: build
	$(VENV)/bin/sbc demo -c $(CONFIG)

test: build
	$(PY) -m pytest $(SIDE_BY_SIDE) --ignore=tests/thirdparty --ignore=tests/hostile --ignore=tests/fuzz --ignore=tests/cluster \
		$(ARGS)

test-hostile: build
	$(PY) -m pytest $(SIDE_BY_SIDE) tests/hostile tests/fuzz $(ARGS)

test-cluster: build
	$(PY) -m pytest $(SIDE_BY_SIDE) tests/cluster $(ARGS)

test-deployment: build $(STAMPS)/deployment
	$(PY) -m pytest tests/config/test_deployment.py $(ARGS)

test-others: build
	$(PY) -m pytest $(SIDE_BY_SIDE) tests/thirdparty $(ARGS)

# Build nothing first: the switch is the whole difference, and must do with stale or missing compiled modules.
test-pure: $(STAMPS)/installed
	SBC_PURE=1 $(PY) -m pytest $(SIDE_BY_SIDE) tests/core tests/runtime tests/faults $(ARGS)

lint: $(STAMPS)/installed
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

bench: build $(STAMPS)/bench
	$(PY) -m bench $(ARGS)

# All clients of an edge come back at once (tests/faults/test_storm.py, with fewer of them in the suite).
storm: build
	STORM=2000 $(PY) -m pytest -s tests/faults/test_storm.py -k come_back $(ARGS)

autobahn: build
	tests/thirdparty/autobahn.sh $(ARGS)

fuzz: build $(STAMPS)/fuzz
	$(PY) -m tests.fuzz $(ARGS)

conformance: build
	tests/thirdparty/conformance.sh $(ARGS)

history: build
	$(PY) -m tests.cluster.redis_history $(ARGS)

chaos: build
	$(PY) -m tests.chaos $(if $(SEED),--seed $(SEED)) $(if $(SECONDS),--seconds $(SECONDS)) $(ARGS)

build: $(STAMPS)/built

# An extension that cannot be compiled is left out (setup.py): the same module then runs as Python. The C is Cython's:
# nobody can mend what a compiler remarks on in it (-w; as CFLAGS it would take the place of Python's own flags).
$(STAMPS)/built: $(STAMPS)/installed $(TWINS)
	@echo 'compiling what messages pass through (some minutes the first time)'
	@CPPFLAGS="-w $$CPPFLAGS" $(PY) setup.py --quiet build_ext --inplace
	@ls sbc/*/*.so >/dev/null 2>&1 || [ -z "$(TYPES)" ] || echo 'note: no compiled modules, going on in plain Python'
	@touch $@

$(STAMPS)/installed: $(VENV)/pyvenv.cfg pyproject.toml setup.py
	@mkdir -p $(STAMPS)
	@echo 'installing the Python packages into $(VENV)'
	@SBC_PURE=1 $(PY) -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

$(STAMPS)/bench: $(STAMPS)/installed
	@$(PY) -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	@touch $@

$(STAMPS)/deployment: $(STAMPS)/installed
	@$(PY) -m pip install --quiet --disable-pip-version-check -e '.[deployment]'
	@touch $@

$(STAMPS)/fuzz: $(STAMPS)/installed
	@$(PY) -m pip install --quiet --disable-pip-version-check -e '.[fuzz]'
	@touch $@

$(VENV)/pyvenv.cfg:
	@.ci/python $(VENV)

clean:
	rm -rf $(VENV) $(STAMPS) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .fuzz
	find sbc -name '*.so' -delete
	find sbc tests bench -name __pycache__ -type d -prune -exec rm -rf {} +
