"""Which joints are left and right of each other, read from their names.

A name may say its side as a word (left_knee, kneeLeft, Knie links) or as a letter (ear_l, ear.L, LKnee, wingL,
forelegL4, L1, Lear). A letter proves little by itself, so two joints are a pair only if both are there.
"""

import re
from collections.abc import Iterator, Sequence

WORDS = [
    ("left", "right"), ("lft", "rgt"), ("links", "rechts"), ("linke", "rechte"), ("linker", "rechter"),
    ("linkes", "rechtes"), ("gauche", "droite"), ("gauche", "droit"), ("izquierda", "derecha"),
    ("izquierdo", "derecho"), ("izq", "der"), ("sinistra", "destra"), ("sinistro", "destro"),
    ("esquerda", "direita"), ("esquerdo", "direito"), ("vänster", "höger"), ("vanster", "hoger"),
    ("venstre", "højre"), ("venstre", "høyre"), ("lewy", "prawy"), ("lewa", "prawa"), ("lewe", "prawe"),
    ("лев", "прав"), ("左", "右"), ("왼", "오른"),
]  # fmt: skip
"""(left, right) in several languages, in lower case."""

LETTERS = {"l": "r", "lt": "rt", "lh": "rh", "li": "re", "sx": "dx", "g": "d"}
"""Left → right where a whole part of a name says it: ear_l, Ohr_li, occhio_sx, oeil_g."""

FEET = "fhbmr"  # the other letter of LF, FL, HR: front, hind, back, middle, rear
SIDES = dict.fromkeys([right for _, right in WORDS] + [*LETTERS.values()], "right")
SIDES |= dict.fromkeys([left for left, _ in WORDS] + [*LETTERS], "left")
NO_SIDES = re.compile("cleft|[bfw]right|upright|rump", re.IGNORECASE)  # parts of words that say no side
PARTS = re.compile(r"[A-ZÀ-Þ]+(?=[A-ZÀ-Þ][a-zß-ÿ])|[A-ZÀ-Þ]?[a-zß-ÿ]+|[A-ZÀ-Þ]+|\d+|[^A-Za-zÀ-ÿ\d]+")


def find_mirror_pairs(joints: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """The (left, right) names among ``joints``, in their order. Each joint is in one pair at most; capitals do not
    count.

    Letters that stand in a row of others (point_a, point_b, …, point_l) say no side.
    """
    pairs: dict[str, str] = {}
    by_name = {joint.lower(): joint for joint in joints} | {joint: joint for joint in joints}
    for rule in (_whole_words, _glued_words, _feet, _letters, _ends):
        for joint in joints:
            for name in rule(joint, joints):
                other = by_name.get(name) or by_name.get(name.lower())
                if other and other != joint and not {joint, other} & {*pairs, *pairs.values()}:
                    pairs[joint] = other
    return tuple((joint, pairs[joint]) for joint in joints if joint in pairs)


def split_side(joint: str) -> tuple[str, str]:
    """("left" | "right" | "", the name without its side): upperarm_l → left, upperarm; LeftFoot → left, Foot.

    What a name says by itself: a word, or a letter that is a part of its own.
    """
    parts = PARTS.findall(joint)
    for wanted in (3, 1):  # words before letters
        for i, part in enumerate(parts):
            if part.lower() in SIDES and len(part) >= wanted and (wanted > 1 or part.lower() in "lr"):
                rest = "".join(parts[:i] + parts[i + 1 :]).strip(" ._-")
                if wanted == 1 and not re.search("[^\\W\\d_]", rest):  # L1 may be a vertebra
                    continue
                return SIDES[part.lower()], rest
    for word, side in SIDES.items():
        place = joint.lower().find(word)
        if _is_glued(word) and place >= 0 and not NO_SIDES.search(joint):
            return side, joint[:place] + joint[place + len(word) :]
    return "", joint


def unpaired(joints: Sequence[str], pairs: Sequence[tuple[str, str]]) -> list[str]:
    """The joints whose names say a side and that are in no pair."""
    paired = {joint for pair in pairs for joint in pair}
    return [j for j in joints if j not in paired and split_side(j)[0] and not _in_a_row(j, joints)]


def _is_glued(word: str) -> bool:
    """Whether a word is looked for within a part of a name, too (leftear, frontleftpaw): it is long, or it is written
    in a script that does not part words.
    """
    return len(word) >= 4 or not word.isascii()


def _whole_words(joint: str, _: Sequence[str]) -> Iterator[str]:
    """left_knee → right_knee, LeftFoot → RightFoot."""
    parts = PARTS.findall(joint)
    for i, part in enumerate(parts):
        yield from (_replaced(parts, i, _like(part, right)) for left, right in WORDS if part.lower() == left)


def _glued_words(joint: str, _: Sequence[str]) -> Iterator[str]:
    """leftear → rightear, earleft → earright, frontleftpaw → frontrightpaw, 左目 → 右目."""
    for left, right in WORDS:
        for match in re.finditer(left, joint, re.IGNORECASE) if _is_glued(left) else ():
            yield joint[: match.start()] + _like(match[0], right) + joint[match.end() :]


def _feet(joint: str, _: Sequence[str]) -> Iterator[str]:
    """LF → RF, FL_paw → FR_paw, flpaw → frpaw. Where four feet are LF, LR, RF and RR, LR → RR."""
    parts = PARTS.findall(joint)
    for i, part in enumerate(parts):
        low = part.lower()
        if low[:1] == "l" and low[1:] in [*FEET]:
            yield _replaced(parts, i, _like(part[0], "r") + part[1:])
        if low[1:2] == "l" and low[0] in FEET and (len(low) == 2 or low[0] in "fh"):
            yield _replaced(parts, i, part[0] + _like(part[1], "r") + part[2:])


def _letters(joint: str, joints: Sequence[str]) -> Iterator[str]:
    """ear_l → ear_r, ear.L → ear.R, LKnee → RKnee, forelegL4 → forelegR4, L1 → R1."""
    parts = PARTS.findall(joint)
    for i, part in enumerate(parts):
        if part.lower() in LETTERS and not _in_a_row(joint, joints):
            yield _replaced(parts, i, _like(part, LETTERS[part.lower()]))


def _ends(joint: str, joints: Sequence[str]) -> Iterator[str]:
    """Lear → Rear, lsho → rsho, FLpaw → FRpaw, kneel → kneer, ANKL → ANKR. No word is the right of another one: light
    and right are no pair.
    """
    parts = PARTS.findall(joint)
    for i, part in enumerate(parts) if len(joint) > 2 and not _in_a_row(joint, joints) else ():
        other = _like(part[0], "r") + part[1:]
        if (part[0] == "L" or (part[0] == "l" and not i)) and other.lower() not in SIDES and not NO_SIDES.match(other):
            yield _replaced(parts, i, other)
    if len(joint) > 2 and joint[-1] in "lL" and not _in_a_row(joint, joints):
        yield joint[:-1] + _like(joint[-1], "r")


def _replaced(parts: list[str], i: int, word: str) -> str:
    return "".join([*parts[:i], word, *parts[i + 1 :]])


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
