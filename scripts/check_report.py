#!/usr/bin/env python3
"""Opens reports in a real headless Chromium, at the width of a desk and of a phone, in light and dark: nothing may go wrong in the
console, and every figure must be seen.

    python3 scripts/check_report.py [--program PROGRAM] [--keep FOLDER]

Without --program the one that `cargo test` has built is used. --keep leaves the reports and a screenshot of each in FOLDER. Without a
Chromium it prints SKIPPED."""

import argparse
import html
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import packages

WIDTHS = [1280, 390]

# What a person would look for: figures that are there, have a size, fit into the page or can be scrolled, and show something.
PROBE = """
const found = { errors: window.parent.errors, figures: [], overflow: document.documentElement.scrollWidth - innerWidth, width: innerWidth };
for (const figure of document.querySelectorAll("figure")) {
  const svg = figure.querySelector("svg");
  const box = svg.getBoundingClientRect();
  const marks = [...svg.querySelectorAll("path, circle, rect, polygon, line")].filter((mark) => {
    const { width, height } = mark.getBoundingClientRect();
    return width + height > 0;
  });
  const texts = [...svg.querySelectorAll("text")].map((text) => text.getBoundingClientRect());
  const outside = texts.filter((text) => text.left < box.left - 1 || text.right > box.right + 1 || text.top < box.top - 1 || text.bottom > box.bottom + 1);
  // A text that stands upright is as high as its line; one that is turned is not looked at.
  const upright = [...svg.querySelectorAll("text")].filter((text) => !text.closest("[transform]"));
  const size = Math.min(99, ...upright.map((text) => text.getBoundingClientRect().height));
  found.figures.push({ name: figure.id, width: box.width, height: box.height, marks: marks.length, outside: outside.length, text: size,
    caption: figure.querySelector("figcaption").getBoundingClientRect().height });
}
const tipped = document.querySelector("figure svg [data-tip]");
if (tipped) {
  const { left, top, width, height } = tipped.getBoundingClientRect();
  tipped.dispatchEvent(new PointerEvent("pointermove", { bubbles: true, clientX: left + width / 2, clientY: top + height / 2 }));
  found.tip = document.getElementById("tip").textContent;
}
window.parent.document.getElementById("found").textContent = JSON.stringify(found);
"""

# A frame of the wanted width: windows of a desktop are no narrower than some 500 pixels.
FRAME = """<!doctype html><meta charset="utf-8"><body style="margin:0"><pre id="found" hidden></pre>
<script>window.errors = [];</script>
<iframe id="frame" width="{width}" height="6000" style="border:0" srcdoc="{page}"></iframe>"""


def chromium():
    return next((path for name in ["chromium", "chromium-browser", "google-chrome"] if (path := shutil.which(name))), None)


def browse(program, page, width, theme, screenshot=None):
    """What the probe found in the page."""
    guard = "<script>for (const kind of ['error', 'unhandledrejection']) addEventListener(kind, (e) => parent.errors.push(String(e.message || e.reason)));" \
            "for (const level of ['error', 'warn']) console[level] = (...all) => parent.errors.push(all.join(' '));" \
            f"try {{ localStorage.setItem('dualprop-theme', '{theme}'); }} catch (e) {{}}</script>"
    probed = page.replace("<head>", "<head>" + guard, 1).replace("</body>", f"<script>{PROBE}</script></body>", 1)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "frame.html")
        path.write_text(FRAME.format(width=width, page=html.escape(probed, quote=True)), "utf-8")
        command = [program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
                   "--disable-background-networking", "--disable-component-update", "--allow-file-access-from-files",
                   "--enable-logging=stderr", f"--user-data-dir={folder}/profile", "--virtual-time-budget=4000"]
        run = subprocess.run([*command, "--dump-dom", path.as_uri()], capture_output=True, text=True, timeout=120)
        if screenshot:
            size = f"--window-size={max(width, 500)},6000"
            subprocess.run([*command, size, "--hide-scrollbars", f"--screenshot={screenshot}", path.as_uri()], capture_output=True, timeout=120)
    console = [line for line in run.stderr.splitlines() if ":CONSOLE" in line]
    text = re.search(r'<pre id="found"[^>]*>(.*?)</pre>', run.stdout, re.S)
    if not text or not text[1]:
        sys.exit(f"the probe did not run: exit {run.returncode}\n{run.stderr[-2000:]}")
    found = json.loads(html.unescape(text[1]))
    found["errors"] += console
    return found


def flaws(found, expected):
    """What is wrong with it."""
    yield from (f"console: {error}" for error in found["errors"])
    if found["overflow"] > 0:
        yield f"the page is {found['overflow']} pixels wider than the screen"
    names = [figure["name"] for figure in found["figures"]]
    if sorted(names) != sorted(expected):
        yield f"it shows the figures {names}, expected {expected}"
    if not found.get("tip"):
        yield "no tooltip"
    for figure in found["figures"]:
        name = figure["name"]
        if figure["width"] < 100 or figure["height"] < 50 or figure["caption"] < 10:
            yield f"{name} has no size: {figure}"
        if figure["marks"] < 5:
            yield f"{name} shows nothing: {figure}"
        if figure["outside"]:
            yield f"{name}: {figure['outside']} texts reach out of it"
        if figure["text"] < 9.5:
            yield f"{name}: its text is {figure['text']:.1f} pixels high, too small to be read"


def make(program, folder):
    """Reports of every kind of subject, with the figures that each must have."""
    def dualprop(*arguments):
        run = subprocess.run([program, *arguments], cwd=folder, capture_output=True, text=True)
        if run.returncode:
            sys.exit(f"dualprop {' '.join(arguments)}: exit {run.returncode}\n{run.stderr}")

    short = ["--set", "training.epochs=6", "--quiet"]
    dualprop("train", "digits", *short, "--set", "seeds=[0,1]", "--set", "analysis.first_batches=20", "--set", "analysis.lipschitz_samples=2", "--name", "one")
    dualprop("train", "digits", *short, "--set", "learning.rule=backprop", "--name", "two")
    dualprop("sweep", "digits", "--grid", "learning.alpha=0,0.5,1", "--grid", "learning.beta=0.01,0.1,1", "--set", "training.epochs=2", "--seeds", "2", "--name", "grid", "--quiet")
    dualprop("stability", "--nets", "1", "--samples", "1", "--passes", "50", "--out", "stability.csv")
    dualprop("robustness", "runs/one", "--samples", "20", "--steps", "2", "--out", "robustness.jsonl")
    dualprop("alignment", "runs/two", "--batches", "5", "--out", "alignment.csv")
    subjects = {
        "run": ["runs/one"],
        "runs": ["runs/one", "runs/two", "--no-models"],
        "sweep": ["runs/grid"],
        "tables": ["stability.csv", "robustness.jsonl", "alignment.csv"],
    }
    for name, arguments in subjects.items():
        dualprop("report", *arguments, "--out", f"report-{name}")
    return {name: sorted(path.stem for path in pathlib.Path(folder, f"report-{name}", "figures").glob("*.svg")) for name in subjects}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=pathlib.Path)
    parser.add_argument("--keep", type=pathlib.Path)
    arguments = parser.parse_args()
    browser = chromium()
    if not browser:
        print("SKIPPED: reports in a browser: no chromium is installed (Debian's package: chromium)")
        return
    if not arguments.program:
        arguments.program = packages.program()
    wrong = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or pathlib.Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for name, expected in make(arguments.program.resolve(), folder).items():
            page = (folder / f"report-{name}" / "report.html").read_text("utf-8")
            if re.search(r"""(?:src|href)=["']?(?:https?:)?//""", page):
                print(f"{name}: the page asks for something from a network")
                wrong += 1
            for width in WIDTHS:
                theme = "dark" if width == 390 else "light"
                shot = arguments.keep and f"{folder}/{name}-{width}.png"
                for flaw in flaws(browse(browser, page, width, theme, shot), expected):
                    print(f"{name} at {width} pixels: {flaw}")
                    wrong += 1
            print(f"{name}: {len(expected)} figures at {' and '.join(map(str, WIDTHS))} pixels")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
