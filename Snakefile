"""data check → train → ablate → visualise, breaks, play, leak, evidence, own_video, cardboard, study, exercises → book. `make book` runs `snakemake book`; what is up to date is skipped.

Settings, by --config: preset, dataset (people, circle, faces), name (results/<name> and runs/<name>), train_steps, ablation_steps,
probe_steps.
A study of your own: settings (names that `kp settings` lists), seeds, steps, precision, device; then `snakemake study`, or `book`.
Every run of it is one job; --executor slurm sends them to a cluster.
"""

from pathlib import Path

import re
import sys

from kp.errors import KpError
from kp.validation import Count, check_names, check_value
from kp.provenance import code_digest as code  # a change of what a room does re-runs a notebook, one of its words does not

include: "kp/research/published.smk"

KNOWN = "preset dataset name train_steps ablation_steps probe_steps settings seeds steps precision device threads minutes solutions"
try:
    check_names(config, KNOWN.split(), "setting of the book")
    for name in ("train_steps", "ablation_steps", "probe_steps", "steps", "threads", "minutes"):
        check_value(Count, config.get(name, 1), name)
    for name, value in config.items():  # they become words of a shell
        if not re.fullmatch(r"[\w.,\[\]' -]*", str(value)) or (name == "name" and " " in str(value)):
            raise KpError(f"{name} is {value!r}; use letters, digits, dots, dashes and underscores")
except KpError as error:
    sys.exit(f"book: {error}")

PRESET = config.get("preset", "laptop")
DATASET = config.get("dataset", "people")
NAME = config.get("name", "")
TRAIN = config.get("train_steps", 1000 if PRESET == "laptop" else 0)  # 0: those of the preset
STEPS = config.get("ablation_steps", 500)
PROBE = config.get("probe_steps", 100)
SETTINGS = config.get("settings", [])  # of a study; none: the published records are shown
SEEDS = config.get("seeds", [0, 1])
DEVICE = config.get("device", "cpu")
# Of a notebook: all cores but one, or on a cluster what its job asks for; on two cores two notebooks run side by side.
THREADS = config.get("threads", max(1, (workflow.resource_settings.cores or 8) - 1))
RESULTS, RUNS, BOOK = str(Path("results") / NAME), str(Path("runs") / NAME), str(Path("_build") / NAME)
HERE = '"$PWD"'  # in a shell: a checkout may be moved, and have blanks in its name
MODELS = sorted(map(str, Path("kp/models").glob("*.safetensors")))
NOTEBOOKS = ["first_hour", "train", "ablate", "visualise", "breaks", "play", "leak", "evidence", "own_video", "cardboard", "study", "speed"]
EXERCISES = sorted(p.stem for p in Path("book/exercises").glob("*.ipynb"))
SOLUTIONS = int(config.get("solutions", 0))
CHAPTERS = sorted(str(p) for p in Path("book").rglob("*") if p.suffix in (".md", ".bib", ".py", ".css", ".html"))
COMMON = f"-p dataset {DATASET} -p videos {HERE}/data/{DATASET} -p preset {PRESET}"


def IN(name):  # absolute folders, so that an executed notebook can be run again from wherever it lies
    return f"-p run {HERE}/{RUNS}/{name} -p out {HERE}/{RESULTS}/{name}"


# A finished run is forgotten when its notebook runs again (the code changed); an interrupted one goes on.
FRESH = "if [ -e {params.forget}/done ]; then rm -rf {params.forget}; fi; "
ROOMS = ("method", "datasets", "training", "inference", "evaluation")  # what a training and its evaluation use
PAPERMILL = "papermill --log-output --no-progress-bar -k python3"


rule book:
    input: f"{BOOK}/html/index.html"


rule notebooks:
    input: expand(f"{RESULTS}/{{name}}.ipynb", name=NOTEBOOKS)


rule dataset:
    """All that is made from one set of videos: the notebooks without the published evidence."""
    input: expand(f"{RESULTS}/{{name}}.ipynb", name=["train", "ablate", "visualise"])


rule check:
    priority: 20  # the training waits for it
    input: f"data/{DATASET}/SHA256SUMS"
    output: f"{RESULTS}/check.txt"
    params: code=code("datasets")
    shell: f"kp verify data/{DATASET} | tee {{output}}"


rule train:
    priority: 10  # the longest way to the end begins here
    input: "book/train.ipynb", f"{RESULTS}/check.txt"
    output: f"{RESULTS}/train.ipynb", f"{RESULTS}/train/numbers.json"
    params: code=code(*ROOMS), forget=f"{RUNS}/train"
    threads: THREADS  # Snakemake passes this to OpenMP
    shell:
        FRESH +
        f"{PAPERMILL} book/train.ipynb {RESULTS}/train.ipynb {COMMON} {IN('train')} -p steps {TRAIN} && touch {{params.forget}}/done"


rule ablate:
    """Beside the training, on a core of its own: it pre-trains its own η."""
    priority: 9  # these three take longest, and what is short fills the gaps
    input: "book/ablate.ipynb", f"{RESULTS}/check.txt"
    output: f"{RESULTS}/ablate.ipynb", f"{RESULTS}/ablate/numbers.json"
    params: code=code(*ROOMS, "research"), forget=f"{RUNS}/ablate"
    threads: THREADS
    shell:
        FRESH +
        f"{PAPERMILL} book/ablate.ipynb {RESULTS}/ablate.ipynb {COMMON} {IN('ablate')} "
        f"-p steps {STEPS} -p probe_steps {PROBE} && touch {{params.forget}}/done"


rule visualise:
    input: "book/visualise.ipynb", f"{RESULTS}/train.ipynb"
    output: f"{RESULTS}/visualise.ipynb", f"{RESULTS}/visualise/numbers.json"
    params: code=code(*ROOMS, "course")
    threads: THREADS
    shell:
        f"{PAPERMILL} book/visualise.ipynb {RESULTS}/visualise.ipynb -p videos {HERE}/data/{DATASET} "
        f"-p run {HERE}/{RUNS}/train -p out {HERE}/{RESULTS}/visualise"


rule breaks:
    input: "book/breaks.ipynb", f"{RESULTS}/train.ipynb"
    output: f"{RESULTS}/breaks.ipynb", f"{RESULTS}/breaks/numbers.json"
    params: code=code(*ROOMS)
    threads: THREADS
    shell:
        f"{PAPERMILL} book/breaks.ipynb {RESULTS}/breaks.ipynb -p videos {HERE}/data/people -p circle {HERE}/data/circle "
        f"-p records {HERE}/data/runs -p run {HERE}/{RUNS}/train -p out {HERE}/{RESULTS}/breaks"


rule play:
    """What the pages need to come to life."""
    input: "book/play.ipynb", f"{RESULTS}/train.ipynb", f"{RESULTS}/ablate.ipynb", sorted(str(p) for p in Path("kp/course/play").iterdir() if p.is_file()), MODELS
    output: f"{RESULTS}/play.ipynb", f"{RESULTS}/play/numbers.json"
    params: code=code(*ROOMS, "course")
    threads: THREADS
    shell:
        f"{PAPERMILL} book/play.ipynb {RESULTS}/play.ipynb -p videos {HERE}/data/people -p run {HERE}/{RUNS}/train "
        f"-p ablations {HERE}/{RESULTS}/ablate -p out {HERE}/{RESULTS}/play"


rule leak:
    """The leak, shown with the weights of the long runs: four minutes, nothing is trained; with preset=smoke a few frames."""
    input: "book/leak.ipynb", sorted(str(p) for p in Path("data/runs").rglob("*.safetensors")), MODELS
    output: f"{RESULTS}/leak.ipynb", f"{RESULTS}/leak/numbers.json"
    params: code=code("method", "datasets", "inference", "evaluation", "research"), few="-p images 8" if PRESET == "smoke" else ""
    threads: THREADS
    shell: f"{PAPERMILL} book/leak.ipynb {RESULTS}/leak.ipynb -p weights {HERE}/data/runs -p faces {HERE}/data/faces -p out {HERE}/{RESULTS}/leak {{params.few}}"


rule evidence:
    """Tables and figures of the published records: seconds, nothing is trained."""
    input: "book/evidence.ipynb", sorted(str(p) for p in Path("data/runs").rglob("*.json")), sorted(str(p) for p in Path("data/flies").rglob("*.npz")), "data/flies/cardboard.json", MODELS
    output: f"{RESULTS}/evidence.ipynb", f"{RESULTS}/evidence/numbers.json"
    params: code=code("research", "evaluation", "course", "own_video")
    shell: f"{PAPERMILL} book/evidence.ipynb {RESULTS}/evidence.ipynb -p records {HERE}/data/runs -p videos {HERE}/data/faces -p flies {HERE}/data/flies -p out {HERE}/{RESULTS}/evidence"


rule own_video:
    """Real footage, fetched from PyPI; with --config preset=smoke three of its cameras and a few steps."""
    priority: 8
    input: "book/own_video.ipynb", MODELS
    output: f"{RESULTS}/own_video.ipynb", f"{RESULTS}/own_video/numbers.json"
    params: code=code(*ROOMS, "formats", "own_video", "course"), forget=f"{RUNS}/own_video", few="-p cameras 3 -p steps 2 -p student_steps 2 -p mask_steps 2" if PRESET == "smoke" else "-p steps 150 -p student_steps 150"
    threads: THREADS
    shell:
        FRESH +
        f"{PAPERMILL} book/own_video.ipynb {RESULTS}/own_video.ipynb {IN('own_video')} -p footage {HERE}/runs/footage {{params.few}} "
        "&& touch {params.forget}/done"


rule cardboard:
    """A network is taught by cardboard figures and reads a film of a fly: two minutes; with preset=smoke a few steps."""
    input: "book/cardboard.ipynb", sorted(str(p) for p in Path("data/flies").rglob("*") if p.is_file()), sorted(str(p) for p in Path("data/runs/flies").glob("*.json"))
    output: f"{RESULTS}/cardboard.ipynb", f"{RESULTS}/cardboard/numbers.json"
    params: code=code("method", "datasets", "training", "own_video", "research"), forget=f"{RUNS}/cardboard", few="-p steps 20" if PRESET == "smoke" else ""
    threads: THREADS
    shell:
        FRESH +
        f"{PAPERMILL} book/cardboard.ipynb {RESULTS}/cardboard.ipynb {IN('cardboard')} -p flies {HERE}/data/flies -p records {HERE}/data/runs {{params.few}} "
        "&& touch {params.forget}/done"


rule run:
    """One run of a study, a job of its own; one that was killed, or lost with its node, goes on from its checkpoint."""
    input: "book/run.ipynb", f"{RESULTS}/check.txt"
    output: record=f"{RESULTS}/study/{{setting}}_seed{{seed}}.json", notebook=f"{RESULTS}/study/{{setting}}_seed{{seed}}.ipynb"
    retries: 2
    threads: config.get("threads", 1)
    resources:
        mem_mb=3000, runtime=config.get("minutes", 120),  # as a job asks a cluster for them
        **({"gpu": 1} if DEVICE != "cpu" else {}),
    params:
        options=f"-p preset {config.get('preset', 'study')} -p steps {config.get('steps', 300)} -p precision {config.get('precision', 'auto')} -p device {DEVICE} "
        f"-p out {HERE}/{RESULTS}/study",
        code=code(*ROOMS, "research"),
    shell:
        f"OMP_NUM_THREADS={{threads}} {PAPERMILL} book/run.ipynb {{output.notebook}} -p setting {{wildcards.setting}} -p seed {{wildcards.seed}} {{params.options}}"


rule study:
    """All runs compared: those asked for, or else the published ones."""
    input:
        "book/study.ipynb",
        expand(f"{RESULTS}/study/{{setting}}_seed{{seed}}.json", setting=SETTINGS, seed=SEEDS) or sorted(str(p) for p in Path("data/runs/steps12000").glob("*.json"))
    output: f"{RESULTS}/study.ipynb"
    params: code=code("research", "course"), records=f"{HERE}/{RESULTS}/study" if SETTINGS else f"{HERE}/data/runs/steps12000"
    shell: f"{PAPERMILL} book/study.ipynb {RESULTS}/study.ipynb -p records {{params.records}} -p out {HERE}/{RESULTS}/compared"


rule speed:
    """Tables and figures of the published benchmarks: seconds, nothing is measured."""
    input: "book/speed.ipynb", sorted(str(p) for p in Path("data/runs/speed").rglob("*.json"))
    output: f"{RESULTS}/speed.ipynb"
    params: code=code("research", "course")
    shell: f"{PAPERMILL} book/speed.ipynb {RESULTS}/speed.ipynb -p records {HERE}/data/runs/speed -p out {HERE}/{RESULTS}/speed"


rule first_hour:
    input: "book/first_hour.ipynb", "kp/models/people.safetensors", "kp/models/people.png"
    output: f"{RESULTS}/first_hour.ipynb"
    params: code=code("method", "inference")
    shell: f"{PAPERMILL} book/first_hour.ipynb {RESULTS}/first_hour.ipynb"


rule exercise:
    """A chapter's exercises: to be filled in, or, with --config solutions=1, solved and run."""
    input: "book/exercises/{name}.ipynb", "book/exercises/editions.py"
    output: f"{RESULTS}/exercises/{{name}}.ipynb"
    params:
        code=code(*ROOMS, "course"),
        kind="solved" if SOLUTIONS else "student",
        given=lambda wildcards: " ".join(
            f"-p {name} {HERE}/data/{folder}"
            for name, folder in (("videos", "people"), ("records", "runs"))
            if f'"{name} = ' in Path(f"book/exercises/{wildcards.name}.ipynb").read_text()
        ),
    shell:
        "python book/exercises/editions.py {params.kind} {input[0]} {output}; "
        f"if [ {{params.kind}} = solved ]; then {PAPERMILL} {{output}} {{output}} {{params.given}}; fi"


rule exercises:
    input: expand(f"{RESULTS}/exercises/{{name}}.ipynb", name=EXERCISES)


rule html:
    """The book, from the notebooks of results/<name>: in place, or with a name from copies in _build/<name>/source."""
    input: "_config.yml", "_toc.yml", CHAPTERS, "data/README.md", "CHANGELOG.md", expand(f"{RESULTS}/{{name}}.ipynb", name=NOTEBOOKS), expand(f"{RESULTS}/exercises/{{name}}.ipynb", name=EXERCISES)
    output: f"{BOOK}/html/index.html"
    params: code=code(*ROOMS, "formats", "own_video", "research", "course"), source=f"{BOOK}/source"
    run:
        if not NAME:
            shell("rm -rf _build && jupyter-book build . -W -n --keep-going")
        else:
            shell("rm -rf {BOOK} && mkdir -p {params.source}/data && cp -r book kp _config.yml _toc.yml CHANGELOG.md {params.source}")
            shell("cp -r data/pictures data/runs data/README.md {params.source}/data && cp -r {RESULTS} {params.source}/results")
            shell("cd {params.source} && jupyter-book build . --path-output ../out -W -n --keep-going && mv ../out/_build/html ..")
