"""What the released program is made of: a bill of materials in CycloneDX 1.5.

    python3 scripts/sbom.py [--out target/dualprop.cdx.json] [--target TRIPLE]

Every package that is linked into the program, or that runs while it is built (these have the scope "excluded"), with its version,
licence, SHA-256 and dependencies. The same Cargo.lock gives the same bytes: there is no time and no random number in it.
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = "dualprop-cli"


def cargo(*arguments):
    """What a call of cargo prints."""
    return subprocess.run(["cargo", *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def host():
    """The machine that rustc builds for if nobody says otherwise."""
    text = subprocess.run(["rustc", "-vV"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    return re.search(r"^host: (\S+)$", text, re.MULTILINE).group(1)


def checksums():
    """(name, version) -> SHA-256 of the package's archive, from Cargo.lock."""
    found = {}
    for block in (ROOT / "Cargo.lock").read_text(encoding="utf-8").split("[[package]]")[1:]:
        field = dict(re.findall(r'^(name|version|checksum) = "([^"]*)"$', block, re.MULTILINE))
        if "checksum" in field:
            found[field["name"], field["version"]] = field["checksum"]
    return found


def tree(edges, target):
    """Of every package that a build of the program needs, what it needs itself, and whether it is a macro; by (name, version).

    `cargo tree` knows the features that are on; `cargo metadata` has those that only tests turn on, too.
    """
    listed = cargo("tree", "-p", PROGRAM, "-e", edges, "--locked", "--target", target, "--prefix", "depth")
    needs, macros, above = {}, set(), []
    for depth, name, version, rest in re.findall(r"^(\d+)(\S+) v(\S+)(.*)$", listed, re.MULTILINE):
        package, depth = (name, version), int(depth)
        del above[depth:]
        if above:
            needs[above[-1]].add(package)
        needs.setdefault(package, set())
        if "(proc-macro)" in rest:
            macros.add(package)
        above.append(package)
    return needs, macros


def reach(start, needs, without):
    """What is needed by `start`, however indirectly, and not only by those that are left out."""
    seen, waiting = set(), [start]
    while waiting:
        package = waiting.pop()
        if package not in seen and package not in without:
            seen.add(package)
            waiting += needs[package]
    return seen


def reference(package):
    name, version = package
    return f"pkg:cargo/{name}@{version}"


def component(package, linked, sums):
    """A package as the format describes it."""
    ref = reference((package["name"], package["version"]))
    described = {
        "type": "library",
        "bom-ref": ref,
        "name": package["name"],
        "version": package["version"],
        "scope": "required" if linked else "excluded",
        # Before SPDX had expressions, a slash was "or".
        "licenses": [{"expression": re.sub(r"\s*/\s*", " OR ", package["license"])}],
        "purl": ref,
    }
    if package["source"] is not None:
        # That it is the standard one is for `cargo deny` to say.
        if not package["source"].startswith("registry+"):
            sys.exit(f"{package['name']} comes from {package['source']}, which is no registry")
        described["hashes"] = [{"alg": "SHA-256", "content": sums[package["name"], package["version"]]}]
    if package["description"]:
        described["description"] = " ".join(package["description"].split())
    return described


def document(target):
    """The bill of materials of the program for one target."""
    metadata = json.loads(cargo("metadata", "--locked", "--format-version", "1", "--all-features", "--filter-platform", target))
    packages = {(package["name"], package["version"]): package for package in metadata["packages"]}
    root = next(package for package in packages if package[0] == PROGRAM)
    needs, _ = tree("normal,build", target)
    # What is linked: a macro, and what it is made of, runs in the compiler.
    linked = reach(root, *tree("normal", target))
    sums = checksums()
    components = [component(packages[package], package in linked, sums) for package in needs if package != root]
    program = component(packages[root], True, sums)
    program.pop("scope")
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {**program, "type": "application"},
            "properties": [{"name": "dualprop:target", "value": target}],
        },
        "components": sorted(components, key=lambda found: found["bom-ref"]),
        "dependencies": [
            {"ref": reference(package), "dependsOn": sorted(map(reference, needs[package]))} for package in sorted(needs)
        ],
    }


def text(target):
    return json.dumps(document(target), indent=2, ensure_ascii=False) + "\n"


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--out", default=str(ROOT / "target" / "dualprop.cdx.json"))
    arguments.add_argument("--target", default=None, help="a target triple; that of this machine if none is given")
    options = arguments.parse_args()
    written, out = text(options.target or host()), pathlib.Path(options.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(written, encoding="utf-8")
    print(f"{out}: {len(json.loads(written)['components'])} packages")


if __name__ == "__main__":
    main()
