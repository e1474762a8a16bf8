# The doors of the project: `make help` lists them; .ci/run and the workflows go through the same ones.

PYTHON ?= python3
VENV ?= .venv
INSTALL ?= --editable . $(if $(compiled),,-Cwheel.cmake=false)

# Some Pythons come without headers. There all runs in pure Python, unless JOBCORE_BUILD_EXTENSION forbids it.
compiled := $(or $(JOBCORE_BUILD_EXTENSION),$(wildcard $(shell \
	$(PYTHON) -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h))

.DEFAULT_GOAL := help
.NOTPARALLEL:

bin := $(VENV)/bin
export PATH := $(abspath $(bin)):$(PATH)

sources := pyproject.toml CMakeLists.txt $(shell find csrc src -type f -not -name '*.py[co]')
cxx_files := $(filter %.h %.hpp %.cpp,$(sources))

.PHONY: help
help: ## list the doors
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 26

# ---- the environment, in steps: a virtual environment, dependency groups, the package

$(VENV)/.made:
	$(PYTHON) -m venv $(VENV)
	$(bin)/python -m pip install --quiet --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/.group-%: $(VENV)/.made pyproject.toml
	$(bin)/python -m pip install --quiet --group $*
	@touch $@

$(VENV)/.installed: $(VENV)/.group-build $(sources)
	$(if $(compiled),,@echo 'Without Python.h (python3-dev on Debian) no extension modules are built: all runs in pure Python.')
	JOBCORE_BUILD_EXTENSION=1 $(bin)/python -m pip install --quiet --no-build-isolation $(INSTALL)
	@touch $@

.PHONY: build
build: $(VENV)/.installed ## build the package into the environment

# ---- using it

.PHONY: demo
demo: build $(VENV)/.group-demo ## index the standard library, or DIRECTORY=/some/path, with background jobs
	$(bin)/jobcore demo $(if $(DIRECTORY),'$(DIRECTORY)')

# ---- testing it

.PHONY: test
test: test-cxx test-pure $(if $(compiled),test-compiled) ## all tests: C++, pure Python, compiled

.PHONY: test-cxx
test-cxx: $(VENV)/.group-build ## the tests of the C++ core, without Python
	$(bin)/cmake --workflow --preset dev

# What servers and other libraries do does not differ by how this package was built. Where it is compiled as well, that
# one meets them all, and the plain one is held to the protocol on one server, and runs the blocks of the documentation.
# With sanitizers the protocol on one server has to do, too.
beside_compiled := $(addprefix --ignore=,tests/contrib \
	$(filter-out %/test_conformance.py,$(wildcard tests/postgres/test_*.py)))

.PHONY: test-pure
test-pure: export POSTGRES ?= newest
test-pure: export PYTEST_ARGS += $(if $(compiled),$(beside_compiled))
test-pure: ## the tests on a wheel without extension modules
	$(MAKE) --no-print-directory pytest VENV=$(VENV)-pure INSTALL='-Cwheel.cmake=false .' GROUPS=docs

.PHONY: test-compiled
test-compiled: export JOBCORE_IMPLEMENTATION = cpp
test-compiled: export PYTEST_ARGS += --ignore=tests/docs
test-compiled: pytest ## the tests on the compiled package

KILLS ?= 200

.PHONY: crash
crash: export KILLS := $(KILLS)
crash: build $(VENV)/.group-test ## kill processes at work KILLS times, and see that no job was lost or had two holders
	$(bin)/python -m pytest tests/durable/test_a_killed_process_loses_nothing.py

.PHONY: crash-postgres
crash-postgres: export KILLS := 100
crash-postgres: build $(VENV)/.group-test $(VENV)/.group-postgres ## the same for connections to PostgreSQL, and 5 restarts of the server
	$(bin)/python -m pytest tests/postgres/test_killed_connections_lose_nothing.py

.PHONY: pytest
pytest: build $(addprefix $(VENV)/.group-,test contrib demo postgres $(GROUPS))
	$(bin)/python -m pytest $(PYTEST_ARGS)

.PHONY: test-peers
test-peers: ## the tests of other libraries on their own storage and on ours; PEER=name for one
	$(MAKE) --no-print-directory run-peer-suites VENV=.venv-contrib

.PHONY: run-peer-suites
run-peer-suites: export JOBCORE_IMPLEMENTATION = cpp
run-peer-suites: build $(VENV)/.group-test $(VENV)/.group-contrib
	$(bin)/python -m tests.peers.run $(PEER)

.PHONY: sanitize
sanitize: $(VENV)/.group-build ## C++ tests under ASan, UBSan and TSan; those of Python under ASan and UBSan
	$(bin)/cmake --workflow --preset asan
	$(bin)/cmake --workflow --preset tsan
	$(MAKE) --no-print-directory pytest-sanitized VENV=$(VENV)-asan INSTALL='$(asan_install)'

asan_install := --editable . -Cbuild-dir=build/asan-python -Ccmake.build-type=RelWithDebInfo -Cinstall.strip=false \
	-Ccmake.define.JOBCORE_SANITIZE=address,undefined -Ccmake.define.JOBCORE_DEBUG=ON

# libstdc++ is preloaded too: without it the first exception ends in ASan's own check.
# Leaks are counted in the C++ tests: the interpreter keeps too much on purpose.
.PHONY: pytest-sanitized
pytest-sanitized: export POSTGRES ?= newest
pytest-sanitized: export PYTEST_ARGS += $(beside_compiled) --ignore=tests/docs
pytest-sanitized: build $(VENV)/.group-test
	LD_PRELOAD="$$($(CXX) -print-file-name=libasan.so) $$($(CXX) -print-file-name=libstdc++.so)" \
	ASAN_OPTIONS=detect_leaks=0 PYTHONMALLOC=malloc JOBCORE_IMPLEMENTATION=cpp \
	$(bin)/python -m pytest $(PYTEST_ARGS)

PYTHON_FREE_THREADED ?= $(or $(shell command -v python3.14t || command -v python3.13t),build/free-threaded/bin/python3)

build/free-threaded/bin/python3:
	.ci/free-threaded-python build/free-threaded

# What threads can break; the other tests would say here what they say elsewhere. An older release that has a wheel for
# this Python serves better than the latest source; msgspec and psycopg have none for 3.13, nor can msgspec be compiled.
.PHONY: free-threaded
free-threaded: export PIP_PREFER_BINARY = 1
free-threaded: $(PYTHON_FREE_THREADED) ## tests without the GIL, on a Python that is built if none is there
	$(MAKE) --no-print-directory pytest-free-threaded bench-threads PYTHON='$(abspath $<)' VENV=$(VENV)-free-threaded \
		INSTALL='--editable . $(if $(findstring 3.13,$(shell $< --version)),--no-deps)'

.PHONY: pytest-free-threaded
pytest-free-threaded: export JOBCORE_IMPLEMENTATION = cpp
pytest-free-threaded: build $(VENV)/.group-test-core
	$(bin)/python -m pytest $(addprefix tests/,threads contract faults interleavings values model app worker) $(PYTEST_ARGS)

# Of Python the plain form counts, which runs the twins and the sources of the compiled modules as well; of C++ and
# Cython what is written by hand: what is generated counts for the line that it was made of. Left out are tests that
# count allocations, those that start too many processes, and one that looks for a database, which coverage itself is.
.PHONY: coverage
coverage: $(VENV)/.group-build ## lines that the tests reach, of Python, Cython and C++, into build/coverage
	rm -rf build/coverage
	$(bin)/cmake --workflow --preset coverage
	$(MAKE) --no-print-directory coverage-python VENV=$(VENV)-pure INSTALL='-Cwheel.cmake=false .'
	$(MAKE) --no-print-directory coverage-native VENV=$(VENV)-coverage INSTALL='$(coverage_install)'

coverage_install := --editable . -Cbuild-dir=build/coverage-python -Ccmake.build-type=Debug -Cinstall.strip=false \
	-Ccmake.define.CYTHON_ARGS=--line-directives \
	"-Ccmake.define.CMAKE_CXX_FLAGS=--coverage -fprofile-update=atomic -fprofile-prefix-map=jobcore/=$(CURDIR)/src/jobcore/"
covering := tests $(addprefix --ignore=tests/,docs leaks interleavings packaging) \
	--deselect=tests/contract/test_opening.py::test_the_package_does_not_import_a_database $(PYTEST_ARGS)

.PHONY: coverage-python
coverage-python: build $(addprefix $(VENV)/.group-,coverage contrib demo)
	@mkdir -p build/coverage
	-$(bin)/python -m coverage run -m pytest -q $(covering)
	$(bin)/python -m coverage combine --quiet
	$(bin)/python -m coverage report
	$(bin)/python -m coverage html --quiet --directory build/coverage/python-html

.PHONY: coverage-native
coverage-native: export JOBCORE_IMPLEMENTATION = cpp
coverage-native: build $(VENV)/.group-coverage
	-$(bin)/python -m pytest -q $(covering) --ignore=tests/postgres --ignore=tests/contrib
	@mkdir -p build/coverage/native-html
	$(bin)/gcovr --root . --filter csrc/ --filter src/ --exclude csrc/tests/ --exclude csrc/bench/ \
		--exclude '.*\.(py|pxd)$$' --include-internal-functions \
		--gcov-ignore-errors=source_not_found --gcov-ignore-errors=no_working_dir_found \
		--html-details build/coverage/native-html/ --txt - build/coverage build/coverage-python

FUZZ_SECONDS ?= 60

.PHONY: fuzz
fuzz: $(VENV)/.group-build ## play on the index at random for FUZZ_SECONDS; needs Clang and its libFuzzer
	$(bin)/cmake --workflow --preset fuzz
	@mkdir -p build/fuzz/corpus
	build/fuzz/csrc/tests/fuzz_index -max_total_time=$(FUZZ_SECONDS) -max_len=2000 -timeout=10 \
		-artifact_prefix=build/fuzz/ build/fuzz/corpus

# ---- reading it

.PHONY: lint
lint: $(VENV)/.group-lint ## style, and no file over 400 lines
	$(bin)/ruff check
	$(bin)/ruff format --check
	$(bin)/cython-lint src
	$(bin)/clang-format --dry-run --Werror $(cxx_files)
	$(bin)/zizmor --quiet --offline .github
	@git ls-files -z ':!bench/results' | xargs -0 wc -l | \
		awk '$$1 > 400 && $$2 != "total" { print $$2 ": over 400 lines"; bad = 1 } END { exit bad }'

.PHONY: format
format: $(VENV)/.group-lint ## rewrite the sources in the style that lint asks for
	$(bin)/ruff check --fix-only
	$(bin)/ruff format
	$(bin)/clang-format -i $(cxx_files)

.PHONY: types
types: build $(VENV)/.group-types ## mypy and pyright, both strict; the types against the modules at run time
	$(bin)/mypy
	$(bin)/pyright --pythonpath $(bin)/python
	$(bin)/pyright --pythonpath $(bin)/python --ignoreexternal --verifytypes jobcore
	$(if $(compiled),$(bin)/python -m mypy.stubtest jobcore --mypy-config-file pyproject.toml --allowlist tests/typing/stubtest-allowlist.txt)

# In pure Python, where signatures carry types.
.PHONY: docs
docs: ## the documentation, into build/docs, without warnings; `make test` runs its blocks
	$(MAKE) --no-print-directory html VENV=$(VENV)-pure INSTALL='-Cwheel.cmake=false .'

.PHONY: html
html: build $(VENV)/.group-docs $(VENV)/.group-contrib $(VENV)/.group-postgres
	$(bin)/sphinx-build -n -W --keep-going -d build/doctrees docs build/docs

# ---- measuring and shipping it

.PHONY: bench
bench: run-benchmarks ## time every operation; a table and plots into bench/results/operations.md

# Each set of peers has an environment of its own, without jobcore, so that neither side can choose the other's versions.
# Oban needs Python 3.12; where there is none it is left out, and the report shows what was measured elsewhere.
PYTHON_312 ?= $(firstword $(foreach python,$(PYTHON) python3.12 python3.13 $(wildcard $(HOME)/.pyenv/versions/3.12*/bin/python3), \
	$(shell $(python) -c 'import sys; sys.version_info >= (3, 12) and print(sys.executable)' 2>/dev/null)))

.PHONY: bench-peers
bench-peers: build $(VENV)/.group-bench $(VENV)/.group-peers-servers ## time the peers beside jobcore: half an hour, or PEER=name, QUICK=1, FRESH=1
	$(MAKE) --no-print-directory .venv-peers/.group-peers VENV=.venv-peers
	$(MAKE) --no-print-directory .venv-peers-arq/.group-peers-arq VENV=.venv-peers-arq
	$(if $(PYTHON_312),$(MAKE) --no-print-directory .venv-peers-oban/.group-peers-oban VENV=.venv-peers-oban PYTHON='$(PYTHON_312)')
	$(bin)/python -m bench.peers.run $(if $(PEER),--peer $(PEER)) $(if $(QUICK),--quick) $(if $(FRESH),--fresh)

.PHONY: bench-contrib
bench-contrib: ## time other libraries on their own storage and on ours, into bench/results/contrib; PEER=name for one
	$(MAKE) --no-print-directory run-contrib-benchmarks VENV=.venv-contrib

comparisons = $(filter-out comparing,$(basename $(notdir $(wildcard bench/contrib/*.py))))

.PHONY: run-contrib-benchmarks
run-contrib-benchmarks: export JOBCORE_IMPLEMENTATION = cpp
run-contrib-benchmarks: build $(VENV)/.group-contrib
	set -e; for peer in $(or $(PEER),$(comparisons)); do $(bin)/python -m bench.contrib.$$peer; done

.PHONY: bench-smoke
bench-smoke: export BENCH_SMOKE = 1
bench-smoke: bench_sizes = 0 100
bench-smoke: bench_into = build/bench/smoke
bench-smoke: run-benchmarks ## run all of `make bench` at tiny sizes, into build/

bench_sizes = 0 100 10000 1000000
bench_into = bench/results

.PHONY: run-benchmarks
run-benchmarks: export JOBCORE_IMPLEMENTATION = cpp
run-benchmarks: build $(VENV)/.group-bench
	$(bin)/cmake --workflow --preset bench
	$(bin)/python -m pytest bench --timeout=0 --benchmark-only --benchmark-disable-gc --benchmark-quiet \
		--benchmark-json=build/bench/python.json $(PYTEST_ARGS)
	build/bench/csrc/bench/bench_index $(bench_sizes) > build/bench/core.json
	$(bin)/python -m bench.report build/bench/python.json build/bench/core.json $(bench_into)
	$(if $(BENCH_SMOKE),$(bin)/python -m bench.peers.run --fresh --smoke $(bench_into))
	$(if $(BENCH_SMOKE),$(bin)/python -m bench.soak --seconds 1 --interval 1)
	$(if $(BENCH_SMOKE),$(bin)/python -m bench.threads)

.PHONY: bench-instructions
bench-instructions: ## count instructions against bench/instructions.json, which UPDATE=1 rewrites; needs Valgrind
	$(MAKE) --no-print-directory count-instructions VENV=$(VENV)-bench INSTALL='$(bench_install)'

# Symbols tell one part from another.
bench_install := --editable . -Cbuild-dir=build/bench-python -Cinstall.strip=false -Ccmake.define.CMAKE_CXX_FLAGS=-g

.PHONY: count-instructions
count-instructions: export JOBCORE_IMPLEMENTATION = cpp
count-instructions: build
	$(bin)/python -m bench.instructions $(if $(UPDATE),--update)

.PHONY: bench-profile
bench-profile: ## count the instructions and bytecodes of the hot paths, into bench/results/profile.md; needs Valgrind
	$(MAKE) --no-print-directory count-paths VENV=$(VENV)-bench INSTALL='$(bench_install)'

.PHONY: count-paths
count-paths: export JOBCORE_IMPLEMENTATION = cpp
count-paths: build $(VENV)/.group-bench $(VENV)/.group-peers-servers
	$(bin)/python -m bench.profile

SECONDS ?= 60

.PHONY: soak
soak: build ## everything at once on one storage for SECONDS: nothing lost, nothing done twice, no growth
	$(bin)/python -m bench.soak --seconds $(SECONDS)

.PHONY: bench-threads
bench-threads: build ## two threads on one storage against one thread
	$(bin)/python -m bench.threads

.PHONY: wheel
wheel: $(VENV)/.group-wheel ## an sdist, and a wheel made from it, into dist/
	JOBCORE_BUILD_EXTENSION=1 $(bin)/python -m build

PYTHONS ?= $(PYTHON)

.PHONY: check-wheels
check-wheels: $(VENV)/.group-wheel ## a wheel for each of PYTHONS, from the sdist, tried where no compiler is
	rm -rf dist
	$(bin)/python -m build --sdist
	.ci/check-wheels dist/*.tar.gz $(PYTHONS)

.PHONY: clean
clean: ## remove everything that make made
	rm -rf .venv .venv-* build dist .hypothesis .*_cache
	find csrc src tests bench examples -name __pycache__ -prune -exec rm -rf {} +
