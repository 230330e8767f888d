"""Turns of phrase that readers stumbled over, and what to write in their place. A line here keeps them out."""

import json
import re
import subprocess
from pathlib import Path

import pytest

UNITS = "joint|pixel|scale|clip|file|setting|frame|film|run|pose|bone|step|seed|row|column|limb|activity|batch|edge"
COUNTED = (
    "one|maps?|numbers?|lines?|points?|errors?|boxes|steps|rows?|minutes|values?|lists|jobs?|curves?|seconds|labels?"
)
PATTERNS = {
    rf"\b({COUNTED}) an? ({UNITS})(?=[\s,.:;)]|$)": "one map per joint, or: one map for each joint",
    r"\bso (uneven|large|small|few|many|different) (is|are) (the|these|those)\b": "because the seeds vary so much",
    r"\bheaps?\b(?! of memory)": "a collection of poses",
    r"\b(reads?|reading) off\b": "predict from an image, read from a drawing",
    r"\btold apart\b": "significantly different; distinct",
    r"\bowed to\b": "due to",
    r"\bforetells?\b": "predict",
    r"\b(can|cannot|to) be had\b": "can be made, can be installed",
    r"\b(misses|missed) (joints )?by\b": "has an error of",
    r"\b(be it|had there been|of like (height|size)|as the truth prefers)\b": "even if; if there were; similar",
    r"\bwere (the|sides|one) \w+ (known|exchanged)\b": "if the truth were known",
    r"\b(held still|hold still)\b": "frozen",
    r"\bleaves? (out )?zero\b": "excludes zero",
    r"\bgives? away\b": "reveals",
    r"\bnarrow place\b": "the bottleneck",
    r"\bstretch(es)? of (the )?(same )?(kinds? of )?motion\b": "a motion sequence",
    r"\bbeside (us|peers)\b": "compared with other methods",
    r"\bby eye\b": "as one sees; judged by looking",
    r"\b(throws? a die|run in circles|lives on it)\b": "say which gradient does it",
    r"\b(nine tenths|two fifths|half as large again|times sooner|once in (three|four|five) times)\b": "25 %, 1.5 times",
    r"\bwas not (found out|separated)\b": "an open question",
}
"""Regular expression → an example of what to write."""

WRITTEN = (
    "book/*.md",
    "book/slides/*.md",
    "book/*.ipynb",
    "book/exercises/*.ipynb",
    "README.md",
    "CONTRIBUTING.md",
    "data/**/*.md",
    "kp/*.py",
)


def prose(path: Path) -> str:
    """A file's text; of a notebook its cells."""
    text = path.read_text(encoding="utf-8")
    return "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"]) if path.suffix == ".ipynb" else text


@pytest.mark.parametrize("pattern", PATTERNS)
def test_no_such_phrase_is_left(pattern):
    files = subprocess.run(["git", "ls-files", *WRITTEN], capture_output=True, text=True, check=True).stdout.split()
    found = [f"{name}: {m[0]}" for name in files for m in re.finditer(pattern, prose(Path(name)), re.MULTILINE)]
    assert len(files) > 100 and not found, f"write instead: {PATTERNS[pattern]}"


def test_the_patterns_find_what_they_are_for():
    for text in ("one map a joint, whatever", "so uneven are the seeds", "a heap of poses"):
        assert any(re.search(pattern, text) for pattern in PATTERNS), text
