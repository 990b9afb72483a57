# Each target sets up what it needs in a virtual environment of its own, and a second call finds it ready.
# What has to be there beforehand: make, a POSIX shell, and Python 3.11 or later with venv. uv is used where present.
#
#   make demo           one voucher, from issue to redeem and through a real QR picture
#   make serve          a gateway with a phone's page and a terminal's, in your browser
#   make test           everything pytest runs, and the native engine's own tests where Rust is present
#   make test ARGS=...  the same with arguments for pytest
#
# PYTHON=... chooses the interpreter, VENV=... the environment's folder, UV= (nothing) does without uv.

VENV ?= .venv
ARGS ?=
EXTRAS := qr,cli,redis,otel,otp,status-http,bulk
UV ?= $(shell command -v uv 2>/dev/null)
CARGO ?= $(shell command -v cargo 2>/dev/null)
PY := $(VENV)/bin/python

# Modules whose branches are covered to the last: the format, the keys, issuer and verifier, the guard in memory.
WHOLE := wire/* _checks voucher places keys/ring keys/protocols engines/columns engines/validity engines/serial \
  judging/* verifier policy issuer tokens replay/memory passes/challenge passes/rotating passes/device \
  status/list status/source status/policy status/registry
comma := ,
empty :=
space := $(empty) $(empty)
COVERED := --cov=ybtoken --cov-branch --cov-report=
WHOLE_FILES := $(subst $(space),$(comma),$(foreach module,$(WHOLE),*/ybtoken/$(module).py))

.DEFAULT_GOAL := help
.PHONY: conform js kit help demo serve test bench bench-here bench-timing bench-memory bench-stream native-test native-inlined differential differential-here miri wheels interop cbor2 cbor2-here lint coverage coverage-report vectors docs native ci dist smoke clean FORCE

help: ## what there is to make
	@grep -hE '^[a-z0-9-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/^([a-z0-9-]+):.*## /  make \1\t/'

demo: $(VENV)/ready ## the main thing, shown from end to end
	@$(PY) examples/demo.py $(ARGS)

serve: $(VENV)/ready ## the gateway with its phone and terminal pages, on the loopback; Ctrl-C ends it
	$(PY) -m examples.gateway $(ARGS)

# Several processes share the tests; ARGS='-n0 ...' runs them in one, for a debugger.
test: $(VENV)/ready native ## every test
	$(PY) -m pytest -n auto --maxprocesses 8 --dist worksteal $(ARGS)

bench: ## rates and ratios beside other libraries, and build/bench.json
	@$(MAKE) --no-print-directory VENV=build/venv-bench bench-here # one of those libraries holds cbor2 back

bench-here: $(VENV)/ready-bench native
	$(PY) -m benchmarks $(ARGS)

bench-timing: $(VENV)/ready ## whether the time of an SM2 signature tells something of its nonce
	$(PY) -m benchmarks.sm2_timing $(ARGS)

bench-memory: $(VENV)/ready ## whether memory grows over a million operations, good and bad
	$(PY) -m benchmarks.memory $(ARGS)

bench-stream: $(VENV)/ready native ## whether a file of ten million lines is verified in constant memory
	$(PY) -m benchmarks.stream $(ARGS)

interop: $(VENV)/ready ## tokens to and from other libraries, which are made ready first
	$(PY) interop/prepare.py
	$(PY) -m pytest tests/interop $(ARGS)

NODE ?= $(shell command -v node 2>/dev/null)

js/node_modules: js/package.json js/package-lock.json
	@cd js && npm ci --silent --no-audit --no-fund
	@touch $@

js: js/node_modules ## the JavaScript verifier: its own tests, its types and its size
	@cd js && npm test --silent && npm run --silent types && npm run --silent size

conform: $(VENV)/ready native js/node_modules ## every program of this repository through the conformance kit
	$(PY) vectors/conform.py -- $(PY) interop/library.py
	@if $(PY) -c 'import ybtoken_native' 2>/dev/null; then \
	  $(PY) vectors/conform.py -- $(PY) interop/library.py --engine native; fi
	$(PY) vectors/conform.py -- $(NODE) interop/javascript.mjs
	cd interop/go/verifier && go build -o ../../../build/interop/verifier .
	$(PY) vectors/conform.py -- build/interop/verifier

KIT_VERSION = $(shell sed -n 's/.*"version": "\(.*\)",/\1/p' vectors/manifest.json)

kit: ## the conformance kit as an archive, in dist/
	@mkdir -p dist
	tar --sort=name --owner=0 --group=0 --numeric-owner --mtime='2000-01-01' --transform='s,^,ybtoken-vectors-$(KIT_VERSION)/,' \
	  -C vectors -czf dist/ybtoken-vectors-$(KIT_VERSION).tar.gz README.md conform.py $(notdir $(wildcard vectors/*.json))

cbor2: ## every test with the oldest cbor2 that is supported, and with the last before 6
	@$(MAKE) --no-print-directory VENV=build/venv-cbor2-oldest CBOR2='cbor2==5.6.0' cbor2-here
	@$(MAKE) --no-print-directory VENV=build/venv-cbor2-5 CBOR2='cbor2<6' cbor2-here

cbor2-here: $(VENV)/ready
	@$(INSTALL) '$(CBOR2)'
	$(PY) -m pytest $(ARGS)

lint: $(VENV)/ready-lint ## style and types
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(PY) -m pyright --pythonpath $(PY)

coverage: ## every test, with the branches that they reach
	@$(MAKE) --no-print-directory test ARGS='$(COVERED) $(ARGS)'
	@$(MAKE) --no-print-directory coverage-report

coverage-report: # of a run of the tests with COVERED
	$(PY) -m coverage report --skip-covered --show-missing --fail-under=90
	$(PY) -m coverage report --include='$(WHOLE_FILES)' --show-missing --fail-under=100

vectors: $(VENV)/ready ## write the vectors anew; ARGS=--check compares only
	$(PY) vectors/generate.py $(ARGS)

docs: $(VENV)/ready ## fill in what is generated in the documents; ARGS=--check compares only
	$(PY) docs/generate.py $(ARGS)

# --- the native engine: a distribution of its own, built where there is a Rust toolchain ----------------------------

NATIVE := native/python
NATIVE_SOURCES := $(shell find native -name target -prune -o \( -name '*.rs' -o -name '*.toml' -o -name '*.lock' \) -print 2>/dev/null)

# Leaves in $need and $have what was compared.
CARGO_NEW_ENOUGH = need=$$(sed -n 's/^rust-version = "\(.*\)"/\1/p' native/Cargo.toml); have=$$($(CARGO) --version | cut -d' ' -f2); \
	[ "$$(printf '%s\n' "$$need" "$$have" | sort -V | head -n 1)" = "$$need" ]

native: $(VENV)/ready ## the native engine, where Rust is present
ifeq ($(wildcard $(NATIVE)/pyproject.toml),)
	@echo 'native engine: not part of this checkout'
else ifeq ($(CARGO),)
	@echo 'native engine: NOT BUILT, no cargo here (https://rustup.rs); its tests are skipped'
else
	@if $(CARGO_NEW_ENOUGH); then \
	  $(MAKE) --no-print-directory $(VENV)/ready-native; \
	else echo "native engine: NOT BUILT, cargo $$have is older than $$need; its tests are skipped"; fi
endif

# An intrinsic that is called was compiled apart from the code around it, without the instruction sets, and costs ten times as
# much as it should. Nothing but the time tells, so the machine code is looked at.
native-inlined:
	@command -v objdump >/dev/null || { echo 'native engine: no objdump, so nobody looked for calls of intrinsics'; exit 0; }; \
	module=$$($(PY) -c 'import importlib.util as u, pathlib; print(*pathlib.Path(u.find_spec("ybtoken_native").origin).parent.glob("*.so"))'); \
	test -n "$$module" || { echo 'native engine: its module was not found'; exit 1; }; \
	calls=$$(objdump -d --no-show-raw-insn -C $$module | grep 'call.*core_arch::.*_mm' || true); \
	test -z "$$calls" || { echo "native engine: intrinsics that are not inlined"; echo "$$calls" | head; exit 1; }

# One profile: the tests' own, for the bounds of every number are asserted there and not in a release.
native-test: native ## the native engine's own tests, where Rust is present
ifeq ($(CARGO),)
	@echo 'native engine: NOT TESTED, no cargo here (https://rustup.rs)'
else
	@if [ -e $(VENV)/ready-native ]; then \
	  set -e; cd native; \
	  $(CARGO) fmt --check; \
	  $(CARGO) clippy --quiet --workspace --all-targets -- -D warnings; \
	  $(CARGO) test --quiet -p ybtoken-curve -p ybtoken-engine; \
	  cd ..; $(MAKE) --no-print-directory native-inlined; \
	else echo 'native engine: NOT TESTED, it was not built'; fi
	@if [ -e $(VENV)/ready-native ]; then $(PY) -m pytest $(NATIVE)/tests; fi
endif

# How many signatures the next compares verdicts on, and the seed that they are made from: none is the time. Where there is
# no crypto_mb, RustCrypto is the oracle of FEWER, for it takes a hundred times as long.
COUNT ?= 1000000
SM2_COUNT ?= $(shell expr $(COUNT) \* 3 / 10)
SEED ?=
FEWER ?= 20000
SEEDED = $(if $(SEED),YB_DIFF_SEED=$(SEED))

differential: ## the native engine's verdicts against crypto_mb's: COUNT=1000000 SEED=...
ifeq ($(CARGO),)
	@echo 'native engine: NOT COMPARED, no cargo here (https://rustup.rs)'
else
	@if $(CARGO_NEW_ENOUGH); then \
	  $(MAKE) --no-print-directory VENV=build/venv-crypto-mb differential-here; \
	else echo "native engine: NOT COMPARED, cargo $$have is older than $$need"; fi
endif

differential-here: $(VENV)/made
	@$(INSTALL) --group bench-native || echo 'crypto_mb does not install here'
	@if library=$$($(PY) -m benchmarks.crypto_mb); then \
	  cd native && $(CARGO) build --quiet $(PROFILE) -p ybtoken-curve --example differential && \
	  LD_LIBRARY_PATH=$${library%/*} YB_DIFF_LIBRARY=$$library YB_DIFF_COUNT=$(COUNT) YB_DIFF_SM2_COUNT=$(SM2_COUNT) $(SEEDED) \
	    $(CARGO) run --quiet $(PROFILE) -p ybtoken-curve --example differential; \
	else \
	  echo 'so RustCrypto is asked instead, about $(FEWER) signatures a curve and not $(COUNT) and $(SM2_COUNT)'; \
	  cd native && YB_DIFF_COUNT=$(FEWER) $(SEEDED) $(CARGO) test --quiet $(PROFILE) -p ybtoken-curve --test differential -- --nocapture; \
	fi

# Miri says that the processor has what it is compiled for.
VECTORS := avx512f,avx512bw,avx512dq,avx512vl,avx512ifma,avx512vbmi,avx512vbmi2,bmi2,adx

miri: ## the native engine's tests in an interpreter that sees undefined behaviour; needs a nightly toolchain
	cd native && MIRIFLAGS=-Zmiri-disable-isolation RUSTFLAGS='-Ctarget-feature=+$(subst $(comma),$(comma)+,$(VECTORS))' PROPTEST_CASES=2 \
	  $(CARGO) +nightly miri test -p ybtoken-curve -p ybtoken-engine --tests $(ARGS)

wheels: $(VENV)/made ## the pure wheel and the native engine's, in dist/
	@$(INSTALL) build maturin
	$(PY) -m build --wheel --outdir dist .
ifeq ($(CARGO),)
	@echo 'native engine: NO WHEEL, no cargo here (https://rustup.rs)'
else
	$(PY) -m maturin build --release --strip --manifest-path $(NATIVE)/Cargo.toml --interpreter $(PY) --out dist
endif

$(VENV)/ready-native: $(VENV)/ready $(NATIVE_SOURCES)
	$(INSTALL) ./$(NATIVE)
	@touch $@

# --- the environment -------------------------------------------------------------------------------------------------

# Made anew when the interpreter has gone, or the checkout has moved: both leave paths behind that lead nowhere.
MADE_HERE := $(shell $(PY) -c pass 2>/dev/null && cat $(VENV)/made 2>/dev/null)
ifneq ($(MADE_HERE),$(CURDIR))
$(VENV)/made: FORCE
endif

# A name on the path may be a shim for a Python that is not installed, or lack venv: so each is tried, not looked up.
TRY := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))

ifeq ($(UV),)
INSTALL = $(PY) -m pip install --quiet --disable-pip-version-check
$(VENV)/made:
	@for python in $(PYTHON) python3.13 python3.12 python3.11 python3; do \
	  if "$$python" -c '$(TRY)' 2>/dev/null; then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo 'Python 3.11 or later with venv is needed (Debian: apt install python3-venv), or uv' >&2; \
	  echo '需要 Python 3.11 以上及 venv（Debian：apt install python3-venv），或 uv' >&2; exit 1; \
	fi; \
	echo "making $(VENV) with $$found ($$("$$found" --version))"; "$$found" -m venv --clear $(VENV)
	@$(INSTALL) --upgrade 'pip>=25.1' # earlier ones do not know dependency groups
	@echo '$(CURDIR)' > $@
else
INSTALL = $(UV) pip install --quiet --python $(PY)
$(VENV)/made:
	$(UV) venv --quiet --clear --python '$(or $(PYTHON),>=3.11)' $(VENV)
	@echo '$(CURDIR)' > $@
endif

$(VENV)/ready: $(VENV)/made pyproject.toml
	@echo 'installing into $(VENV)'
	@$(INSTALL) -e '.[$(EXTRAS)]' --group test --group browser
	@touch $@

$(VENV)/ready-lint: $(VENV)/ready
	@$(INSTALL) --group lint
	@touch $@

$(VENV)/ready-bench: $(VENV)/ready
	@$(INSTALL) --group bench
	@$(INSTALL) --group bench-native || echo 'crypto_mb does not install here; it is left out'
	@$(INSTALL) --group bench-sm2 || echo 'not every SM2 peer installs here; those that are missing are left out'
	@touch $@

FORCE:

# --- releases and checks ---------------------------------------------------------------------------------------------

dist: $(VENV)/made ## the sdist and the wheel, in dist/
	@rm -rf dist
	@$(INSTALL) build
	$(PY) -m build --outdir dist .

smoke: dist ## the wheel in an environment with nothing else in it
	$(PY) -m venv --clear build/smoke
	build/smoke/bin/python -m pip install --quiet --disable-pip-version-check dist/*.whl
	cd build && smoke/bin/python -I ../tests/smoke.py

ci: ## everything that has to hold before a change is taken
	.ci/run

clean: ## everything that was made here
	rm -rf $(VENV) build dist .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
