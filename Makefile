# One target per task; `make` lists them. Variables:
#   EXPERIMENT=name         YAML below experiments/; in a sweep it replaces the sweep's experiment
#   DATA=folder             folder of the data set
#   SET="key=value ..."     any options; fullseg train --help lists them
#   RUNS="folder ..."       runs of the report; or one folder, whose name may hold spaces
#   SWEEP=name, JOBS=n      YAML below sweeps/; number of cells that run at once
#   IMAGES=folder           images for the annotator
#   CHECKPOINT=name         experiment, run folder, file or released model of the annotator
#   SEEDS="0 1 2"           seeds of the paper's models
#   COMPARE=1               compare the benchmark with the last results
EXPERIMENT ?= default
DATA ?=
SET ?=
RUNS ?= runs/$(EXPERIMENT)/latest
SWEEP ?= loss_sharing
JOBS ?=
IMAGES ?=
CHECKPOINT ?=
SEEDS ?= 0 1 2
COMPARE ?=
PYTHON ?= python3

# The shell reads these from its environment, so that they may hold any character.
export DATA IMAGES CHECKPOINT RUNS

# The active conda environment, which environment.yml makes; without one, the project's own .venv.
ifeq ($(filter-out base,$(CONDA_DEFAULT_ENV)),)
RUN := .venv/bin/python
ENV := .venv/installed
else
RUN := python
ENV :=
endif

.DEFAULT_GOAL := help
.PHONY: help env lint test train study sweep paper report annotate bench

help:  ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16

env: $(ENV)  ## install everything into .venv (or use the active conda environment)

.venv/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(f"fullseg needs Python 3.11 or newer, $(PYTHON) is {sys.version.split()[0]}: make env PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	@echo "Installing into .venv: a few minutes, most of them for PyTorch"
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --editable '.[dev]'
	@touch $@

lint: $(ENV)  ## ruff (lint, format) and mypy --strict
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

test: $(ENV)  ## run all tests, one file per core at a time
	$(RUN) -m pytest --numprocesses auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder

train: $(ENV)  ## train EXPERIMENT=default [DATA=folder] [SET="key=value ..."]
	$(RUN) -m fullseg train experiments/$(EXPERIMENT).yaml $(if $(DATA),data.root="$$DATA") $(SET)

study: $(ENV)  ## let the simulated annotator correct the evaluation set with EXPERIMENT's newest run [DATA=] [SET=]
	$(RUN) -m fullseg study experiments/$(EXPERIMENT).yaml $(if $(DATA),data.root="$$DATA") $(SET)

sweep: $(ENV)  ## run all cells of SWEEP=loss_sharing that are not done yet, on this machine [EXPERIMENT=] [DATA=] [SET=] [JOBS=cells at once]
	$(RUN) -m fullseg sweep $(if $(filter %.yaml,$(SWEEP)),$(SWEEP),sweeps/$(SWEEP).yaml) $(if $(DATA),data.root="$$DATA") $(SET) \
		$(if $(filter command environment,$(origin EXPERIMENT)),--experiment experiments/$(EXPERIMENT).yaml) $(if $(JOBS),--jobs $(JOBS))

paper: $(ENV)  ## make the paper's Tables 1 and 2 and Fig. 5 from COCO in DATA=folder, ours beside the paper's [SEEDS="0 1 2"] [SET=]
	$(if $(DATA),,$(error make paper needs the folder of COCO: make paper DATA=/path/to/coco))$(RUN) -m fullseg paper "$$DATA" $(SET) \
		--seeds $(SEEDS)

report: $(ENV)  ## make one HTML page of RUNS="folder ..." (default: EXPERIMENT's newest run)
	@if [ -e "$$RUNS" ]; then set -- "$$RUNS"; else set -- $$RUNS; fi; echo fullseg report "$$@"; $(RUN) -m fullseg report "$$@"

annotate: $(ENV)  ## segment IMAGES=folder by hand, in the browser (default: a few photographs) [CHECKPOINT=run, default: the released model]
	$(RUN) -m fullseg annotate $(if $(IMAGES),"$$IMAGES") $(if $(CHECKPOINT),--checkpoint "$$CHECKPOINT")

bench: $(ENV)  ## time corrections with fullseg and others (SAM needs pip install -e '.[bench]') [COMPARE=1: compare with the last results]
	$(RUN) benchmarks/bench.py $(if $(COMPARE),--compare)
