# One vocabulary: setup run test serve audit ui bench lint. `make help` lists it.

PYTHON ?= python3.11
VENV := .venv
STAMP := $(VENV)/.installed
# A clone that only serves needs the Bento's own packages alone: neither torch, MLflow nor DVC.
SERVING_VENV := $(if $(wildcard $(STAMP)),$(VENV),.venv-serve)
INSTALL := python -m pip install -qq --no-deps --no-compile --require-hashes
# On all cores, which pip does not do. Some packages bring templates that are no Python, which it tells by its status.
COMPILE := python -m compileall -qq -j 0
# Two processes, each with whole files: many a test waits half of its time for what it has started. Threads of OpenMP
# that wait leave their core to the other process: they would spin on it, and trainings in both take far longer.
PYTEST := OMP_WAIT_POLICY=PASSIVE python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export MLFLOW_DISABLE_TELEMETRY := true
export BENTOML_DO_NOT_TRACK := true

.DEFAULT_GOAL := help
.PHONY: help setup run test test-fast serve image audit faults ui bench texts sweep fast seeds fidelity memory soak \
    overload page chaos vulnerabilities lint hooks refill release rollback gc lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## make the environment in .venv from hash-checked pins

$(STAMP): requirements.lock requirements-torch.lock requirements-torch-cpu.lock
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed: make PYTHON=/path/to/python3.11"; exit 1; }
	@[ ! -L $(VENV) ] || { echo "$(VENV) is a link, and what it leads to is not cleared: remove the link first."; exit 1; }
	@echo "Making the environment in $(VENV), once: 270 packages, then torch; a few minutes."
	@$(PYTHON) -m venv --clear $(VENV)
	@$(INSTALL) -r requirements.lock
	@$(INSTALL) -r requirements-torch-cpu.lock 2>/dev/null || { \
	    echo "No CPU build of torch at hand: taking the package index's own."; $(INSTALL) -r requirements-torch.lock; }
	@python -m pip check
	@$(COMPILE) $(VENV)/lib >/dev/null || :
	@touch $@

run: $(STAMP) ## run the pipeline on DATA: mnist-sample (default), mnist or uci-digits
	@python -m pipeline $(DATA)

test: $(STAMP) ## pass all tests
	$(PYTEST) $(if $(filter true,$(CI)),--cov --durations=25)

test-fast: $(STAMP) ## pass the tests that take seconds
	$(PYTEST) -m "not slow"

serve: $(SERVING_VENV)/.installed ## serve the champion of DATA, mnist (default) or another, on HOST:PORT, 127.0.0.1:3000
	@$(SERVING_VENV)/bin/python -m pipeline.serve $(DATA)

.venv-serve/.installed: requirements-serve.lock
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed: make PYTHON=/path/to/python3.11"; exit 1; }
	@[ -w . ] || { \
	    echo "The service's environment is made in this folder, which cannot be written to: copy it elsewhere."; exit 1; }
	@echo "Making the service's environment in .venv-serve, once: 80 packages, less than a minute."
	@$(PYTHON) -m venv --clear .venv-serve
	@.venv-serve/bin/$(INSTALL) -r requirements-serve.lock
	@.venv-serve/bin/$(COMPILE) .venv-serve/lib >/dev/null || :
	@touch $@

image: $(SERVING_VENV)/.installed ## build the image of a container of that champion by ENGINE: podman, docker or buildah
	@$(SERVING_VENV)/bin/python -m pipeline.image $(or $(DATA),mnist) -- $(OPTIONS)

audit: $(STAMP) ## hold the service at URL to its gates, over HTTP; without URL, the packaged champion
	@python -m pipeline.audit_service $(URL)

faults: $(STAMP) ## plant faults in the ConvNet, its training and its data, and show which gate catches each
	@python -m pipeline.audits.faults

ui: $(STAMP) ## open MLflow on the training runs of the store in use, on HOST:PORT, 127.0.0.1:5000
	@python -m pipeline.ui

bench: $(STAMP) ## measure speeds, as ratios against references in the same run (needs DATA=mnist to have run)
	@python -m benchmarks

texts: $(STAMP) ## train the networks of the introductory texts, and print what each reaches beside what its text says
	@python -m pipeline.texts

sweep: $(STAMP) ## search a network's hyperparameters on validation, as params.yaml says under `sweep`
	@python -m pipeline.sweep

fast: $(STAMP) ## train the small ConvNet to 99 % in seconds
	@python -m benchmarks.fast

seeds: DATA = mnist
seeds: $(STAMP) ## train the ConvNet with five seeds, two of them in float32 too, each through the whole audit (full MNIST)
	@python -m benchmarks.seeds $(DATA)

fidelity: $(STAMP) ## ask the packaged champion about all test images over HTTP (needs DATA=mnist to have run)
	@python -m benchmarks.fidelity

memory: $(STAMP) ## measure the memory that it takes to read the largest images, in each form of a file
	@python -m benchmarks.memory

soak: $(STAMP) ## ask the packaged champion 200,000 things, good and bad, and watch its answers and its memory
	@python -m benchmarks.soak

overload: $(STAMP) ## ask the packaged champion three times as much as it can answer
	@python -m benchmarks.overload

page: $(STAMP) ## measure in a browser how soon the page is there and answers, and what it loads
	@python -m benchmarks.page

chaos: $(STAMP) ## end runs of the pipeline at 50 moments, go on each time, and compare with one that nothing disturbed
	@python -m benchmarks.chaos

vulnerabilities: $(STAMP) ## look up known vulnerabilities of the Bento's packages (needs the internet: api.osv.dev)
	@uv tool run pip-audit==2.10.1 --vulnerability-service osv --strict --disable-pip --require-hashes \
	    --requirement requirements-serve.lock

lint: $(STAMP) ## check format, style and types
	ruff format --check .
	ruff check .
	mypy

hooks: ## let git call `make lint` before each commit
	git config core.hooksPath "$$(git rev-parse --show-prefix).ci/hooks"

refill: $(STAMP) ## fill a lost MLflow store again from the pipeline's outputs
	@python -m pipeline.tracking.refill

release: $(STAMP) ## put the last run's champion into release/, which git keeps, in the place of its source's before it
	@python -m pipeline.release

rollback: $(STAMP) ## put the champion before this one back; FORWARD=yes the one that was rolled back last
	@python -m pipeline.rollback $(if $(FORWARD),--forward)

gc: $(STAMP) ## show what no champion, lock or experiment needs any more, with sizes; FREE=yes removes it
	@python -m pipeline.gc $(if $(FREE),--free)

lock: $(STAMP) ## pin every dependency anew
	@python lock.py

clean: ## remove the environment and all that runs made, MLflow's store included; DVC's cache stays
	git clean -ffdXq -e '!**/.dvc/cache' -e '!**/.dvc/config.local'
