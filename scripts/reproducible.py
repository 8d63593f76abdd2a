"""Two builds of the commit that is checked out, in folders of different names and lengths, give the same program to the bit.

    python3 scripts/reproducible.py [--keep FILE]

Each build is a clone of its own with a target folder of its own. RUSTFLAGS are those by which a release is built: they replace the
paths of this machine, which else stand in messages of panics, by names that mean the same everywhere. Prints the SHA-256; exits 1
if the two differ, or if the program has a path of this machine in it. --keep copies the program to a file.
"""
import argparse
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def output(*command, cwd=ROOT):
    return subprocess.run(command, cwd=cwd, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def flags(source):
    """Replaces the folder of the source, those of cargo's packages and that of the standard library.

    Below registry/src there is a folder for each registry, whose name depends on how this machine reaches it.
    """
    home = pathlib.Path(os.environ.get("CARGO_HOME") or pathlib.Path.home() / ".cargo").resolve()
    library = pathlib.Path(output("rustc", "--print", "sysroot")) / "lib" / "rustlib" / "src" / "rust"
    registries = sorted(path for path in (home / "registry" / "src").iterdir() if path.is_dir())
    # Where several prefixes fit, the last one counts.
    paths = [(home, "/cargo"), *((path, "/packages") for path in registries), (library, "/rust"), (source, "/dualprop")]
    private = [str(home), str(pathlib.Path.home()), *(path.name for path in registries)]
    return " ".join(f"--remap-path-prefix={path}={name}" for path, name in paths), private


def build(commit, source, target):
    """The program, and the paths that must not stand in it."""
    subprocess.run(["git", "clone", "--quiet", "--no-checkout", str(ROOT), str(source)], check=True)
    subprocess.run(["git", "checkout", "--quiet", "--detach", commit], cwd=source, check=True)
    subprocess.run(["cargo", "fetch", "--locked", "--quiet"], cwd=source, check=True)
    rust, private = flags(source)
    # What else changes what a compiler does is left out.
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("CARGO_", "RUST")) or key == "CARGO_HOME"}
    environment.update(RUSTFLAGS=rust, CARGO_TARGET_DIR=str(target), CARGO_INCREMENTAL="0")
    for toolchain in ("RUSTUP_HOME", "RUSTUP_TOOLCHAIN"):
        if toolchain in os.environ:
            environment[toolchain] = os.environ[toolchain]
    command = ["cargo", "build", "--release", "--locked", "--quiet", "-p", "dualprop-cli"]
    subprocess.run(command, cwd=source, env=environment, check=True)
    return (target / "release" / "dualprop").read_bytes(), private + [str(source), str(target)]


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--keep", default=None)
    options = arguments.parse_args()
    commit = output("git", "rev-parse", "HEAD")
    if output("git", "status", "--porcelain"):
        print("note: what is not committed is not built")
    programs, wrong = [], []
    with tempfile.TemporaryDirectory(prefix="dualprop-") as folder:
        for name in ("a", "a-much-longer-name/of/another/depth"):
            source, target = pathlib.Path(folder).resolve() / name / "source", pathlib.Path(folder).resolve() / name / "target"
            source.parent.mkdir(parents=True)
            began = time.time()
            program, private = build(commit, source, target)
            print(f"{hashlib.sha256(program).hexdigest()}  {len(program)} bytes in {time.time() - began:.0f} s, folder {name}", flush=True)
            wrong += [f"{path} stands in the program" for path in private if os.fsencode(path) in program]
            programs.append(program)
            shutil.rmtree(target)
    if programs[0] != programs[1]:
        wrong.append("the two programs differ")
    if wrong:
        print("\n".join(wrong), file=sys.stderr)
        return 1
    print(f"reproducible: commit {commit}, {output('rustc', '--version')}, {output('rustc', '-vV').split('host: ')[1].split()[0]}")
    if options.keep:
        pathlib.Path(options.keep).write_bytes(programs[0])
    return 0


if __name__ == "__main__":
    sys.exit(main())
