"""What a teacher takes away:

downloads/figures.zip, every figure of the book, and exercises.zip, the notebooks as students get them.
"""

import sys
import zipfile
from pathlib import Path

import nbformat


def pack(source: Path, out: Path) -> None:
    """Write both archives from the book's sources and results."""
    sys.path.insert(0, str(source / "book/exercises"))
    from editions import edition

    out.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(out / "figures.zip", "w") as archive:  # PNG is compressed already
        for folder in ("results", "data/pictures", "data/runs"):
            for path in sorted((source / folder).rglob("*.png")):
                archive.write(path, path.relative_to(source))
    with zipfile.ZipFile(out / "exercises.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((source / "book/exercises").glob("*.ipynb")):
            archive.writestr(f"exercises/{path.name}", nbformat.writes(edition(nbformat.read(path, 4), "student")))


def write(app, exception):
    if exception is None and app.builder.format == "html":
        pack(Path(app.srcdir), Path(app.outdir) / "downloads")


def setup(app):
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
