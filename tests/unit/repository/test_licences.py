from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def licences() -> Any:
    spec = importlib.util.spec_from_file_location("licences", ROOT / "scripts" / "licences.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_each_package_has_a_licence_that_goes_with_any_product(licences: Any) -> None:
    packages = licences.packages()
    assert len(packages) > 100
    stated = {package: licences.licence(package) for package in packages}
    assert {package: text for package, text in stated.items() if licences.refused(text)} == {}


@pytest.mark.parametrize(
    ("stated", "is_refused"),
    [
        ("AGPL-3.0-only", True), ("GPL-2.0-or-later", True), ("GNU Affero General Public License v3", True), ("", True),
        ("GNU General Public License v3 (GPLv3)", True), ("SSPL-1.0", True),
        ("LGPL-3.0-only", False), ("GNU Lesser General Public License v3", False), ("MIT", False), ("MPL-2.0", False),
    ],
)  # fmt: skip
def test_which_licences_are_refused(licences: Any, stated: str, is_refused: bool) -> None:
    assert licences.refused(stated) == is_refused


def test_the_project_has_a_licence() -> None:
    assert (ROOT / "LICENSE").read_text().lstrip().startswith("Apache License")
