"""No wake-up is lost, in any schedule: every short schedule of every scene is played.

The seconds that this takes are for 25 000 schedules. JOBCORE_EXHAUSTIVE=1 plays some hundred thousand: with two hurries
more, which for most scenes is all there are, and in loops that run their callbacks in any order.
"""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from tests.interleavings.moves import cancel, push
from tests.interleavings.scene import OUTSIDE, Scene
from tests.interleavings.scenes import SCENES, deeper
from tests.interleavings.scheduler import Choices, explore
from tests.interleavings.world import World

EXHAUSTIVE = bool(os.environ.get("JOBCORE_EXHAUSTIVE"))

pytestmark = pytest.mark.timeout(0 if EXHAUSTIVE else 120)


@pytest.mark.parametrize("timer", [False, True], ids=["loop", "timer"])
@pytest.mark.parametrize("name", SCENES)
def test_no_wake_up_is_lost(name: str, *, timer: bool) -> None:
    scene = SCENES[name]
    if EXHAUSTIVE:
        scene = replace(deeper(scene), timer=timer)
    elif timer:  # its task makes for more callbacks, and many more schedules
        scene = replace(scene, timer=True, hurries=1)
    assert explore(lambda choices: World(scene, choices).play()) > 1


def test_every_schedule_is_played_once() -> None:
    played = set()

    def play(choices: Choices) -> None:
        world = World(Scene(((push(OUTSIDE),), (push(),), (cancel(0),)), hurries=9), choices)
        world.play()
        played.add(tuple(world.log))

    assert explore(play) == len(played)
    assert any(log[2:5] == ("push (outside)", "push (loop)", "pop 0 is cancelled (loop)") for log in played)


def test_a_schedule_can_be_played_again() -> None:
    scene = SCENES["a due job is served"]
    logs = []

    def play(choices: Choices) -> None:
        world = World(scene, choices)
        world.play()
        logs.append(([choice for choice, _ in choices.trail], world.log))

    explore(play, most=50)
    for given, log in logs:
        again = World(scene, Choices(given))
        again.play()
        assert log == again.log
