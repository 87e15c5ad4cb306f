"""Renews the JavaScript libraries of the page at `/ui` from the npm registry. Needs npm.

Run without arguments to fetch the versions in vendor.json again, or with `--upgrade` to change to the latest ones.
vendor.json lists each package with its version, licence and checksum, and each file or folder taken from it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "rag" / "http" / "ui" / "vendor"
LIST = FOLDER / "vendor.json"
SOURCE_MAP = "//# sourceMappingURL="


def main() -> None:
    listed = json.loads(LIST.read_text(encoding="utf-8"))
    for package in listed["packages"]:
        renew(package, "latest" if "--upgrade" in sys.argv[1:] else package["version"])
    LIST.write_text(json.dumps(listed, indent=2) + "\n", encoding="utf-8")


def renew(package: dict[str, Any], version: str) -> None:
    """Fetch a package, write its files and update its entry."""
    with tempfile.TemporaryDirectory() as folder:
        packed = npm_pack(f"{package['name']}@{version}", folder)
        archive = Path(folder) / packed["filename"]
        check(archive, packed["integrity"])
        if version == package["version"] and package.get("integrity", packed["integrity"]) != packed["integrity"]:
            raise SystemExit(f"{packed['id']} is not the package that vendor.json describes: its checksum differs")
        with tarfile.open(archive) as opened:
            package.update(version=packed["version"], license=license_of(opened), integrity=packed["integrity"])
            for file in package["files"]:
                write(file, read(opened, file["from"]))
            for folder in package.get("folders", []):
                write_folder(folder, opened)
    print(f"{package['name']} {package['version']} ({package['license']})")


def npm_pack(spec: str, folder: str) -> dict[str, Any]:
    command = ["npm", "pack", "--json", "--pack-destination", folder, spec]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    packed: dict[str, Any] = json.loads(done.stdout)[0]
    return packed


def check(archive: Path, integrity: str) -> None:
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if integrity != f"sha512-{digest}":
        raise SystemExit(f"{archive.name} is damaged: its checksum is not {integrity}")


def read(opened: tarfile.TarFile, name: str) -> bytes:
    member = opened.extractfile(f"package/{name}")
    if member is None:
        raise SystemExit(f"the package has no file {name}; correct `from` in vendor.json")
    return member.read()


def license_of(opened: tarfile.TarFile) -> str:
    return str(json.loads(read(opened, "package.json"))["license"])


def write(file: dict[str, Any], content: bytes) -> None:
    target = FOLDER / file["path"]
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(script(file, content) if target.suffix in (".js", ".mjs") else content)
    file["sha256"] = hashlib.sha256(target.read_bytes()).hexdigest()


def script(file: dict[str, Any], content: bytes) -> bytes:
    """The script without its reference to a source map, and with the replacements that vendor.json lists.

    A bare `from "preact"` is no address that a browser can load without an import map, and an import map is an inline
    script.
    """
    text = content.decode()
    for old, new in file.get("replace", {}).items():
        if old not in text:
            raise SystemExit(f"{file['from']} does not contain {old}; correct `replace` in vendor.json")
        text = text.replace(old, new)
    lines = [line for line in text.splitlines(keepends=True) if not line.startswith(SOURCE_MAP)]
    return "".join(lines).encode()


def write_folder(folder: dict[str, Any], opened: tarfile.TarFile) -> None:
    """Write the files of a folder whose names end with one of `suffixes`; their checksums count as one."""
    target = FOLDER / folder["path"]
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for name in opened.getnames():
        inner = Path(name).relative_to("package")
        if inner.parent == Path(folder["from"]) and inner.suffix in folder["suffixes"]:
            (target / inner.name).write_bytes(read(opened, str(inner)))
    folder["sha256"] = folder_digest(target)


def folder_digest(folder: Path) -> str:
    """The SHA-256 of the names and contents of a folder's files."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        digest.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


if __name__ == "__main__":
    main()
