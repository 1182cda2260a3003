# `make` alone explains the targets. Each of them sets up .venv itself, once: only Python 3.11+ and make are needed.

PYTHON ?=
PORT ?= 8000

# Others may be active, or on the path: neither is to be seen from here.
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME
export PYTHON PORT

SET_UP := sh tools/set-up.sh
PY := .venv/bin/python
ROOMS := heaven_core adapters tests benchmarks examples tools
CODE := $(foreach room,$(ROOMS),$(if $(wildcard $(room)/*.py $(room)/*/*.py),$(room)))
STUBS := h11 aiofiles

.PHONY: help demo test check-fast fast-rules fast-tests lint types imports tests format states compiled bench bench-files bench-events bench-socket bench-wsgi attack dev-env demo-env clean

help:
	@echo "make demo         the showcase at http://127.0.0.1:8000/ (PORT=8001 changes the port); Ctrl-C stops it"
	@echo "make test         everything that CI runs: lint, types, imports, tests"
	@echo "make check-fast   for working: the same without what takes long, under 20 seconds"
	@echo
	@echo "make lint         formatting and rules (ruff)"
	@echo "make types        mypy and pyright, both strict; the stubs in typings/ against the packages they describe"
	@echo "make imports      which room may import which (import-linter)"
	@echo "make tests        pytest with branch coverage; heaven_core must have 100%"
	@echo "make format       lets ruff format the code and repair what it can"
	@echo "make states       draws docs/states.md anew, from heaven_core/machine/states.py"
	@echo "make compiled     compiles the core with mypyc in a scratch folder and runs its tests on that; takes two minutes"
	@echo "make bench        prints what things cost, as ratios (benchmarks/README.md); takes a minute, gates nothing"
	@echo "make bench-files  the same for downloads, beside nginx and Starlette; takes two minutes"
	@echo "make bench-events the same for chunks and event streams, beside Starlette and sse-starlette; takes two minutes"
	@echo "make bench-socket the same for the socket server, beside uvicorn, aiohttp, hypercorn and nginx; takes five minutes"
	@echo "make bench-wsgi   the same for a small text and JSON under WSGI, beside Falcon and Flask; takes two minutes"
	@echo "make attack       lets chaotic clients loose on every ASGI server, and prints what is left of them; takes two minutes"
	@echo "make clean        removes .venv, caches and what was built"
	@echo
	@echo "PYTHON=python3.12 chooses the interpreter, 3.11 or later; another one than before makes .venv anew."

demo: demo-env
	@exec $(PY) -m examples.showcase

test: lint types imports tests

# Two at a time. mypy remembers what it knew; pyright does not, and is left out, as the tests marked slow are.
check-fast: dev-env
	@$(MAKE) --no-print-directory -j2 fast-rules fast-tests

fast-rules:
	$(PY) -m ruff format --check --quiet .
	$(PY) -m ruff check --quiet .
	@found=$$(.venv/bin/lint-imports --no-logo) || { echo "$$found"; exit 1; }
	$(PY) -m mypy --no-error-summary $(CODE)

fast-tests:
	$(PY) -m pytest -q -m "not slow" --hypothesis-profile=fast

lint: dev-env
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .

types: dev-env
	$(PY) -m mypy $(CODE)
	$(PY) -m pyright --pythonpath $(PY)
	MYPYPATH=typings $(PY) -m mypy.stubtest $(STUBS) --mypy-config-file mypy.ini --ignore-missing-stub \
		--concise --allowlist typings/stubtest-allowlist.txt

imports: dev-env
	.venv/bin/lint-imports --no-logo

tests: dev-env
	$(PY) -m coverage run -m pytest
	$(PY) -m coverage report --fail-under=0
	$(PY) -m coverage report --include='heaven_core/*' --fail-under=100

format: dev-env
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

states: dev-env
	PYTHONPATH=. $(PY) tools/draw_states.py

# Needs a C compiler. The wheel is made by HEAVEN_CORE_COMPILED=1 pip wheel . (docs/compiled.md).
compiled: dev-env
	$(PY) tools/compile_core.py

# Nothing else should run meanwhile.
bench: dev-env
	$(PY) -m benchmarks.dispatch
	$(PY) -m benchmarks.served
	$(PY) -m benchmarks.json_encoding
	$(PY) -m benchmarks.import_time
	$(PY) -m benchmarks.big_file

bench-files: dev-env
	$(PY) -m benchmarks.downloads
	$(PY) -m benchmarks.huge_file

bench-events: dev-env
	$(PY) -m benchmarks.chunks
	$(PY) -m benchmarks.event_streams

bench-socket: dev-env
	$(PY) -m benchmarks.socket_served
	$(PY) -m benchmarks.socket_connections
	$(PY) -m benchmarks.socket_chunks
	$(PY) -m benchmarks.downloads --sockets

bench-wsgi: dev-env
	$(PY) -m benchmarks.wsgi

# Says what it finds, and gates nothing: some of that is the servers' own (docs/asgi.md).
attack: dev-env
	$(PY) -m benchmarks.attack

dev-env:
	@$(SET_UP) dev

demo-env:
	@$(SET_UP) demo

clean:
	rm -rf .venv .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	rm -rf build dist htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
