"""Which joints are left and right of each other, read from their names.

A name may say its side as a word (left_knee, kneeLeft, Knie links) or as a letter (ear_l, ear.L, LKnee, wingL,
forelegL4, L1, Lear). A letter proves little by itself, so two joints are a pair only if both are there.
"""

import re
from collections.abc import Iterator, Sequence

WORDS = {
    "left": "right", "lft": "rgt", "links": "rechts", "linke": "rechte", "linker": "rechter", "linkes": "rechtes",
    "gauche": "droite", "izquierda": "derecha", "izquierdo": "derecho", "izq": "der", "sinistra": "destra",
    "sinistro": "destro", "esquerda": "direita", "esquerdo": "direito",
}  # fmt: skip
"""Left → right in several languages, in lower case."""

LETTERS = {"l": "r", "lt": "rt", "lh": "rh", "li": "re", "sx": "dx", "g": "d"}
"""Left → right where a whole part of a name says it: ear_l, Ohr_li, occhio_sx, oeil_g."""

BOTH = WORDS | LETTERS
PARTS = re.compile(r"[A-ZÀ-Þ]+(?=[A-ZÀ-Þ][a-zß-ÿ])|[A-ZÀ-Þ]?[a-zß-ÿ]+|[A-ZÀ-Þ]+|\d+|[^A-Za-zÀ-ÿ\d]+")
LONG = 4  # letters: words so long are found at the ends of a part, too (leftear)


def find_mirror_pairs(joints: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """The (left, right) names among ``joints``, in their order. Each joint is in one pair at most.

    Letters that stand in a row of others (point_a, point_b, …, point_l) say no side.
    """
    pairs: dict[str, str] = {}
    for rule in (_whole_words, _glued_words, _letters, _ends):
        for joint in joints:
            for other in rule(joint, joints):
                if other in joints and not {joint, other} & {*pairs, *pairs.values()}:
                    pairs[joint] = other
    return tuple((joint, pairs[joint]) for joint in joints if joint in pairs)


def split_side(joint: str) -> tuple[str, str]:
    """("left" | "right" | "", the name without its side): upperarm_l → left, upperarm; LeftFoot → left, Foot.

    What a name says by itself: a word, or a letter that is a part of its own.
    """
    parts = PARTS.findall(joint)
    swapped = {right: "right" for right in BOTH.values()} | {left: "left" for left in BOTH}
    for wanted in (3, 1):  # words before letters
        for i, part in enumerate(parts):
            if part.lower() in swapped and len(part) >= wanted and (wanted > 1 or part.lower() in "lr"):
                rest = "".join(parts[:i] + parts[i + 1 :]).strip(" ._-")
                if wanted == 1 and not re.search("[^\\W\\d_]", rest):  # L1 may be a vertebra
                    continue
                return swapped[part.lower()], rest
    for word, side in swapped.items():
        if len(word) >= LONG and parts and parts[0].lower().startswith(word):
            return side, joint[len(word) :]
    return "", joint


def unpaired(joints: Sequence[str], pairs: Sequence[tuple[str, str]]) -> list[str]:
    """The joints whose names say a side and that are in no pair."""
    paired = {joint for pair in pairs for joint in pair}
    return [j for j in joints if j not in paired and split_side(j)[0] and not _in_a_row(j, joints)]


def _whole_words(joint: str, _: Sequence[str]) -> Iterator[str]:
    """left_knee → right_knee, LeftFoot → RightFoot."""
    parts = PARTS.findall(joint)
    for i, part in enumerate(parts):
        if part.lower() in WORDS:
            yield _replaced(parts, i, WORDS[part.lower()])


def _glued_words(joint: str, _: Sequence[str]) -> Iterator[str]:
    """leftear → rightear, earleft → earright."""
    for left, right in WORDS.items():
        if len(left) >= LONG and joint.lower().startswith(left):
            yield _like(joint[: len(left)], right) + joint[len(left) :]
        if len(left) >= LONG and joint.lower().endswith(left):
            yield joint[: -len(left)] + _like(joint[-len(left) :], right)


def _letters(joint: str, joints: Sequence[str]) -> Iterator[str]:
    """ear_l → ear_r, ear.L → ear.R, LKnee → RKnee, forelegL4 → forelegR4, L1 → R1."""
    parts = PARTS.findall(joint)
    for i, part in enumerate(parts):
        if part.lower() in LETTERS and not _in_a_row(joint, joints):
            yield _replaced(parts, i, LETTERS[part.lower()])


def _ends(joint: str, joints: Sequence[str]) -> Iterator[str]:
    """Lear → Rear, lsho → rsho, kneel → kneer, ANKL → ANKR."""
    if _in_a_row(joint, joints):
        return
    if len(joint) > 2 and joint[0] in "lL":
        yield _like(joint[0], "r") + joint[1:]
    if len(joint) > 2 and joint[-1] in "lL":
        yield joint[:-1] + _like(joint[-1], "r")


def _replaced(parts: list[str], i: int, word: str) -> str:
    return "".join([*parts[:i], _like(parts[i], word), *parts[i + 1 :]])


def _like(model: str, word: str) -> str:
    """``word`` in capitals, or capitalised, if ``model`` is."""
    return word.upper() if model.isupper() else word.capitalize() if model[:1].isupper() else word


def _in_a_row(joint: str, joints: Sequence[str]) -> bool:
    """Whether a letter of ``joint`` that may say a side is one of a row: at least two joints differ from it by another
    letter there, such as point_a and point_b.
    """
    parts = PARTS.findall(joint)
    for i, part in enumerate(parts):
        if len(part) == 1 and part.lower() in {*LETTERS, *LETTERS.values()}:
            frame = parts[:i] + parts[i + 1 :]
            split = [p for p in map(PARTS.findall, joints) if len(p) == len(parts) and p[:i] + p[i + 1 :] == frame]
            letters = {p[i].lower() for p in split if len(p[i]) == 1 and p[i].isalpha()}
            if len(letters - {*LETTERS, *LETTERS.values(), "m", "c"}) > 1:
                return True
    return False
