"""`eval`: how well the service finds and answers, on sets of questions whose answers are known."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rag.cli.output import complain, err, print_json, print_table, say
from rag.cli.service import chunking_option, json_object, json_option, service, url_option, world
from rag.types import JsonObject

if TYPE_CHECKING:
    from evals.harness.client import Config
    from evals.harness.comparison import Comparison, Difference
    from evals.harness.eval_set import EvalSet
    from evals.harness.run import Runner, SetResult, ShowProgress

SILENCE_TIMEOUT_S = 300.0
_AS_IT_IS = "service"
"""Name of the configuration that leaves all to the service."""
_OUT = Path("evals/out")


def _named(_context: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> dict[str, JsonObject]:
    configs: dict[str, JsonObject] = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not name or not equals:
            raise click.BadParameter("must be NAME=JSON")
        if name in configs:
            raise click.BadParameter(f"{name} is there twice")
        configs[name] = json_object(text, f"--config {name}")
    return configs or {_AS_IT_IS: {}}


@click.command("eval")
@click.argument("sets", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--config",
    "configs",
    multiple=True,
    metavar="NAME=JSON",
    callback=_named,
    help="Fields that go with each request, under a name; several are measured side by side. None: as it is set.",
)
@click.option("--queries", type=click.IntRange(1), help="So many of each set, drawn at random; all unless given.")
@click.option("--no-answers", is_flag=True, help="Ask the language model nothing: retrieval alone.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of all that is random.")
@click.option("--concurrency", type=click.IntRange(1, 64), default=4, show_default=True, help="Requests at once.")
@chunking_option
@click.option("--fresh", is_flag=True, help="Make the vector stores anew, with the service's settings of today.")
@click.option("--out", "folder", type=click.Path(path_type=Path), help=f"Folder to write to; {_OUT}/DATE unless given.")
@click.option(
    "--compare", "baseline", type=click.Path(path_type=Path), help="A report.json; a significant loss exits with 1."
)
@url_option
@json_option
def evaluate(
    sets: tuple[Path, ...],
    configs: dict[str, JsonObject],
    queries: int | None,
    no_answers: bool,
    seed: int,
    concurrency: int,
    chunking: JsonObject | None,
    fresh: bool,
    folder: Path | None,
    baseline: Path | None,
    url: str,
    as_json: bool,
) -> None:
    """Measure retrieval and answers on SETS, folders in the format of docs/evaluation.md.

    Each set's documents go into a vector store of their own, which a second run finds there. A table is printed; the
    folder gets it as report.md, everything as report.json, and plots.

    Exit codes: 0; 1 when --compare finds a loss, or the service fails; 2 when what was given is wrong.
    """
    _require_harness()
    from evals.harness.eval_set import InputError

    started = time.monotonic()
    try:
        chosen = _sets(sets, chunking, queries, seed)
        known = _baseline(baseline)
        with service(url, SILENCE_TIMEOUT_S) as client, _progress(quiet=as_json) as show:
            runner = _runner(client, show, seed=seed, concurrency=concurrency, fresh=fresh, answers=not no_answers)
            done = [runner.evaluate(one, _configs(configs)) for one in chosen]
        settings = {"queries": queries, "seed": seed, "concurrency": concurrency, "seconds": time.monotonic() - started}
        report = _written(done, settings, folder or _OUT / time.strftime("%Y%m%d-%H%M%S"), quiet=as_json)
        comparison = None if known is None else _compared(known, report, seed)
    except InputError as error:
        complain(str(error))
        sys.exit(2)
    if as_json:
        print_json({**report, "comparison": comparison and _comparison_json(comparison)})
    elif comparison is not None:
        _show_comparison(comparison)
    sys.exit(1 if comparison is not None and comparison.losses else 0)


def _require_harness() -> None:
    try:
        import evals.harness  # noqa: F401 - only whether it is there
    except ModuleNotFoundError:
        raise click.ClickException(
            "the evaluation harness (evals/harness) is missing: run this command in a checkout or a Bento of the bundle"
        ) from None


def _sets(paths: Sequence[Path], chunking: JsonObject | None, queries: int | None, seed: int) -> list[EvalSet]:
    from evals.harness.eval_set import InputError
    from evals.harness.packages import check_packages
    from evals.harness.set_reader import read_set

    check_packages()
    chosen = [read_set(path.expanduser(), chunking).sample(queries, seed) for path in paths]
    names = [one.name for one in chosen]
    if twice := {name for name in names if names.count(name) > 1}:
        raise InputError(f"two sets are named {twice.pop()}: give one of them another name in its set.json")
    return chosen


def _configs(configs: dict[str, JsonObject]) -> list[Config]:
    from evals.harness.client import Config

    return [Config(name, request) for name, request in configs.items()]


def _runner(client: object, show: ShowProgress, **options: object) -> Runner:
    from evals.harness.run import Runner

    return Runner(client, show=show, pause=world().sleep, **options)  # type: ignore[arg-type]


def _baseline(path: Path | None) -> JsonObject | None:
    from evals.harness.comparison import read_baseline

    return None if path is None else read_baseline(path)


def _compared(baseline: JsonObject, report: JsonObject, seed: int) -> Comparison:
    from evals.harness.comparison import compare

    return compare(baseline, report, seed)


# --- what is written -------------------------------------------------------------------------


def _written(done: Sequence[SetResult], settings: JsonObject, folder: Path, *, quiet: bool) -> JsonObject:
    """The report, once it is in the folder."""
    from evals.harness import plots, report

    folder.mkdir(parents=True, exist_ok=True)
    whole = report.as_json(done, settings)
    (folder / "report.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    pictures = plots.draw(done, folder)
    (folder / "report.md").write_text(report.as_markdown(done, whole, pictures), encoding="utf-8")
    if not quiet:
        for title, headings, rows in report.tables(done):
            say(f"{title}\n")
            print_table(headings, rows)
            say("")
        say(f"Written to {folder}: report.md, report.json, {', '.join(pictures)}")
    return whole


def _comparison_json(comparison: Comparison) -> JsonObject:
    from dataclasses import asdict

    rows = [{**asdict(difference), "is_loss": difference.is_loss} for difference in comparison.differences]
    return {"differences": rows, "warnings": list(comparison.warnings)}


def _show_comparison(comparison: Comparison) -> None:
    for warning in comparison.warnings:
        complain(f"note: {warning}")
    say("\nCompared with the baseline\n")
    rows = (
        (d.set_name, d.config, d.metric, d.n, *(f"{value:.4f}" for value in (d.before, d.after, d.p)), _verdict(d))
        for d in comparison.differences
    )
    print_table(("set", "configuration", "metric", "queries", "before", "now", "p", ""), rows)
    if losses := comparison.losses:
        names = ", ".join(f"{d.set_name} {d.config} {d.metric} ({d.change:+.4f})" for d in losses)
        complain(f"\nsignificant losses: {names}")
    else:
        say("\nNo significant loss.")


def _verdict(difference: Difference) -> str:
    return f"{difference.change:+.4f}{' LOSS' if difference.is_loss else ''}" if difference.change else ""


@contextmanager
def _progress(*, quiet: bool) -> Iterator[ShowProgress]:
    """A bar on stderr for what is being done; where there is no terminal, a line when something else begins."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

    columns = (SpinnerColumn(), BarColumn(bar_width=24), MofNCompleteColumn(), TextColumn("{task.description}"))
    told = ""
    with Progress(
        *columns, TimeRemainingColumn(), console=err, disable=quiet or not err.is_terminal, transient=True
    ) as progress:
        task = progress.add_task("", total=None)

        def show(what: str, done: int, total: int) -> None:
            nonlocal told
            if what != told:
                told = what
                progress.reset(task)
                if not quiet and not err.is_terminal:
                    complain(f"{what} ({total:,})")
            progress.update(task, description=what, completed=done, total=total)

        yield show
