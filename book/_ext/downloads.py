"""What a teacher takes away: downloads/figures.zip, every figure of the book."""

import zipfile
from pathlib import Path


def pack(source: Path, out: Path) -> None:
    """Write the archive from the book's sources and results."""
    out.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(out / "figures.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for folder in ("results", "data/pictures", "data/runs"):
            for path in sorted(p for p in (source / folder).rglob("*") if p.suffix in (".png", ".svg")):
                archive.write(path, path.relative_to(source))


def write(app, exception):
    if exception is None and app.builder.format == "html":
        pack(Path(app.srcdir), Path(app.outdir) / "downloads")


def setup(app):
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
