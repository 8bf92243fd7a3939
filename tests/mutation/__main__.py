"""Run mutants and judge the survivors: `python -m tests.mutation --mutants 6 --seed 1 protocol.jwt`.

A first run of the suite records which tests execute which line. Each mutant then meets the tests of its line alone, the
nearest file first, in a child of this process, which has imported the libraries and nothing of the project.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import random
import subprocess
import sys
import time
import tomllib
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import MODULES
from .child import KILLED, TIME_LIMIT, run_tests
from .mutations import Mutation, mutations_of

HERE, ROOT = Path(__file__).parent, Path(__file__).parents[2]
RESULTS = ROOT / "var" / "mutation"
MAP = RESULTS / "coverage"
SUITE = ("-q", "-p", "no:randomly", "-m", "not processes", "--ignore=tests/servers")
MAX_ON_A_LINE = 2
FIRST_FILES, FIRST_SECONDS = 6, 30
"""What a mutant meets first, since most are killed there; only then the rest."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.mutation", description=__doc__)
    parser.add_argument("modules", nargs="*", default=["*"], help="patterns of names in MODULES")
    parser.add_argument("--mutants", type=int, default=6, help="mutants of each module")
    parser.add_argument("--seed", type=int, default=0, help="which mutants are chosen")
    parser.add_argument("--suite", action="append", default=[], help="a path of tests, instead of all of them")
    parser.add_argument("--keep-map", action="store_true", help="use the recorded map although files are newer")
    arguments = parser.parse_args()
    modules = [name for name in MODULES if any(fnmatch.fnmatch(name, each) for each in arguments.modules)]
    sources = {name: path_of(name).read_text() for name in modules}
    judged = read_judged()
    candidates = {name: list(mutations_of(name, source)) for name, source in sources.items()}
    stale = [
        name for name in judged if name[0] in candidates and name not in {each.name for each in candidates[name[0]]}
    ]
    if not (arguments.keep_map and MAP.exists()):
        record_map(arguments.suite)
    tests = read_map()
    chosen = [each for name in modules for each in choose(candidates[name], tests, arguments.mutants, arguments.seed)]
    results = [(mutation, judge(mutation, tests, judged)) for mutation in chosen]
    write(results, candidates, arguments)
    for name in stale:
        print(f"judged, but no mutation any more: {name}")
    return 1 if stale or any(verdict == "survived" for _, verdict in results) else 0


def path_of(module: str) -> Path:
    return ROOT / "django_introspection" / f"{module.replace('.', '/')}.py"


def read_judged() -> dict[tuple[str, str, str], str]:
    """Return the reason of each mutant that was found to change nothing that anyone can see."""
    entries = tomllib.loads((HERE / "judged.toml").read_text())["equivalent"]
    return {(entry["module"], entry["line"], entry["change"]): entry["reason"] for entry in entries}


def record_map(paths: Sequence[str]) -> None:
    RESULTS.mkdir(parents=True, exist_ok=True)
    settings = RESULTS / "coveragerc"
    settings.write_text(f"[run]\nsource = django_introspection\nparallel = true\ndata_file = {MAP}\n")
    coverage = ("--cov", f"--cov-config={settings}", "--cov-context=test", "--cov-report=", "-n", "auto")
    subprocess.run([sys.executable, "-m", "pytest", *SUITE, *coverage, *paths], cwd=ROOT, check=True)


Map = dict[str, dict[int, set[str]]]


def read_map() -> Map:
    """Return the tests by module and line."""
    from coverage import CoverageData

    data, found = CoverageData(str(MAP)), {}
    data.read()
    for name in data.measured_files():
        module = name.rpartition("/django_introspection/")[2].removesuffix(".py").replace("/", ".")
        by_line = data.contexts_by_lineno(name)
        names = {line: {each.rpartition("|")[0] for each in contexts} for line, contexts in by_line.items()}
        everyone = set().union(*names.values())
        # What ran before the first test, such as the connection of a receiver, has an effect on all of them.
        found[module] = {line: (everyone if "" in of_line else of_line) - {""} for line, of_line in names.items()}
    return found


def choose(candidates: Sequence[Mutation], tests: Map, count: int, seed: int) -> list[Mutation]:
    """Choose mutants of lines that tests execute; lines that run at import are executed by every test of the module."""
    shuffled = list(candidates)
    random.Random(seed).shuffle(shuffled)  # noqa: S311 - a sample that can be drawn again
    on_line: Counter[int] = Counter()
    chosen = []
    for mutation in shuffled:
        if len(chosen) == count:
            break
        if on_line[mutation.line] < MAX_ON_A_LINE and tests_of(mutation, tests):
            on_line[mutation.line] += 1
            chosen.append(mutation)
    return chosen


def tests_of(mutation: Mutation, tests: Map) -> list[str]:
    """Return the tests of a line: of the file that is named like the module, of its directory, of files with few."""
    lines = tests.get(mutation.module, {})
    executed = [lines.get(mutation.line, set())] if mutation.is_in_function else lines.values()
    names = {each for of_line in executed for each in of_line}
    package, _, module = mutation.module.rpartition(".")
    size = Counter(map(file_of, names))

    def nearness(name: str) -> tuple[bool, bool, int, str]:
        file = file_of(name)
        return not file.endswith(f"/test_{module}.py"), not file.startswith(f"tests/{package}/"), size[file], name

    return sorted(names, key=nearness)


def file_of(test: str) -> str:
    return test.partition("::")[0]


def judge(mutation: Mutation, tests: Map, judged: dict[tuple[str, str, str], str]) -> str:
    if mutation.name in judged:
        return "equivalent"
    names, started = tests_of(mutation, tests), time.monotonic()
    files = list(dict.fromkeys(map(file_of, names)))
    verdict = run_tests(mutation, [name for name in names if file_of(name) in files[:FIRST_FILES]], FIRST_SECONDS)
    if verdict == "cut" or (verdict == "survived" and len(files) > FIRST_FILES):
        verdict = run_tests(mutation, names, TIME_LIMIT)
    seconds = time.monotonic() - started
    print(
        f"{verdict:9} {seconds:4.0f} s  {mutation.module}:{mutation.line}  {mutation.change}  | {mutation.text}",
        flush=True,
    )
    return "killed" if verdict in KILLED else "survived"


def write(results: list[tuple[Mutation, str]], candidates: dict[str, list[Mutation]], arguments: Any) -> None:
    """Write var/mutation/result.json, and print a table and the survivors."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    verdicts: dict[str, Counter[str]] = defaultdict(Counter)
    for mutation, verdict in results:
        verdicts[mutation.module][verdict] += 1
    rows = [{"module": name, "candidates": len(candidates[name]), **counts} for name, counts in verdicts.items()]
    survivors = [
        {"module": each.module, "file": str(path_of(each.module).relative_to(ROOT)), "line": each.line}
        | {"text": each.text, "change": each.change}
        for each, verdict in results
        if verdict == "survived"
    ]
    total = Counter(verdict for _, verdict in results)
    document = {"seed": arguments.seed, "mutants": arguments.mutants, "total": total, "modules": rows}
    (RESULTS / "result.json").write_text(json.dumps({**document, "survivors": survivors}, indent=1, ensure_ascii=False))
    print(f"\n{sum(total.values())} mutants: {dict(total)}; {len(survivors)} survived without a judgement")
    for each in survivors:
        print(f"  {each['file']}:{each['line']}  {each['change']}\n      {each['text']}")


if __name__ == "__main__":
    sys.exit(main())
