# The commands of this project. Each sets up what it needs in its own environment, and a second call finds it ready.
# They need make, a POSIX shell, and Python 3.11 or later with venv. uv is used if it is installed.
#
#   make demo           one voucher, from issue to redeem and through a real QR picture
#   make serve          a gateway with a phone's page and a terminal's, in your browser
#   make test           everything pytest runs
#   make VERB ARGS=...  the same with arguments for the program: make test ARGS='tests/wire -x'
#
# PYTHON=... chooses the interpreter, VENV=... the environment's folder; UV= (empty) does not use uv. The checks themselves,
# and more of them, are in noxfile.py: scripts/nox --list.

VENV ?= .venv
ARGS ?=
KILLS ?= 500
PY := $(VENV)/bin/python
NOX := scripts/nox
EXTRAS := .[qr,cli,redis,otel,otp,pkcs11,status-http,tuf,bulk]
# The tests of the library itself, without those that take long: pages, peers, processes, servers, searches.
QUICK := tests $(foreach path,examples interop cli bulk replay test_docs.py test_laws.py,--ignore=tests/$(path))
# The processors of an offline bundle; the one that is not this machine's needs `rustup target add` once.
BUNDLED := x86_64-unknown-linux-gnu aarch64-unknown-linux-gnu
# Several processes share the tests; ARGS=-n0 runs them in one, which a debugger needs.
PYTEST := $(PY) -m pytest -n auto --maxprocesses 8 --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help environment demo serve test chaos check lint bench vectors docs site native differential aarch64 miri js clusters conform compare kit wheels bundle clean

help: ## what there is to make
	@grep -hE '^[a-z0-9-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/^([a-z0-9-]+):.*## /  make \1\t/'

environment:
	@scripts/environment $(VENV) --native -e '$(EXTRAS)' --group test --group browser

demo: ## the main thing, shown from end to end
	@scripts/environment build/venv-demo -e '.[qr]' --group demo
	@build/venv-demo/bin/python examples/demo.py $(ARGS)

serve: environment ## the gateway with its phone and terminal pages, on the loopback; Ctrl-C ends it
	$(PY) -m examples.gateway $(ARGS)

# Tests start the program some hundred times, and each start would compile the sources anew without their bytecode.
test chaos check: export PYTHONDONTWRITEBYTECODE =

test: environment ## every test
	$(PYTEST) $(ARGS)

chaos: environment ## kill a redis-server under load: KILLS=500 make chaos
	YBTOKEN_CHAOS_KILLS=$(KILLS) $(PY) -m pytest -n 2 -rP -o faulthandler_timeout=0 tests/replay/test_redis_chaos.py $(ARGS)

check: environment ## a first answer within half a minute: style, and the tests of the library itself
	@scripts/environment build/venv-lint --group lint
	build/venv-lint/bin/ruff check .
	build/venv-lint/bin/ruff format --check .
	$(PYTEST) $(QUICK) --deselect=tests/test_vectors.py::test_the_generator_makes_what_is_committed $(ARGS)

lint: ## style and types
	$(NOX) -s lint -- $(ARGS)

bench: ## rates and ratios beside other libraries, and build/bench.json
	$(NOX) -s bench -- $(ARGS)

vectors: environment ## write the vectors anew; ARGS=--check compares only
	$(PY) vectors/generate.py $(ARGS)

docs: environment ## fill in what is generated in the documents; ARGS=--check compares only
	$(PY) docs/generate.py $(ARGS)

site: ## the documents as a website in build/site, with search
	$(NOX) -s site

native: ## the native engine's own checks, where Rust is present
	$(NOX) -s native -- $(ARGS)

differential: ## the native engine's verdicts against another implementation's: COUNT=1000000 SEED=... make differential
	$(NOX) -s differential

aarch64: ## the native engine's tests for aarch64, under qemu-user: ARGS=--whole for every random case
	$(NOX) -s aarch64 -- $(ARGS)

miri: ## the native engine's tests in an interpreter that sees undefined behaviour; needs a nightly toolchain
	$(NOX) -s miri -- $(ARGS)

js: ## the JavaScript verifier: its own tests, its types and its size
	$(NOX) -s js

clusters: ## bulk verification on Dask, Spark and Ray; it takes minutes
	$(NOX) -s clusters -- $(ARGS)

conform: ## every program of this repository through the conformance kit
	$(NOX) -s conform

compare: ## inputs at random, the same to three verifiers; ARGS='--count 1000000' for a long run
	$(NOX) -s compare -- $(ARGS)

kit: ## the conformance kit as an archive, in dist/
	@scripts/kit

wheels: ## the sdists and the wheels, in dist/, tried in empty environments
	$(NOX) -s wheels installed

bundle: ## all that machines without an index need, for two processors: ARGS='--extras qr,bulk' make bundle
	$(NOX) -s wheels -- $(BUNDLED)
	$(NOX) -s bundle -- $(ARGS)
	$(NOX) -s offline

clean: ## remove everything that was made here
	rm -rf $(VENV) .nox build dist .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
