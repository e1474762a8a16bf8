"""The scenes, named by what they hold the waiting to.

Each is small on purpose: all its schedules together cost a fraction of a second, and what needs more than two or three
moves to go wrong has not been seen. `deeper` makes more of one.
"""

from __future__ import annotations

from dataclasses import replace

from jobcore import JobResult
from tests.interleavings.moves import (
    aclose,
    back,
    barge,
    beat,
    cancel,
    close,
    collect,
    come,
    forget,
    jump,
    push,
    tick,
)
from tests.interleavings.scene import INTERRUPT, OUTSIDE, Move, Scene

FAILURE, SUCCESS = JobResult.FAILURE, JobResult.SUCCESS

RUNNING: tuple[Move, ...] = (push(), barge())
"""What makes a job that runs."""

BETWEEN = {
    "each push serves one": Scene(((push(), push(), push()), (push(OUTSIDE),)), waiting=(0, 0, 0, 0)),
    "a cancelled waiter passes the turn on": Scene(
        ((push(), push(OUTSIDE), push()), (cancel(0), cancel(1)), (come(),)), waiting=(0, 0, 0)
    ),
    "a pop that does not wait takes the job of a waiter": Scene(
        ((push(OUTSIDE), push(), push(OUTSIDE)), (barge(), barge(OUTSIDE)), (cancel(1),))
    ),
    "a put-back is served": Scene(
        ((back(), push(OUTSIDE)), (back(FAILURE, OUTSIDE), cancel(0)), (come(),)),
        before=(push(), push(), barge(), barge()),
    ),
    "a put-back rests": Scene(
        ((back(delay=3), back(FAILURE)), (tick(), tick()), (cancel(0),)), before=(push(), push(), barge(), barge())
    ),
    "a due job is served": Scene(((push(due=2), push(OUTSIDE, due=1), push()), (tick(), tick()), (cancel(0),))),
    "a due job and an urgent one are both served": Scene(
        ((push(priority=1), cancel(0)), (tick(), tick())), before=(push(due=1), push(due=1)), waiting=(0, 0, 0)
    ),
    "a due job far away is served": Scene(
        ((push(due=25), push(OUTSIDE, due=12)), (tick(), tick(), tick()), (come(),)), waiting=(0,)
    ),
    "a clock that is set forward is noticed": Scene(
        ((push(due=25), push(OUTSIDE, due=12)), (tick(), jump(20)), (come(), cancel(0))), waiting=(0,)
    ),
    "a clock that is set back is noticed": Scene(
        ((push(due=5), push(OUTSIDE, due=2)), (tick(), jump(-3), tick()), (come(),)), waiting=(0,)
    ),
    "a lease that runs out is served": Scene(
        ((beat(), beat(OUTSIDE)), (tick(), tick()), (cancel(0), push(due=3))), before=RUNNING
    ),
    "a job that is removed is forgotten": Scene(
        ((back(SUCCESS), come(), push(due=3)), (tick(), tick()), (cancel(0),)), before=RUNNING
    ),
    "an alarm that rings early is set again": Scene(((push(due=1), push(OUTSIDE)), (tick(), tick())), early=5),
    "two loops are both served": Scene(
        ((push(), push(OUTSIDE)), (cancel(0), come(1)), (barge(OUTSIDE),)), waiting=(0, 1, 1)
    ),
    "a closed loop is dropped": Scene(
        ((push(OUTSIDE), push(), push(OUTSIDE)), (close(1), collect(1)), (cancel(0),)), waiting=(0, 1, 1)
    ),
    "a closed storage lets everybody go": Scene(
        ((push(OUTSIDE), aclose()), (cancel(0), come()), (barge(OUTSIDE),)), waiting=(0, 0, 1)
    ),
    "a storage closed from outside lets everybody go": Scene(
        ((push(), aclose(OUTSIDE)), (cancel(0), come()), (close(1),)), waiting=(0, 0, 1)
    ),
    "a batch is served": Scene(
        ((push(), push(OUTSIDE), push()), (cancel(0), come()), (barge(OUTSIDE), back())), limit=2, hurries=1
    ),
    "a pop breathes": Scene(((push(), push(OUTSIDE)), (cancel(0), come()), (barge(), back())), breathes=True),
}
"""What happens between callbacks."""

THREADS = {
    "a thread pushes in the middle": Scene(((push(OUTSIDE), push(OUTSIDE)), (cancel(0),))),
    "a thread takes in the middle": Scene(((push(), push()), (barge(OUTSIDE),), (cancel(1),))),
    "a thread puts back in the middle": Scene(((back(where=OUTSIDE),), (cancel(0),)), before=RUNNING),
    "a thread pushes while a pop comes": Scene(((push(OUTSIDE), push(OUTSIDE)), (come(),)), waiting=()),
    "a thread pushes for later": Scene(((push(OUTSIDE, due=1), come()), (tick(),)), waiting=(0,)),
    "a thread pushes while another loop is closed": Scene(
        ((push(OUTSIDE), push(OUTSIDE)), (close(1),)), waiting=(0, 1), hurries=1
    ),
    "a thread closes the storage": Scene(((aclose(OUTSIDE),), (cancel(0),), (come(),)), waiting=(0, 1)),
    "a thread closes the storage and another its loop": Scene(((aclose(OUTSIDE),), (close(1),)), waiting=(0, 1)),
}
"""What other threads do in the middle of a callback, and loops in the middle of their calls."""

INTERRUPTS = {
    "a push interrupts": Scene(((push(INTERRUPT),), (push(),), (come(),)), waiting=(0,)),
    "a push for later interrupts": Scene(((push(INTERRUPT, due=1),), (come(),)), waiting=(0,)),
    "a push interrupts a waiter who finds nothing": Scene(((push(), barge(), cancel(1)), (push(INTERRUPT),))),
    "a cancellation interrupts": Scene(((push(),), (cancel(0, INTERRUPT),), (barge(),))),
    "a cancellation and a push interrupt": Scene(((push(),), (cancel(0, INTERRUPT), push(INTERRUPT)))),
    "a cancellation interrupts a closing": Scene(((aclose(),), (cancel(0, INTERRUPT),))),
    "a closing interrupts": Scene(((aclose(INTERRUPT),), (push(),), (come(),))),
    "the collector interrupts a push": Scene(((push(),), (forget(), forget())), waiting=(0,), by_hand=2),
    "the collector interrupts a pop that comes": Scene(((come(), push()), (forget(),)), waiting=(), by_hand=1),
    "the collector interrupts an alarm": Scene(
        ((push(INTERRUPT, due=2), push(OUTSIDE, due=1)), (forget(),)), waiting=(), by_hand=1
    ),
    "the collector interrupts a closing": Scene(((aclose(),), (forget(),)), by_hand=1),
    "an alarm is set in the middle of another": Scene(((push(due=2), push(INTERRUPT, due=1)),), waiting=(0,)),
}
"""What a signal handler, Ctrl-C, a finalizer or the garbage collector does in the middle of anything."""

SCENES = {
    **BETWEEN,
    **{name: replace(scene, points=True) for name, scene in {**THREADS, **INTERRUPTS}.items()},
}


def deeper(scene: Scene) -> Scene:
    """The scene with two more hurries, in a loop that keeps no order."""
    return replace(scene, hurries=scene.hurries + 2, any_order=True)
