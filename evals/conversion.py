"""The command line of the modules that convert published data into evaluation sets."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from evals.harness.eval_set import InputError
from evals.harness.set_reader import read_set


def run(module: str, about: str | None, write: Callable[[Path, Path], None], arguments: Sequence[str] | None) -> int:
    """Convert FOLDER to the set TO, read that set, and print its size. Returns the exit code.

    Args:
        module: Name of the module, as `python -m` takes it.
        about: Its docstring.
        write: Converts the first folder and writes the set to the second.
        arguments: FOLDER and TO; None: those of the process.
    """
    cli = argparse.ArgumentParser(prog=f"python -m {module}", description=about)
    cli.add_argument("folder", type=Path, metavar="FOLDER")
    cli.add_argument("to", type=Path, metavar="TO")
    chosen = cli.parse_args(arguments)
    try:
        write(chosen.folder, chosen.to)
        made = read_set(chosen.to)
    except (OSError, ValueError, KeyError, InputError) as error:
        print(f"failed: {error}", file=sys.stderr)
        return 1
    print(f"{chosen.to}: {len(made.documents)} documents, {len(made.questions)} questions")
    return 0
