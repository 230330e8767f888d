"""The published evidence, anew: `snakemake published --cores 2`. About two days on two cores; what is there stays, what was cut off goes on.

A table of studies, (preset, settings, seeds, steps, snapshots); every record of data/runs/<study> has a line here.
"""

from kp.method.step import settle_precision

PRECISION = settle_precision("auto")
WEIGHTS = f"runs/study/{PRECISION}/weights"
FACE_WEIGHTS = f"runs/study/faces/{PRECISION}/weights"
DECISIVE = ["full", "skeleton_alone", "no_reconstruction", "other_prior"]
OTHERS = ["skeleton_and_frame", "no_frame", "no_discriminator", "frozen_regressor", "prior_50"]
LOOKS = "300 1000 2000 4000 8000"
STUDIES = {
    "headline": [("study", ["full"], [0, 1, 2], 1500, "")],
    "steps12000": [("laptop", DECISIVE, [0, 1, 2], 12000, LOOKS), ("laptop", OTHERS, [0], 12000, LOOKS)],
    "recipe": [("laptop", ["full", "drawn_poses_alone", "slow_regressor"], [0], 4000, "")],
    "faces": [("faces", ["full", "unmoved", "rendered_prior"], [0], 1000, "")],
    "faces_short": [("faces", ["rendered_prior", "rendered_and_frame", "rendered_alone"], [0, 1], 600, "")],
}
RUNS_OF = {
    (study, setting): (preset, steps, snapshots)
    for study, lines in STUDIES.items()
    for preset, settings, _, steps, snapshots in lines
    for setting in settings
}
RECORDS = [
    f"results/published/{study}/{setting}_seed{seed}.json"
    for study, lines in STUDIES.items()
    for _, settings, seeds, _, _ in lines
    for setting in settings
    for seed in seeds
]
PEERS = ["supervised", "imm", "read_out"]


rule published:
    input:
        RECORDS,
        expand("results/published/headline/student_{place}_seed{seed}.json", place=["black", "rooms"], seed=[0, 1, 2]),
        expand("results/published/peers/{peer}_{count}_seed{seed}.json", peer=PEERS, count=["50", "500", "all"], seed=[0, 1, 2]),
        expand("results/published/peers/{peer}_seed0.json", peer=["nearest_prior", "oracle_nearest_prior"]),
        "results/published/leakage/seed0.json",
        "results/published/sides/full_seed0.json",
        "results/published/steps12000/legibility.json",
        "results/published/outlines/done",
        "results/published/flies/done",
        expand("results/published/faces_leakage/seed{seed}.json", seed=[0, 1]),
        "results/published/faces/student_black_seed0.json",
        "results/published/painter/people_seed0.json",
        expand("results/published/people/student_{place}_seed0.json", place=["black", "rooms"]),
        expand("results/published/confidence/{model}.json", model=["people", "faces"]),
        "results/published/watch/signs.json",


rule published_run:
    """One run of a published study."""
    output: "results/published/{study,headline|steps12000|recipe|faces|faces_short}/{setting,(?!student).*}_seed{seed}.json"
    params: of=lambda w: RUNS_OF[w.study, w.setting]
    retries: 2
    shell:
        "kp study {wildcards.setting} --seeds {wildcards.seed} --preset {params.of[0]} --steps {params.of[1]} "
        "$([ -z '{params.of[2]}' ] || echo --snapshots {params.of[2]}) --out results/published/{wildcards.study}"


rule published_student:
    input: "results/published/headline/full_seed{seed}.json"
    output: expand("results/published/headline/student_{place}_seed{{seed}}.json", place=["black", "rooms"])
    shell:
        "python -m kp.research.scripts.student --teacher {WEIGHTS}/full_steps1500_seed{wildcards.seed}.safetensors "
        "--seed {wildcards.seed} --out results/published/headline --weights runs/student/seed{wildcards.seed}.safetensors"


rule published_face_student:
    input: "results/published/faces/rendered_prior_seed0.json"
    output: expand("results/published/faces/student_{place}_seed0.json", place=["black", "rooms"])
    shell:
        "python -m kp.research.scripts.student --teacher {FACE_WEIGHTS}/rendered_prior_steps1000_seed0.safetensors "
        "--steps 1500 --out results/published/faces --weights runs/student/faces.safetensors"


rule published_painter:
    input: "results/published/headline/student_black_seed0.json"
    output: "results/published/painter/people_seed0.json"
    shell: "python -m kp.research.scripts.painter --model runs/student/seed0.safetensors --weights runs/student/people.safetensors --out results/published/painter"


rule published_people:
    input: "results/published/painter/people_seed0.json", "results/published/steps12000/full_seed0.json"
    output: expand("results/published/people/student_{place}_seed0.json", place=["black", "rooms"])
    shell:
        "python -m kp.research.scripts.student --teacher runs/study/laptop/{PRECISION}/weights/full_steps12000_seed0.safetensors "
        "--start runs/student/people.safetensors --steps 3000 --weights runs/student/people12000.safetensors --out results/published/people"


rule published_peer:
    input: lambda w: f"results/published/headline/full_seed{w.seed}.json" if w.peer == "read_out" else []
    output: expand("results/published/peers/{{peer,supervised|imm|read_out}}_{count}_seed{{seed}}.json", count=["50", "500", "all"])
    params: run=lambda w: f"--run {WEIGHTS}/full_steps1500_seed{w.seed}.safetensors" if w.peer == "read_out" else f"--seed {w.seed}"
    shell: "python -m kp.research.scripts.peers {wildcards.peer} {params.run} --labelled 50 500 0 --out results/published/peers"


rule published_prior:
    output: "results/published/peers/{peer,nearest_prior|oracle_nearest_prior}_seed0.json"
    shell: "python -m kp.research.scripts.peers {wildcards.peer} --out results/published/peers"


rule published_leakage:
    input: expand("results/published/steps12000/{setting}_seed0.json", setting=["full", "skeleton_and_frame", "skeleton_alone"])
    output: "results/published/leakage/seed0.json"
    shell: "python -m kp.research.scripts.leakage --weights runs/study/laptop/{PRECISION}/weights --out results/published/leakage"


rule published_sides:
    output: "results/published/sides/full_seed0.json"
    shell: "python -m kp.research.scripts.sides --out results/published/sides"


rule published_legibility:
    input: expand("results/published/steps12000/{setting}_seed0.json", setting=["full", "skeleton_alone", "no_frame", "frozen_regressor"])
    output: "results/published/steps12000/legibility.json"
    shell: "python -m kp.research.scripts.legible --out {output}"


rule published_flies:
    output: touch("results/published/flies/done")
    shell: "python -m kp.research.scripts.flies --out results/published/flies"


rule published_outlines:
    output: touch("results/published/outlines/done")
    shell: "python -m kp.research.scripts.outlines --out results/published/outlines"


rule published_face_leakage:
    input: expand("results/published/faces_short/{setting}_seed{seed}.json", setting=["rendered_prior", "rendered_and_frame", "rendered_alone"], seed=[0, 1])
    output: expand("results/published/faces_leakage/seed{seed}.json", seed=[0, 1])
    shell: "python -m kp.research.scripts.leakage --preset faces --steps 600 --seeds 0 1 --weights {FACE_WEIGHTS} --out results/published/faces_leakage"


rule published_confidence:
    input: "kp/models/{model}.safetensors"
    output: "results/published/confidence/{model}.json"
    shell: "python -m kp.research.scripts.confidence --models {wildcards.model} --out results/published/confidence"


rule published_diagnostics:
    output: "results/published/watch/signs.json"
    shell: "python -m kp.research.scripts.watch --out results/published/watch/signs.json"
