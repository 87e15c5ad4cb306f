"""`python scripts/sbom.py LOCK...`: prints a software bill of materials as CycloneDX 1.6 JSON.

It lists the pins of the given files, with their hashes, and the libraries of the page. Licences and dependencies are
what the installed packages of the same names state; of a package that is not installed they are unknown, and left out.
"""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import quote

import licences
from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PAGE_LIBRARIES = ROOT / "rag" / "http" / "ui" / "vendor" / "vendor.json"
PIN = re.compile(r"^([a-z0-9][\w.-]*)==([^\s\\]+)((?: \\\n +--hash=sha256:[0-9a-f]+)*)", re.MULTILINE)


def bill_of_materials(locks: list[Path]) -> dict[str, Any]:
    pins = [pin for lock in locks for pin in PIN.findall(lock.read_text(encoding="utf-8"))]
    packages = {name: package(name, version, hashes) for name, version, hashes in pins}
    libraries = [page_library(each) for each in json.loads(PAGE_LIBRARIES.read_text(encoding="utf-8"))["packages"]]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
            "component": {"type": "application", "bom-ref": "rag", "name": "rag", "licenses": licence("Apache-2.0")},
        },
        "components": [*packages.values(), *libraries],
        "dependencies": [
            {"ref": "rag", "dependsOn": references(direct(), packages) + [each["bom-ref"] for each in libraries]},
            *dependencies(packages),
        ],
    }


def package(name: str, version: str, hashes: str) -> dict[str, Any]:
    """A release has several files. `hashes` of the component itself would claim that it is each of them."""
    component = library(f"pkg:pypi/{name}@{quote(version)}", name, version)
    listed = [{"alg": "SHA-256", "content": each} for each in re.findall(r"sha256:(\w+)", hashes)]
    files = {"type": "distribution", "url": component["purl"], "comment": "files of the release", "hashes": listed}
    stated = {"licenses": licence(licences.licence(name))} if installed(name) else {}
    return {**component, **stated, "externalReferences": [files]}


def page_library(listed: dict[str, Any]) -> dict[str, Any]:
    name, version = listed["name"], listed["version"]
    return {**library(f"pkg:npm/{quote(name)}@{version}", name, version), "licenses": licence(listed["license"])}


def library(purl: str, name: str, version: str) -> dict[str, Any]:
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


def licence(stated: str) -> list[dict[str, Any]]:
    """An SPDX expression as such, anything else as a name."""
    try:
        return [{"expression": canonicalize_license_expression(stated)}]
    except InvalidLicenseExpression:
        return [{"license": {"name": stated}}]


def installed(name: str) -> bool:
    return next(iter(metadata.distributions(name=name)), None) is not None


def direct() -> set[str]:
    """The packages that requirements/ names, in any set."""
    files = (ROOT / "requirements").glob("*.in")
    return {canonicalize_name(name) for file in files for name in re.findall(r"(?m)^([\w.-]+)==", file.read_text())}


def dependencies(packages: dict[str, Any]) -> list[dict[str, Any]]:
    """What each installed package requires of the others on this platform, without its extras."""
    return [
        {"ref": component["bom-ref"], "dependsOn": references(required(name), packages)}
        for name, component in packages.items()
        if installed(name)
    ]


def required(name: str) -> set[str]:
    stated = map(Requirement, metadata.requires(name) or [])
    return {canonicalize_name(each.name) for each in stated if not each.marker or each.marker.evaluate({"extra": ""})}


def references(names: set[str], packages: dict[str, Any]) -> list[str]:
    return sorted(packages[name]["bom-ref"] for name in names & set(packages))


if __name__ == "__main__":
    print(json.dumps(bill_of_materials([Path(each) for each in sys.argv[1:]]), indent=1))
