"""The bill of materials of scripts/sbom.py has every package of the program exactly once, as `cargo tree` lists them.

Prints what is missing or too much and exits 1 if anything is. Run from anywhere: python3 scripts/check_sbom.py
"""
import collections
import json
import re
import sys

import sbom

target = sbom.host()
written = sbom.text(target)
bill = json.loads(written)
tree = sbom.cargo("tree", "-p", sbom.PROGRAM, "-e", "normal,build", "--locked", "--target", target, "--prefix", "none")
listed = {f"pkg:cargo/{name}@{version}" for name, version in re.findall(r"^(\S+) v(\S+)", tree, re.MULTILINE)}

program = bill["metadata"]["component"]
packages = [program, *bill["components"]]
counts = collections.Counter(package["purl"] for package in packages)
wrong = [f"{purl} is in the tree and not in the bill" for purl in sorted(listed - set(counts))]
wrong += [f"{purl} is in the bill and not in the tree" for purl in sorted(set(counts) - listed)]
wrong += [f"{purl} is in the bill {count} times" for purl, count in counts.items() if count > 1]
for package in packages:
    ours = package["name"] in ("dualprop", sbom.PROGRAM)
    sums = [found["content"] for found in package.get("hashes", [])]
    if not ours and not (len(sums) == 1 and re.fullmatch("[0-9a-f]{64}", sums[0])):
        wrong.append(f"{package['purl']} has no SHA-256")
    if not package["licenses"][0]["expression"]:
        wrong.append(f"{package['purl']} has no licence")
graph = {entry["ref"]: entry["dependsOn"] for entry in bill["dependencies"]}
if set(graph) != set(counts) or any(ref not in graph for needs in graph.values() for ref in needs):
    wrong.append("the graph of dependencies is not that of the packages")
if sbom.text(target) != written:
    wrong.append("a second bill of the same Cargo.lock has other bytes")
if str(sbom.ROOT) in written:
    wrong.append("the bill tells where it was made")
print("\n".join(wrong) if wrong else f"bill of materials: {len(packages)} packages, each once, as cargo lists them")
sys.exit(bool(wrong))
