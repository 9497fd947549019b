"""What hone costs, against nginx, the bare floor of its stack and a direct call. Usage: run.py [--quick] [--rounds N] [--only SECTION,…] [--peers PEER,…]

Builds the release binaries, starts everything on free ports of this machine, prints tables and the aims beside their figures, and needs nginx and
binutils. See BENCHMARKS.md.
"""

import argparse
import json
import os
import pathlib
import platform
import subprocess
import tempfile
import time

import peers
import report
import sections
from servers import HERE, ROOT, Bench, program


def machine():
    version = subprocess.run([program("nginx"), "-v"], check=True, capture_output=True, text=True).stderr.strip()
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    models = {line.split(":")[1].strip() for line in lines if line.startswith("model name")}
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=ROOT).stdout.strip()
    return {
        "commit": commit or None,
        "cpu": ", ".join(sorted(models)) or platform.machine(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "nginx": version,
        "load_average_before": os.getloadavg()[0],
        "at": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    }


def chosen(known):
    """Reads a list of names, each of which must be known."""

    def read(text):
        names = text.split(",")
        unknown = [name for name in names if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; there are {', '.join(known)}")
        return names

    return read


def arguments():
    parser = argparse.ArgumentParser(description="what hone costs, against nginx, the floor of its stack and a direct call")
    parser.add_argument("--rounds", type=int, help="of each comparison; 5 by default")
    parser.add_argument("--seconds", type=float, help="of each run under load; 4 by default")
    parser.add_argument("--quick", action="store_true", help="a look: 2 rounds of a second, 1,000 streams")
    parser.add_argument("--only", type=chosen(sections.SECTIONS), default=list(sections.SECTIONS), metavar="SECTION,…", help=", ".join(sections.SECTIONS))
    parser.add_argument(
        "--peers",
        type=chosen(peers.PEERS),
        default=[],
        metavar="PEER,…",
        help=f"measure other gateways, too, which are installed from PyPI: {', '.join(peers.PEERS)}",
    )
    parser.add_argument("--hone", type=pathlib.Path, help="measure this binary instead of building one")
    parser.add_argument("--tools", type=pathlib.Path, help="where the binaries `load` and `floor` are, instead of building them")
    parser.add_argument("--output", type=pathlib.Path, default=HERE / "results.json", help="every round, as JSON")
    options = parser.parse_args()
    options.rounds = options.rounds or (2 if options.quick else 5)
    options.seconds = options.seconds or (1.0 if options.quick else 4.0)
    return options


def build(options):
    """The programs that were not given."""
    release = ROOT / "target/release"
    cargo = ["cargo", "build", "--release", "--locked"]
    if not options.hone:
        subprocess.run([*cargo, "--bin", "hone"], check=True, cwd=ROOT)
    if not options.tools:
        subprocess.run([*cargo, "-p", "hone-bench"], check=True, cwd=ROOT)
    return options.hone or release / "hone", options.tools or release


def show(name, result):
    print(f"\n## {name}")
    for title, table in result["tables"].items():
        print("\n" + report.table(title, table["medians"], table.get("spreads")))
        if "ratios" in table:
            print("\n" + report.table("ratio", table["ratios"]))
    if "lost" in result:
        print("\nlost: " + ", ".join(f"{name}: {count}" for name, count in result["lost"].items()))
    if result["aims"]:
        print("\n" + report.aims_table(result["aims"]), flush=True)


def main():
    options = arguments()
    hone, tools = build(options)
    results = {"machine": machine(), "rounds": options.rounds, "seconds": options.seconds, "sections": {}}
    print(json.dumps(results["machine"], indent=1))
    with tempfile.TemporaryDirectory(prefix="hone-bench-") as name:
        directory = pathlib.Path(name)
        directory.chmod(0o755)
        bench = Bench(directory, hone.resolve(), tools.resolve())
        parts = {part: sections.SECTIONS[part] for part in options.only}
        for part, measure in (parts | (sections.OPTIONAL if options.peers else {})).items():
            results["sections"][part] = measure(bench, options)
            show(part, results["sections"][part])
            results["machine"]["load_average_after"] = os.getloadavg()[0]
            options.output.write_text(json.dumps(results, indent=1) + "\n")
    print("\n## aims\n\n" + report.aims_table([row for part in results["sections"].values() for row in part["aims"]]))


if __name__ == "__main__":
    main()
