"""Every example in a docstring runs, and every public thing has one that says what it takes and gives."""

from __future__ import annotations

import doctest
import importlib
import importlib.util
import inspect
import os
import pathlib
import re

import pytest

import dualprop

MODULES = ["dualprop", "dualprop.datasets", "dualprop._files", "dualprop._run", "dualprop._trainer", "dualprop._estimators"]
if importlib.util.find_spec("torch") is not None:
    MODULES.append("dualprop.torch")


def documented():
    """Everything public, by its place."""
    for module in map(importlib.import_module, MODULES):
        yield module.__name__, module
        for name in getattr(module, "__all__", dir(module)):
            thing = getattr(module, name)
            if name.startswith("_") or not str(getattr(thing, "__module__", "")).startswith("dualprop"):
                continue
            yield f"{module.__name__}.{name}", thing
            if inspect.isclass(thing):
                for member in sorted(vars(thing)):
                    if not member.startswith("_"):
                        yield f"{module.__name__}.{name}.{member}", inspect.getattr_static(thing, member)


THINGS = dict(documented())
EXAMPLES = {}
for place, thing in THINGS.items():
    found = doctest.DocTestParser().get_doctest(inspect.getdoc(thing) or "", {}, place, None, None)
    if found.examples and id(thing) not in {id(other) for other, _ in EXAMPLES.values()}:
        EXAMPLES[place] = (thing, found)


@pytest.mark.parametrize("place", EXAMPLES)
@pytest.mark.filterwarnings("ignore")
def test_examples_do_what_they_say(place, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    runner.run(EXAMPLES[place][1], out=report.append)
    assert runner.failures == 0, "".join(report)
    assert os.listdir(tmp_path) == [], "it leaves files behind"


@pytest.mark.parametrize("place", THINGS)
def test_everything_public_is_documented(place) -> None:
    text = inspect.getdoc(THINGS[place]) or ""
    assert text.strip(), "no docstring"


ROOT = pathlib.Path(__file__).resolve().parents[3]
BLOCKS = [
    (document, number, block)
    for document in ("docs/python.md", "README.md")
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", (ROOT / document).read_text(encoding="utf-8"), re.DOTALL))
]


@pytest.mark.parametrize(("document", "number", "block"), BLOCKS, ids=[f"{document}-{number}" for document, number, _ in BLOCKS])
@pytest.mark.filterwarnings("ignore")
def test_the_code_of_the_guide_runs(document, number, block, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(block, f"{document}, block {number}", "exec"), {"__name__": "guide"})
    assert os.listdir(tmp_path) == [], "it leaves files behind"


def test_there_are_as_many_examples_as_one_expects() -> None:
    assert len(BLOCKS) >= 3 and len(EXAMPLES) >= 12 and {"dualprop.Network", "dualprop.DualProp", "dualprop.Trainer"} <= set(EXAMPLES)


def test_nothing_but_numpy_is_needed_to_begin() -> None:
    assert set(dualprop.__all__) <= set(dir(dualprop))
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        dualprop.Nothing
