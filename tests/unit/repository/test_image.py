"""The image that BentoML builds, as far as its Dockerfile tells: no image can be built in a test."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rag.config import option_names

ROOT = Path(__file__).parents[3]
INSTRUCTIONS = {"FROM", "ARG", "ENV", "RUN", "WORKDIR", "COPY", "ADD", "EXPOSE", "VOLUME", "USER", "ENTRYPOINT", "CMD"}


@pytest.fixture(scope="module")
def docker_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`env/docker` of a Bento, as `bentoml build` writes it."""
    from _bentoml_sdk.images import populate_image_from_build_config
    from bentoml._internal.bento.build_config import BentoBuildConfig

    folder = tmp_path_factory.mktemp("bento")
    (folder / "src").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        with (ROOT / "bentofile.yaml").open() as file:
            config = BentoBuildConfig.from_yaml(file)
        image = populate_image_from_build_config(None, config, str(ROOT))
        assert image is not None
        image.freeze(folder, config.envs)
    return folder / "env" / "docker"


@pytest.fixture(scope="module")
def instructions(docker_folder: Path) -> list[tuple[str, str]]:
    """The instructions of the Dockerfile and their arguments."""
    text = (docker_folder / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line.partition(" ") for line in text.splitlines() if line and not line.startswith("#")]
    found = [(name, argument.strip()) for name, _, argument in lines if name in INSTRUCTIONS]
    assert len(found) > 10
    return found


def test_it_runs_as_a_user_without_privileges(instructions: list[tuple[str, str]]) -> None:
    arguments = dict(argument.split("=") for name, argument in instructions if name == "ARG" and "=" in argument)
    [user] = [argument for name, argument in instructions if name == "USER"]
    assert user == arguments["BENTO_USER"] != "root"
    number = int(arguments["BENTO_USER_UID"])
    assert number >= 1000
    assert f"chown {number} data" in (ROOT / "docs" / "operations.md").read_text()
    assert [name for name, _ in instructions[instructions.index(("USER", user)) + 1 :]] == ["ENTRYPOINT"]


def test_it_has_no_settings_and_no_secrets_in_it(instructions: list[tuple[str, str]]) -> None:
    """Above all not `RAG_SERVER__OPEN`: without a key, a container does not start (`rag.bootstrap.start_check`)."""
    assert not [argument for name, argument in instructions if name in ("ENV", "ARG") and "RAG_" in argument]
    text = " ".join(argument for _, argument in instructions)
    assert not re.search(r"TOKEN|SECRET|PASSWORD|_KEY", text)
    assert "RAG_SERVER__OPEN" in option_names()


def test_it_serves_at_all_addresses_so_that_the_start_check_applies(docker_folder: Path) -> None:
    script = (docker_folder / "entrypoint.sh").read_text()
    assert 'exec bentoml "$@" "$BENTO_PATH"' in script  # as process 1, which gets the signals
    assert "--host" not in script


def test_it_declares_no_port_but_those_in_the_documentation(instructions: list[tuple[str, str]]) -> None:
    ports = {argument for name, argument in instructions if name == "EXPOSE"}
    assert ports == {"3000", "3001"}


def test_no_instruction_opens_files_to_everybody(instructions: list[tuple[str, str]]) -> None:
    run = [argument for name, argument in instructions if name == "RUN"]
    assert not [command for command in run if re.search(r"chmod (?!\+x )|umask", command)]
    copied = [argument for name, argument in instructions if name in ("COPY", "ADD")]
    assert copied
    assert all("--chown=bentoml:bentoml" in argument for argument in copied)
