"""`eval`: measures retrieval and answers of the service on question sets with known answers."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rag.cli.options import chunking_option, json_object, json_option, url_option
from rag.cli.output import print_json, print_line, print_message, print_table, stderr
from rag.cli.service_client import cli_context, connect
from rag.types import JsonObject

if TYPE_CHECKING:
    from evals.harness.client import Config
    from evals.harness.eval_set import EvalSet
    from evals.harness.reports.comparison import Comparison, Difference
    from evals.harness.run import SetResult, ShowProgress

READ_TIMEOUT_S = 300.0
_DEFAULT_CONFIG = "service"
"""Name of the configuration that uses the service's own settings."""
_DEFAULT_FOLDER = Path("evals/out")


def _parse_configs(_context: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> dict[str, JsonObject]:
    configs: dict[str, JsonObject] = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not name or not equals:
            raise click.BadParameter("must be NAME=JSON")
        if name in configs:
            raise click.BadParameter(f"{name} is given twice")
        configs[name] = json_object(text, f"--config {name}")
    return configs or {_DEFAULT_CONFIG: {}}


@click.command("eval")
@click.argument("sets", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--config",
    "configs",
    multiple=True,
    metavar="NAME=JSON",
    callback=_parse_configs,
    help="A named configuration: fields added to each request. Repeat to compare several. Default: service settings.",
)
@click.option("--queries", type=click.IntRange(1), help="Random sample of this many queries of each set. Default: all.")
@click.option("--no-answers", is_flag=True, help="Measure retrieval only, without the language model.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Random seed.")
@click.option("--concurrency", type=click.IntRange(1, 64), default=4, show_default=True, help="Concurrent requests.")
@chunking_option
@click.option("--fresh", is_flag=True, help="Rebuild the vector stores with the current settings of the service.")
@click.option(
    "--out", "folder", type=click.Path(path_type=Path), help=f"Report folder. Default: {_DEFAULT_FOLDER}/DATE."
)
@click.option(
    "--compare",
    "baseline",
    type=click.Path(path_type=Path),
    help="Baseline report.json; a significant loss against it exits with 1.",
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

    The documents of each set are ingested into a vector store of their own, which later runs use again. The results
    are printed as a table and written to the folder as report.md, report.json and plots.

    Exit codes: 0 success; 1 when --compare finds a loss, or the service fails; 2 when the input is invalid.
    """
    _require_harness()
    from evals.harness.eval_set import InputError
    from evals.harness.run import Runner

    started = time.monotonic()
    try:
        eval_sets = _read_sets(sets, chunking, queries, seed)
        baseline_report = _read_baseline(baseline)
        with connect(url, READ_TIMEOUT_S) as client, _progress(quiet=as_json) as show:
            runner = Runner(
                client,
                show=show,
                pause=cli_context().sleep,
                seed=seed,
                concurrency=concurrency,
                fresh=fresh,
                answers=not no_answers,
            )
            results = [runner.evaluate(eval_set, _configs(configs)) for eval_set in eval_sets]
        settings = {"queries": queries, "seed": seed, "concurrency": concurrency, "seconds": time.monotonic() - started}
        folder = folder or _DEFAULT_FOLDER / time.strftime("%Y%m%d-%H%M%S")
        report = _write_report(results, settings, folder, quiet=as_json)
        comparison = None if baseline_report is None else _compare(baseline_report, report, seed)
    except InputError as error:
        print_message(str(error))
        sys.exit(2)
    _print_outcome(report, comparison, as_json)
    sys.exit(1 if comparison is not None and comparison.losses else 0)


def _require_harness() -> None:
    try:
        import evals.harness  # noqa: F401 - only whether it is there
    except ModuleNotFoundError:
        raise click.ClickException(
            "the evaluation harness (evals/harness) is missing: run this command in a checkout or a Bento of the bundle"
        ) from None


def _read_sets(paths: Sequence[Path], chunking: JsonObject | None, queries: int | None, seed: int) -> list[EvalSet]:
    from evals.harness.eval_set import InputError
    from evals.harness.packages import check_packages
    from evals.harness.set_reader import read_set

    check_packages()
    eval_sets = [read_set(path.expanduser(), chunking).sample(queries, seed) for path in paths]
    names = [eval_set.name for eval_set in eval_sets]
    if duplicates := {name for name in names if names.count(name) > 1}:
        raise InputError(f"two sets are named {duplicates.pop()}: give one of them another name in its set.json")
    return eval_sets


def _configs(configs: dict[str, JsonObject]) -> list[Config]:
    from evals.harness.client import Config

    return [Config(name, request) for name, request in configs.items()]


def _read_baseline(path: Path | None) -> JsonObject | None:
    from evals.harness.reports.comparison import read_baseline

    return None if path is None else read_baseline(path)


def _compare(baseline: JsonObject, report: JsonObject, seed: int) -> Comparison:
    from evals.harness.reports.comparison import compare

    return compare(baseline, report, seed)


def _write_report(results: Sequence[SetResult], settings: JsonObject, folder: Path, *, quiet: bool) -> JsonObject:
    """The report, after it was written to the folder."""
    from evals.harness.reports import plots, report

    folder.mkdir(parents=True, exist_ok=True)
    whole = report.as_json(results, settings)
    (folder / "report.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    pictures = plots.draw(results, folder)
    (folder / "report.md").write_text(report.as_markdown(results, whole, pictures), encoding="utf-8")
    if not quiet:
        for title, headings, rows in report.tables(results):
            print_line(f"{title}\n")
            print_table(headings, rows)
            print_line("")
        print_line(f"Written to {folder}: report.md, report.json, {', '.join(pictures)}")
    return whole


def _print_outcome(report: JsonObject, comparison: Comparison | None, as_json: bool) -> None:
    if as_json:
        print_json({**report, "comparison": comparison and _comparison_json(comparison)})
    elif comparison is not None:
        _print_comparison(comparison)


def _comparison_json(comparison: Comparison) -> JsonObject:
    rows = [{**asdict(difference), "is_loss": difference.is_loss} for difference in comparison.differences]
    return {"differences": rows, "warnings": list(comparison.warnings)}


def _print_comparison(comparison: Comparison) -> None:
    for warning in comparison.warnings:
        print_message(f"note: {warning}")
    print_line("\nCompared with the baseline\n")
    rows = (
        (d.set_name, d.config, d.metric, d.n, *(f"{value:.4f}" for value in (d.before, d.after, d.p)), _change(d))
        for d in comparison.differences
    )
    print_table(("set", "configuration", "metric", "queries", "before", "now", "p", ""), rows)
    if losses := comparison.losses:
        names = ", ".join(f"{d.set_name} {d.config} {d.metric} ({d.change:+.4f})" for d in losses)
        print_message(f"\nsignificant losses: {names}")
    else:
        print_line("\nNo significant loss.")


def _change(difference: Difference) -> str:
    return f"{difference.change:+.4f}{' LOSS' if difference.is_loss else ''}" if difference.change else ""


@contextmanager
def _progress(*, quiet: bool) -> Iterator[ShowProgress]:
    """A progress bar on stderr. Without a terminal, a line when another task begins."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

    columns = (SpinnerColumn(), BarColumn(bar_width=24), MofNCompleteColumn(), TextColumn("{task.description}"))
    current = ""
    with Progress(
        *columns, TimeRemainingColumn(), console=stderr, disable=quiet or not stderr.is_terminal, transient=True
    ) as bar:
        task = bar.add_task("", total=None)

        def show(description: str, done: int, total: int) -> None:
            nonlocal current
            if description != current:
                current = description
                bar.reset(task)
                if not quiet and not stderr.is_terminal:
                    print_message(f"{description} ({total:,})")
            bar.update(task, description=description, completed=done, total=total)

        yield show
