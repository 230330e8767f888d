"""Weights of long runs in half precision, for the chapters: ``python -m kp.research.scripts.ship FILE ...``.

Writes <out>/<setting>[_at<steps>].safetensors and a list of checksums, SHA256SUMS. The files are what
``kp study --snapshots`` leaves in runs/study; the steps of a final one are in its configuration.
"""

from pathlib import Path

import tyro

from kp.files import sha256
from kp.inference.published import load


def main(files: tyro.conf.Positional[tuple[Path, ...]], out: Path = Path("data/runs/steps12000/weights")) -> None:
    """Write each of ``files`` to ``out`` in half precision.

    Args:
        files: Weights that kp study left.
        out: Folder for the short ones.
    """
    for path in files:
        setting, _, rest = path.stem.partition("_steps")
        at = f"_at{rest.partition('_at')[2]}" if "_at" in rest else ""
        load(path).save(out / f"{setting}{at}.safetensors", half=True)
    written = sorted(out.glob("*.safetensors"))
    (out / "SHA256SUMS").write_text("".join(f"{sha256(path)}  {path.name}\n" for path in written))
    print(f"{out}: {len(written)} files, {sum(path.stat().st_size for path in written) / 1e6:.1f} MB")


if __name__ == "__main__":
    tyro.cli(main)
