"""Measures atoll and its peers in turns, A B A B, on the same work, into bench/results: a table in Markdown and all figures in JSON,
with the command lines and the machine. rows.py says what is compared. A row whose tool is missing, or whose command fails, is said and
left out. Nothing else should run on the machine: the load is in the table."""

import argparse
import datetime
import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import limit
from measure import PACKAGES
from rows import ROWS, Contender, Row

ROOT = Path(__file__).resolve().parents[2]
PEERS = Path(__file__).resolve().parent
SHARED = ROOT.parent / "shared" / "data"
LIMIT = 3600  # seconds that one command may take


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", default=[], metavar="ROW", help="a row, or the beginning of several rows' names; may be repeated")
    parser.add_argument("--rounds", type=int, help="turns of each row (default 3)")
    parser.add_argument("--steps", type=int, help="measured steps of each command (default 10)")
    parser.add_argument("--quick", action="store_true", help="one round of two steps: to see that all works, not for figures")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--atoll", type=Path, default=ROOT / "bin" / "atoll")
    parser.add_argument("--english", type=Path, default=first_of(SHARED / "tinyshakespeare" / "input.txt", ROOT / "model/bpe/testdata/english.txt"))
    parser.add_argument("--chinese", type=Path, default=first_of(SHARED / "thucnews" / "headlines.txt", ROOT / "model/bpe/testdata/chinese.txt"))
    parser.add_argument("--model", type=Path, default=ROOT / "build" / "peers" / "gpt2", help="directory of a model of random weights; made if it is not there")
    parser.add_argument("--out", type=Path, default=ROOT / "bench" / "results", help="folder of the results")
    parser.add_argument("--list", action="store_true", help="print the rows and end")
    options = parser.parse_args()
    options.rounds = options.rounds or (1 if options.quick else 3)
    options.steps = options.steps or (2 if options.quick else 10)
    return options


def first_of(*paths: Path) -> Path:
    return next((path for path in paths if path.exists()), paths[-1])


def chosen(only: list[str]) -> list[Row]:
    """The rows that are named, or all that are not hidden."""
    for name in only:
        if not any(row.name.startswith(name) for row in ROWS):
            sys.exit(f"compare.py: --only {name}: want one of {', '.join(row.name for row in ROWS)}")
    if not only:
        return [row for row in ROWS if not row.hidden]
    return [row for row in ROWS if any(row.name.startswith(name) for name in only)]


class Side:
    """A contender with what it has given so far."""

    def __init__(self, contender: Contender, options: argparse.Namespace) -> None:
        self.name, self.needs, self.aim = contender.name, contender.needs, contender.aim
        self.command = filled(contender.command, options)
        self.results: list[dict] = []
        self.problem = ""

    def missing(self) -> str:
        lacking = [package for package in self.needs if importlib.util.find_spec(package) is None]
        return f"{', '.join(lacking)} is not installed" if lacking else ""

    def measure(self, figure: str) -> None:
        """Runs the command once; a side that has failed is not run again."""
        if self.problem:
            return
        result, self.problem = run(self.command)
        if not self.problem and not isinstance(result.get(figure), (int, float)):
            self.problem = f"its JSON has no {figure}"
        if not self.problem:
            self.results.append(result)

    def figures(self, figure: str) -> list[float]:
        return [result[figure] for result in self.results]

    def median(self, figure: str) -> float | None:
        known = [result[figure] for result in self.results if figure in result]
        return statistics.median(known) if known else None


def filled(command: list[str], options: argparse.Namespace) -> list[str]:
    """A command with this machine's paths and settings in it."""
    return [word.format(atoll=options.atoll, python=sys.executable, peers=PEERS, threads=options.threads, steps=options.steps, model=options.model,
                        english=options.english, chinese=options.chinese) for word in command]


def run(command: list[str]) -> tuple[dict, str]:
    """What a command printed as JSON, with wall_seconds and peak_bytes of the process beside it; or why there is nothing."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.perf_counter()
        try:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        except OSError as problem:
            return {}, str(problem)
        usage, code = wait(process, started)
        seconds = time.perf_counter() - started
        out.seek(0)
        err.seek(0)
        text, complaint = out.read().decode(errors="replace"), err.read().decode(errors="replace")
    if usage is None:
        return {}, f"took more than {LIMIT} s"
    if code != 0:
        last = (complaint.strip().splitlines() or ["no message"])[-1]
        return {}, f"exit {code}: {last}"
    return last_json(text) | {"wall_seconds": round(seconds, 4), "peak_bytes": usage.ru_maxrss * 1024}, ""


def wait(process: subprocess.Popen, started: float):
    """The process's resource usage and exit code; None where it had to be ended."""
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return usage, process.returncode
        if time.perf_counter() - started > LIMIT:
            process.kill()
            process.wait()
            return None, -1
        time.sleep(0.002)


def last_json(text: str) -> dict:
    """The JSON object that a text is, or that its last line is; empty where it is none."""
    for candidate in (text, (text.strip().splitlines() or [""])[-1]):
        try:
            value = json.loads(candidate)
        except ValueError:
            continue
        if isinstance(value, dict):
            return value
    return {}


def compare(row: Row, options: argparse.Namespace) -> dict:
    """All rounds of a row, and its ratios: more than 1 where atoll is ahead."""
    atoll = Side(Contender("atoll", row.atoll), options)
    peers = [Side(contender, options) for contender in row.peers]
    for peer in peers:
        peer.problem = peer.missing()
    if any(not peer.problem for peer in peers):
        for command in row.setup:
            if not options.model.exists():
                _, atoll.problem = run(filled(command, options))
    load = [os.getloadavg()[0]]
    for number in range(options.rounds):
        for side in [*peers, atoll]:
            side.measure(row.figure)
            latest = f"{shown(side.results[-1][row.figure], row.unit)} {row.unit}" if not side.problem else f"skipped: {side.problem}"
            print(f"{row.name}, round {number + 1}, {side.name}: {latest}", file=sys.stderr, flush=True)
    load.append(os.getloadavg()[0])
    reached = limit.share(row.limit, atoll.results)
    return {"name": row.name, "work": row.work, "unit": row.unit, "figure": row.figure, "more_is_better": row.more_is_better,
            "load_before_and_after": load, "sides": [described(side, row) for side in [*peers, atoll]],
            "comparisons": [compared(row, peer, atoll, reached) for peer in peers if not peer.problem and not atoll.problem]}


def described(side: Side, row: Row) -> dict:
    return {"name": side.name, "command": side.command, "problem": side.problem, "median": side.median(row.figure), "rounds": side.results}


def compared(row: Row, peer: Side, atoll: Side, reached: float | None) -> dict:
    """The medians' ratio, the ratio of each round, whose two commands ran one after the other, and what it would be at the machine's limit."""
    def ratio(theirs: float, ours: float) -> float:
        return ours / theirs if row.more_is_better else theirs / ours

    each = [ratio(theirs, ours) for theirs, ours in zip(peer.figures(row.figure), atoll.figures(row.figure))]
    whole = ratio(peer.median(row.figure), atoll.median(row.figure))
    return {"peer": peer.name, "peer_median": peer.median(row.figure), "atoll_median": atoll.median(row.figure), "ratio": whole, "round_ratios": each,
            "aim": ratio(*peer.aim) if peer.aim else None, "limit_share": reached, "limit_ratio": whole / reached if reached else None}


def machine() -> dict:
    """What the figures were taken on."""
    facts = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    model = re.search(r"^model name\s*:\s*(.*)$", facts, re.MULTILINE)
    flags = re.search(r"^flags\s*:\s*(.*)$", facts, re.MULTILINE)
    known = set(flags[1].split()) if flags else set()
    wanted = ["avx2", "fma", "avx512f", "avx512_bf16", "avx512_vnni", "amx_tile", "amx_bf16"]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"processor": model[1].strip() if model else platform.machine(), "processors": len(os.sched_getaffinity(0)),
            "instructions": [flag for flag in wanted if flag in known], "memory_bytes": memory, "system": platform.platform(), "python": platform.python_version()}


def versions(options: argparse.Namespace) -> dict:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    about, _ = run([str(options.atoll), "version", "--json"])
    return found | {"atoll": {key: value for key, value in about.items() if key not in ("wall_seconds", "peak_bytes")}}


def shown(value: float | None, unit: str = "") -> str:
    """Four digits, thousands grouped; bytes in MB."""
    if value is None:
        return "-"
    if unit == "bytes/s":
        return f"{value / 1e6:.1f} M"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def two_digits(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def markdown(outcome: dict) -> str:
    """The table that people read."""
    m = outcome["machine"]
    about = outcome["versions"]["atoll"]
    lines = [f"# atoll and its peers, {outcome['date']}", "",
             f"{m['processor']}, {m['processors']} processors ({', '.join(m['instructions'])}), {m['memory_bytes'] / 2**30:.0f} GiB, {m['system']}.",
             f"{outcome['threads']} threads, {outcome['rounds']} rounds in turns, {outcome['steps']} steps a command; medians. A ratio above 1: atoll is ahead.",
             "At the limit: what the ratio would be if the work took no more than its operations at the machine's peak and its bytes at the speed of its memory.",
             "Written by bench/peers/compare.py; all rounds are in the JSON file beside this one.", "",
             "atoll " + ", ".join(f"{key} {value}" for key, value in about.items() if isinstance(value, str)) + "; "
             + ", ".join(f"{package} {version}" for package, version in outcome["versions"].items() if package != "atoll" and version) + ".", "",
             "| work | peer | its figure | atoll | unit | ratio | of each round | aim | at the limit | load |", "|---|---|---|---|---|---|---|---|---|---|"]
    for row in outcome["rows"]:
        for c in row["comparisons"]:
            rounds = ", ".join(f"{ratio:.2f}" for ratio in c["round_ratios"])
            lines.append(f"| {row['work']} | {c['peer']} | {shown(c['peer_median'], row['unit'])} | {shown(c['atoll_median'], row['unit'])} | {row['unit']} | "
                         f"**{c['ratio']:.2f}** | {rounds} | {two_digits(c['aim'])} | {two_digits(c['limit_ratio'])} | {max(row['load_before_and_after']):.1f} |")
    lines += ["", "## Memory and first step", "", "| work | | peak of the process, MB | first step, s |", "|---|---|---|---|"]
    for row in outcome["rows"]:
        for side in row["sides"]:
            if side["rounds"]:
                peak = statistics.median(result["peak_bytes"] for result in side["rounds"])
                lines.append(f"| {row['work']} | {side['name']} | {peak / 1e6:,.0f} | {shown(first_step(side['rounds']))} |")
    skipped = [f"- {row['work']}, {side['name']}: {side['problem']}" for row in outcome["rows"] for side in row["sides"] if side["problem"]]
    if skipped:
        lines += ["", "## Skipped", "", *skipped]
    lines += ["", "## Commands", "", "```", *(" ".join(side["command"]) for row in outcome["rows"] for side in row["sides"]), "```", ""]
    return "\n".join(lines)


def first_step(rounds: list[dict]) -> float | None:
    known = [result.get("first_step_seconds", result.get("first_step_milliseconds", 0) / 1e3) for result in rounds]
    return statistics.median(known) or None


def free_name(outcome: dict, folder: Path) -> str:
    """A name, without its ending, that no earlier result has."""
    processor = re.sub(r"[^a-z0-9]+", "-", outcome["machine"]["processor"].lower()).strip("-")
    base = f"cpu-{outcome['date'][:10]}-{processor}"
    name, number = base, 2
    while (folder / f"{name}.md").exists():
        name, number = f"{base}-{number}", number + 1
    return name


def write(outcome: dict, folder: Path, name: str) -> Path:
    """Both files. Each is replaced whole, so that a run that is ended leaves the rows that it had finished."""
    folder.mkdir(parents=True, exist_ok=True)
    for ending, text in ((".json", json.dumps(outcome, indent=1) + "\n"), (".md", markdown(outcome))):
        part = folder / f".{name}{ending}.part"
        part.write_text(text)
        part.replace(folder / f"{name}{ending}")
    return folder / f"{name}.md"


def main() -> None:
    options = arguments()
    rows = chosen(options.only)
    if options.list:
        print("\n".join(f"{row.name:24} {row.work}" for row in rows))
        return
    if shutil.which(options.atoll) is None:
        sys.exit(f"compare.py: {options.atoll} is not there: run make build, or name it with --atoll")
    outcome = {"date": datetime.datetime.now().strftime("%Y-%m-%d %H:%M"), "machine": machine(), "versions": versions(options), "threads": options.threads,
               "rounds": options.rounds, "steps": options.steps, "rows": []}
    name = free_name(outcome, options.out)
    for row in rows:
        outcome["rows"].append(compare(row, options))
        path = write(outcome, options.out, name)
    print(path.read_text())
    print(f"written to {path}", file=sys.stderr)
    if not any(row["comparisons"] for row in outcome["rows"]):
        sys.exit(1)


if __name__ == "__main__":
    main()
