"""``kp COMMAND``: finds the command, imports what it needs and no more, and answers mistakes in one line."""

import difflib
import inspect
import os
import signal
import sys
import warnings
from collections.abc import Callable
from importlib import import_module

import kp
from kp.errors import KpError, printable

COMMANDS = {
    "Use a model": ("kp.cli.use", ("predict", "repose", "export")),
    "Your own video": ("kp.cli.own_video", ("check", "fit", "prepare", "masks")),
    "The method": ("kp.cli.train", ("train", "evaluate")),
    "Research": ("kp.cli.research", ("study", "settings", "verify")),
}
"""Group → (module, its commands)."""


def find_command(name: str) -> Callable[..., None]:
    """The function of a command; KpError names the nearest ones."""
    for module, names in COMMANDS.values():
        if name in names:
            return getattr(import_module(module), name)
    every = [command for _, names in COMMANDS.values() for command in names]
    near = difflib.get_close_matches(name, every, 2, 0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(every)}"
    raise KpError(f"no command '{name}'; {hint} (kp --help says what they do)")


def overview() -> str:
    """What ``kp --help`` prints: the commands in their groups, a line each."""
    lines = [
        "kp: named keypoints from unlabelled videos and unpaired poses.",
        "",
        "kp COMMAND --help says more of one.",
    ]
    for group, (module, names) in COMMANDS.items():
        lines += ["", f"{group}:"]
        for name in names:
            summary = inspect.getdoc(getattr(import_module(module), name)).splitlines()[0]
            lines.append(f"  {name:9s} {summary}")
    return "\n".join([*lines, "", "kp --version prints the version."])


GOES_ON = {
    "train": "the same command goes on from the last checkpoint",
    "fit": "the same command goes on where it was",
    "study": "the same command goes on with the run that was cut off",
    "masks": "the same command goes on with what was learnt, and writes the masks anew",
}
"""What to say of a command that was stopped; others begin anew."""


class Terminated(KeyboardInterrupt):
    """Somebody asked the process to end (SIGTERM), as queues of clusters do."""


def terminate(*_) -> None:
    """End as after Ctrl-C: reports say so, files are whole."""
    raise Terminated


def main() -> None:
    """Entry point: one line and exit status 1 for mistakes in the input, no traceback."""
    words = sys.argv[1:]
    command = words[0] if words else ""
    try:
        signal.signal(signal.SIGTERM, terminate)
        warnings.formatwarning = lambda message, *_, **__: f"kp: warning: {printable(str(message))}\n"
        for stream in (sys.stdout, sys.stderr):
            stream.reconfigure(errors="replace")  # a terminal that does not write η
        if command in ("", "-h", "--help", "help"):
            print(overview())
        elif command in ("-V", "--version"):
            print(f"kp {kp.__version__}")
        else:
            run(command, words[1:])
        sys.stdout.flush()
    except KpError as error:
        sys.exit(f"kp: {error}")
    except BrokenPipeError:  # whoever read our words has gone, as in: kp --help | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt as stop:
        print(f"kp: stopped; {GOES_ON.get(command, 'the same command begins anew')}", file=sys.stderr)
        sys.exit(128 + signal.SIGTERM if isinstance(stop, Terminated) else 1)


def run(command: str, words: list[str]) -> None:
    """Run a command with the words after it."""
    import tyro

    function = find_command(command)
    threads = str(max(1, (os.cpu_count() or 1) - 1))
    os.environ.setdefault("OMP_NUM_THREADS", threads)  # as kp.distributed.leave_a_core, before torch is there
    tyro.cli(function, prog=f"kp {command}", args=words, config=(tyro.conf.CascadeSubcommandArgs,))
