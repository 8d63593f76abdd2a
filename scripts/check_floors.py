"""The folders of the library are floors: a file imports only from its own folder and from floors below it.

Prints every import that reaches up and exits 1 if there is one. Run from anywhere: python3 scripts/check_floors.py
"""
import pathlib
import re
import sys

FLOORS = ["base", "compute", "network", "inference", "learning", "analysis", "data", "training", "report"]
# The reference shares no formula with what it tests.
ALLOWED = {floor: set(FLOORS[: i + 1]) for i, floor in enumerate(FLOORS)} | {"reference": {"base", "reference"}}

source = pathlib.Path(__file__).resolve().parent.parent / "crates" / "dualprop" / "src"
folders = sorted(folder.name for folder in source.iterdir() if folder.is_dir())
unknown = [name for name in folders if name not in ALLOWED]
wrong = [f"src/{name}: a folder that is no floor; add it to {pathlib.Path(__file__).name}" for name in unknown]
imports = 0
for name in folders:
    for path in sorted((source / name).rglob("*.rs")):
        # A test may hold anything against the reference; tests stand last in their file.
        code = path.read_text(encoding="utf-8").split("#[cfg(test)]\nmod tests", maxsplit=1)[0]
        lines = code.splitlines()
        for number, line in enumerate(lines, start=1):
            for imported in re.findall(r"\bcrate::(\w+)", line.split("//")[0]):
                imports += 1
                if imported in ALLOWED and imported not in ALLOWED.get(name, ()):
                    wrong.append(f"{path.relative_to(source)}:{number}: {name} reaches up to {imported}")
print("\n".join(wrong) if wrong else f"floors: {imports} imports, none reaches up")
sys.exit(bool(wrong) or imports == 0)
