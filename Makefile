# heddle's commands. Each one sets up what it needs (packages, .venv, the build in build/), and a second run is quick.

PYTHON ?= $(or $(firstword $(foreach p,python3.11 python3.12 python3.13 python3,$(shell command -v $(p)))),python3.11)
JOBS ?= $(shell nproc 2>/dev/null || echo 2)

VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
STAMPS := $(VENV)/stamps
BUILD := build/release
EXTENSION := $(BUILD)/python/heddle/core.abi3.so
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install -qq
say = @echo "heddle: $(1)"

# The environment of the tools that .venv holds: cmake, ninja, ruff, ...
export PATH := $(BIN):$(PATH)
unexport PYTHONPATH PYTHONHOME

.PHONY: help demo test test-cpp bench docs wheel format lint asan tsan fuzz install clean FORCE
.DEFAULT_GOAL := help
.NOTPARALLEL: # the steps share one build folder, and ninja already uses every core

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

demo: install $(STAMPS)/demo ## Search real text with real weights, and train a network on real data
	$(call say,searching the Python language reference (examples/search))
	@$(BIN)/python examples/search/search.py
	$(call say,training on handwritten digits (examples/digits))
	@$(BIN)/python examples/digits/train.py

test: test-cpp install $(STAMPS)/test ## Run the C++ and the Python tests
	$(call say,running the Python tests)
	@$(BIN)/python -m pytest -q -n $(JOBS) tests/python

test-cpp: $(BUILD)/build.ninja
	$(call say,building the C++ library and its tests)
	@cmake --build $(BUILD) --target heddle_tests heddle -j $(JOBS)
	$(call say,running the C++ tests)
	@ctest --test-dir $(BUILD) --verbose --no-tests=error

bench: install $(STAMPS)/bench ## Measure heddle beside mlx, torch and jax
	$(call say,measuring beside other engines (benchmarks))
	@$(BIN)/python benchmarks/run.py

asan: $(STAMPS)/build ## Run the C++ tests under the address and undefined-behaviour sanitizers
	$(call say,building the C++ tests with sanitizers in build/asan)
	@cmake --preset asan -DPython_EXECUTABLE=$(BIN)/python >build/asan.log 2>&1 || { cat build/asan.log; exit 1; }
	@cmake --build build/asan -j $(JOBS)
	$(call say,running the C++ tests with sanitizers)
	@UBSAN_OPTIONS=print_stacktrace=1 ctest --test-dir build/asan --verbose --no-tests=error

STRESS_SECONDS ?= 60

tsan: $(STAMPS)/build ## Run the C++ tests under the thread sanitizer, 16 threads for STRESS_SECONDS
	$(call say,building the C++ tests with the thread sanitizer in build/tsan)
	@cmake --preset tsan -DPython_EXECUTABLE=$(BIN)/python >build/tsan.log 2>&1 || { cat build/tsan.log; exit 1; }
	@cmake --build build/tsan -j $(JOBS)
	$(call say,running the C++ tests with the thread sanitizer)
	@HEDDLE_STRESS_SECONDS=$(STRESS_SECONDS) TSAN_OPTIONS="suppressions=$(CURDIR)/tests/cpp/threads.supp" \
	  setarch -R ctest --test-dir build/tsan --verbose --no-tests=error

CLANG ?= $(or $(firstword $(foreach c,clang++ clang++-14 clang++-15 clang++-16,$(shell command -v $(c)))),clang++)
FUZZ_SECONDS ?= 60

fuzz: $(STAMPS)/build ## Fuzz the readers of files with clang, FUZZ_SECONDS each
	@CLANG=$(CLANG) tools/system-packages $(PYTHON) fuzz
	$(call say,building the fuzzers in build/fuzz)
	@cmake --preset fuzz -DCMAKE_CXX_COMPILER=$(CLANG) -DPython_EXECUTABLE=$(BIN)/python >build/fuzz.log 2>&1 || { cat build/fuzz.log; exit 1; }
	@cmake --build build/fuzz -j $(JOBS)
	@tests/fuzz/run build/fuzz $(FUZZ_SECONDS)

docs: install $(STAMPS)/docs $(STAMPS)/test ## Build the documentation into build/docs
	$(call say,running every function under every transformation: docs/support.md and docs/mlx-compatibility.md)
	@$(BIN)/python tools/support_tables.py
	$(call say,building the pages in build/docs)
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict
	@$(BIN)/python tools/docs/check_site.py build/docs

wheel: $(STAMPS)/build $(STAMPS)/wheel ## Build a wheel for other systems into dist
	$(call say,building a wheel)
	@rm -rf build/wheel && $(BIN)/python -m pip -qq wheel --no-build-isolation --no-deps --wheel-dir build/wheel .
	@$(BIN)/python tools/portable_wheel.py build/wheel dist

format: $(STAMPS)/dev ## Format all C++ and Python files
	@git ls-files '*.cpp' '*.h' | xargs -r $(BIN)/clang-format -i
	@$(BIN)/ruff format --quiet . && $(BIN)/ruff check --quiet --fix .

lint: $(STAMPS)/dev ## Check the format of all C++ and Python files, and which folder includes which
	@git ls-files '*.cpp' '*.h' | xargs -r $(BIN)/clang-format --dry-run -Werror
	@$(BIN)/ruff format --quiet --check . && $(BIN)/ruff check --quiet .
	@$(BIN)/python tools/lint/includes.py

clean: ## Remove everything that was built or installed here
	rm -rf build $(VENV)

# --- set-up: each step leaves a stamp in .venv, and runs again when what it depends on changes ------------------------

$(STAMPS)/venv: tools/system-packages
	$(call say,checking for the compiler and the C++ libraries)
	@tools/system-packages $(PYTHON)
	$(call say,making the virtual environment $(VENV))
	@$(PYTHON) -m venv $(VENV)
	@mkdir -p $(STAMPS) build && touch $@

$(STAMPS)/%: pyproject.toml tools/requirements.py | $(STAMPS)/venv
	$(call say,installing the Python packages of '$*')
	@$(BIN)/python tools/requirements.py $* >$@.txt && $(PIP) -r $@.txt
	@$(BIN)/python tools/requirements.py --bare $* >$@.bare.txt && { [ ! -s $@.bare.txt ] || $(PIP) --no-deps -r $@.bare.txt; }
	@touch $@

$(BUILD)/build.ninja: CMakePresets.json $(STAMPS)/build
	$(call say,configuring $(BUILD))
	@cmake --preset release -DPython_EXECUTABLE=$(BIN)/python >build/release.log 2>&1 || { cat build/release.log; exit 1; }
	@touch $@

# Ninja decides what is out of date; the package is installed again only if the extension or a Python file changed.
$(EXTENSION): $(BUILD)/build.ninja FORCE
	$(call say,building the engine and its Python extension)
	@cmake --build $(BUILD) --target heddle_core heddle_stubs -j $(JOBS)

$(STAMPS)/installed: $(EXTENSION) pyproject.toml $(shell find python/heddle -name '*.py' 2>/dev/null)
	$(call say,installing heddle into $(VENV))
	@$(PIP) --no-build-isolation --force-reinstall --no-deps --config-settings=build-dir=$(BUILD) \
	  --config-settings=cmake.define.HEDDLE_BUILD_LIBRARY=ON --config-settings=cmake.define.HEDDLE_BUILD_TESTS=ON .
	@$(PIP) heddle
	@touch $@

install: $(STAMPS)/installed ## Build heddle and install it into .venv
