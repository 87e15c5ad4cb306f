"""`python scripts/licences.py`: the licence of each package in requirements-cpu.txt, as its metadata states it.

Fails if one is missing, or does not go with a product of any kind: GPL, AGPL, SSPL. The LGPL and the MPL do.
"""

from __future__ import annotations

import importlib.metadata
import re
import sys
from pathlib import Path

LOCK = Path(__file__).resolve().parents[1] / "requirements-cpu.txt"
_REFUSED = re.compile(r"\bA?GPL|\bSSPL|Affero|(?<!Lesser )General Public License", re.IGNORECASE)
_UNSTATED = {"oss-harmony": "Apache-2.0", "setuptools": "MIT"}
"""Read in the packages' licence files; their metadata does not name them."""


def packages() -> list[str]:
    """The names of all pinned packages."""
    found = (re.match(r"([A-Za-z0-9][\w.-]*)==", line) for line in LOCK.read_text().splitlines())
    return [match[1] for match in found if match]


def licence(package: str) -> str:
    """What the installed package's metadata says; empty if it says nothing.

    Raises:
        PackageNotFoundError: the package is not installed.
    """
    metadata = importlib.metadata.metadata(package)
    classifiers = metadata.get_all("Classifier") or []
    named = "; ".join(each.rpartition(" :: ")[2] for each in classifiers if each.startswith("License :: "))
    stated = metadata.get("License-Expression") or named or (metadata.get("License") or "").partition("\n")[0]
    return _UNSTATED.get(package) or stated


def refused(stated: str) -> bool:
    return not stated or _REFUSED.search(stated) is not None


def main() -> int:
    rows = [(package, licence(package)) for package in packages()]
    for package, stated in rows:
        print(f"{package:40} {stated or 'not stated'}")
    wrong = [package for package, stated in rows if refused(stated)]
    if wrong:
        print(f"not admitted: {', '.join(wrong)}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
