"""Fuzzes every parser under AddressSanitizer, from its seeds: libFuzzer on the stable toolchain.

    python3 scripts/fuzz.py [--minutes 10] [--jobs 2] [TARGET ...]

Prints a row for each target: executions, code covered, size of the corpus, most memory. Exits 1 if one panics, hangs for 10 seconds, or
asks for more memory than a file of its size allows; what did it stands in fuzz/artifacts, and becomes a seed in
crates/dualprop/tests/hostile/seeds once it is mended. Needs `cargo install cargo-fuzz --locked`, and a C++ compiler.
"""
import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SEEDS = ROOT / "crates/dualprop/tests/hostile/seeds"
# The stable compiler takes the sanitizer's flags when it is told to.
ENVIRONMENT = {**os.environ, "RUSTC_BOOTSTRAP": "1"}


def fuzz(target, seconds):
    corpus = ROOT / "fuzz/corpus" / target
    corpus.mkdir(parents=True, exist_ok=True)
    options = [f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1", "-verbosity=1"]
    command = ["cargo", "fuzz", "run", target, str(corpus), str(SEEDS / target), "--", *options]
    done = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, text=True, errors="replace", capture_output=True)
    return target, done.returncode, done.stderr


def row(target, code, log):
    """What libFuzzer said last."""
    def last(pattern):
        found = re.findall(pattern, log)
        return found[-1] if found else "?"
    return "| `{}` | {} | {} | {} | {} MiB | {} |".format(
        target, last(r"stat::number_of_executed_units: *(\d+)"), last(r"cov: (\d+)"), last(r"corp: (\d+)/"),
        last(r"stat::peak_rss_mb: *(\d+)"), "clean" if code == 0 else "BROKEN")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10, help="for each target")
    parser.add_argument("--jobs", type=int, default=2, help="targets at a time")
    parser.add_argument("targets", nargs="*")
    arguments = parser.parse_args()
    targets = arguments.targets or sorted(path.name for path in SEEDS.iterdir())
    subprocess.run(["cargo", "fuzz", "build"], cwd=ROOT, env=ENVIRONMENT, check=True)
    print("| target | executions | branches covered | corpus | most memory | |\n|---|---|---|---|---|---|", flush=True)
    broken = 0
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        waiting = [pool.submit(fuzz, target, int(60 * arguments.minutes)) for target in targets]
        for future in concurrent.futures.as_completed(waiting):
            target, code, log = future.result()
            print(row(target, code, log), flush=True)
            if code != 0:
                broken += 1
                print("\n".join(log.splitlines()[-60:]), file=sys.stderr, flush=True)
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
