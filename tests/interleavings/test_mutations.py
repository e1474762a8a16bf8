"""The schedules notice when a line of the waiting is missing: so they test it, and so it is needed."""

from __future__ import annotations

import ast
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.interleavings.mutations import MUTATIONS, Mutation
from tests.interleavings.scenes import SCENES
from tests.interleavings.scheduler import explore
from tests.interleavings.variants import METHODS, Variant, method_source, waiting_source
from tests.interleavings.world import Broken, World

if TYPE_CHECKING:
    from tests.interleavings.scene import Scene

NEEDED = [mutation for mutation in MUTATIONS if not mutation.harmless]
HARMLESS = [mutation for mutation in MUTATIONS if mutation.harmless]

MAKING = ("__init__", "enter")
"""The functions that make something: without a line of theirs there is nothing."""


def play(scene: Scene, mutation: Mutation) -> None:
    code = Variant((mutation.old, mutation.new), points=scene.points)
    explore(lambda choices: World(scene, choices, code).play())


def named(mutation: Mutation) -> str:
    return " ".join(f"{mutation.old} -> {mutation.new or 'nothing'}".split())[:90]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("mutation", NEEDED, ids=named)
def test_it_is_missed(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    # What is broken leaves pops behind, whose end is nobody's concern.
    monkeypatch.setattr("sys.unraisablehook", lambda _: None)
    with pytest.raises(Broken):
        play(replace(SCENES[mutation.scene], timer=mutation.timer), mutation)


@pytest.mark.skipif("JOBCORE_EXHAUSTIVE" not in os.environ, reason="takes minutes; JOBCORE_EXHAUSTIVE=1 runs it")
@pytest.mark.parametrize("timer", [False, True], ids=["loop", "timer"])
@pytest.mark.parametrize("mutation", HARMLESS, ids=named)
def test_it_is_not_missed(mutation: Mutation, *, timer: bool) -> None:
    for scene in SCENES.values():
        play(replace(scene, timer=timer), mutation)


def test_each_effect_is_tried() -> None:
    for source in (waiting_source(), *map(method_source, METHODS)):
        lines = source.splitlines()
        tried: set[int] = set()
        for mutation in MUTATIONS:
            if mutation.old in source:
                before = source[: source.index(mutation.old)].count("\n")
                tried.update(range(before, before + mutation.old.rstrip("\n").count("\n") + 1))
        assert [] == [lines[number] for number in _effects(source) if number not in tried]


def _effects(source: str) -> list[int]:
    """Where the statements are that change something besides a local variable, or call somebody who may."""
    return [
        statement.lineno - 1
        for function in ast.walk(ast.parse(source))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and function.name not in MAKING
        for statement in ast.walk(function)
        if (isinstance(statement, ast.Expr) and not isinstance(statement.value, ast.Constant))
        or (isinstance(statement, ast.Assign) and not isinstance(statement.targets[0], ast.Name))
    ]
