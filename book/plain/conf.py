"""Plain Sphinx in the place of jupyter-book:

every setting comes from ``_config.yml``. ``make plain`` builds with it.
"""

import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
settings = yaml.safe_load((ROOT / "_config.yml").read_text())
sys.path.insert(0, str(ROOT / "book/_ext"))

project = html_title = settings["title"]
author = settings["author"]
copyright = settings["copyright"]
extensions = [
    "myst_nb",
    "sphinx_external_toc",
    "sphinx_design",
    "sphinx_togglebutton",
    "sphinx_copybutton",
    "sphinx_book_theme",
    "sphinx_multitoc_numbering",
    "sphinxcontrib.bibtex",
    *settings["sphinx"]["extra_extensions"],
    *settings["sphinx"]["local_extensions"],
]
external_toc_path = str(ROOT / "_toc.yml")
external_toc_exclude_missing = settings["only_build_toc_files"]
exclude_patterns = settings["exclude_patterns"]
bibtex_bibfiles = [str(ROOT / file) for file in settings["bibtex_bibfiles"]]
myst_enable_extensions = settings["parse"]["myst_enable_extensions"]
nb_execution_mode = settings["execute"]["execute_notebooks"]
numfig = True
html_theme = "sphinx_book_theme"
html_favicon = str(ROOT / settings["html"]["favicon"])
html_theme_options = {"home_page_in_toc": True, **{k: v for k, v in settings["html"].items() if k.startswith("use_")}}
globals().update(settings["sphinx"]["config"])
html_static_path = [str(ROOT / folder) for folder in settings["sphinx"]["config"]["html_static_path"]]
