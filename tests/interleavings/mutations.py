"""Every line of the waiting, taken out or turned round: what the schedules must notice.

If a line can go and no schedule fails, either the line is not needed or a schedule is missing. So each line is here:
with the scene that notices its absence, or with the reason why it may be absent.

The texts are those of `_waiting.py` and of the methods of `MemoryStorage` in `variants.METHODS`; each must be there
exactly once, so that a change of the code asks for a change here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutation:
    """A piece of code that must be there, and what is put in its place."""

    old: str
    new: str
    scene: str = ""
    """The scene that fails without it."""
    timer: bool = False
    """That scene is played with a `Timer`."""
    harmless: str = ""
    """Why no scene has to fail."""


MUTATIONS = (
    # LoopAlarm
    Mutation("            if handle.when() <= when:\n                return\n", "", harmless="saves a timer"),
    Mutation("if handle.when() <= when:", "if True:", "a due job is served"),
    Mutation(
        "                return\n            handle.cancel()\n", "                return\n", "a due job is served"
    ),
    Mutation("self._handle = self._loop.call_at(when, self._go_off)", "pass", "each push serves one"),
    Mutation(
        "handle, self._handle = self._handle, None", "handle = self._handle", "a job that is removed is forgotten"
    ),
    Mutation("        if handle is not None:\n            handle.cancel()\n\n", "\n", "each push serves one"),
    Mutation(
        "    def _go_off(self) -> None:\n        self._handle = None\n",
        "    def _go_off(self) -> None:\n",
        "a put-back rests",
    ),
    Mutation(
        "        self._handle = None\n        self._ring()\n",
        "        self._handle = None\n",
        "a cancelled waiter passes the turn on",
    ),
    # TimerAlarm
    Mutation("        self.cancel()\n        self._task =", "        self._task =", "each push serves one", timer=True),
    Mutation("self._task = self._loop.create_task(self._race(seconds))", "pass", "each push serves one", timer=True),
    Mutation(
        "task, self._task = self._task, None",
        "task = self._task",
        harmless="a task that is over may be cancelled again; it lets go of the task",
    ),
    Mutation("            task.cancel()\n", "            pass\n", "each push serves one", timer=True),
    Mutation(
        "await self._timer.timeout(seconds, self._loop.create_future())", "pass", "a due job is served", timer=True
    ),
    Mutation(
        "            self._task = None\n            self._ring()",
        "            self._ring()",
        harmless="the race would cancel its own task in its last step, which nobody sees",
    ),
    Mutation(
        "            self._task = None\n            self._ring()\n",
        "            self._task = None\n",
        "a cancelled waiter passes the turn on",
        timer=True,
    ),
    # Waiter and Waitlist
    Mutation("            self.woken.set_result(None)", "            pass", "each push serves one"),
    Mutation("except InvalidStateError:", "except KeyError:", "a cancellation interrupts a closing"),
    Mutation("        self._waiters[waiter] = None\n", "", "each push serves one"),
    Mutation(
        "        if waiter.woken.done():\n            waiter.woken = self.loop.create_future()\n",
        "",
        "a cancelled waiter passes the turn on",
    ),
    Mutation(
        "        self.look()\n        await waiter.woken",
        "        await waiter.woken",
        "a cancelled waiter passes the turn on",
    ),
    Mutation(
        "        self._waiters.pop(waiter, None)\n        self._looks_again",
        "        self._looks_again",
        "each push serves one",
    ),
    Mutation(
        "        self._looks_again = True\n        if self.loop",
        "        if self.loop",
        "the collector interrupts a push",
    ),
    Mutation(
        "        if self.loop.is_closed():\n            return not self._waiters\n", "", "a closed loop is dropped"
    ),
    Mutation(
        "            self._alarm.cancel()\n            return True\n",
        "            return True\n",
        "each push serves one",
    ),
    Mutation(
        "            self._alarm.cancel()\n            return True\n",
        "            self._alarm.cancel()\n",
        "each push serves one",
    ),
    Mutation("        if waiter.woken.done():\n            self.look()\n", "", "each push serves one"),
    Mutation(
        "        if waiter.woken.done():\n            self.look()\n",
        "        self.look()\n",
        harmless="saves a look where the turn stays where it is",
    ),
    # look
    Mutation(
        "        self._look_is_called = False\n        if self._looks:",
        "        if self._looks:",
        "two loops are both served",
    ),
    Mutation(
        "        if self._looks:\n            self._looks_again = True\n            return\n",
        "",
        "an alarm is set in the middle of another",
    ),
    Mutation(
        "            self._looks_again = True\n            return\n",
        "            return\n",
        "a push for later interrupts",
    ),
    Mutation("        self._looks = True\n", "", "an alarm is set in the middle of another"),
    Mutation("        self._looks_again = False\n        try:", "        try:", "each push serves one"),
    Mutation(
        "            if waiter.woken.done():\n                return\n",
        "",
        harmless="saves asking the index; who was woken is not woken again",
    ),
    Mutation(
        "            if waiter is None:\n                self._alarm.cancel()\n",
        "            if waiter is None:\n",
        "the collector interrupts an alarm",
    ),
    Mutation(
        "                self._alarm.cancel()\n                return\n",
        "                self._alarm.cancel()\n",
        "a pop that does not wait takes the job of a waiter",
    ),
    Mutation(
        "                self._alarm.cancel()\n            elif",
        "                pass\n            elif",
        harmless="saves one ring for a job that was removed",
    ),
    Mutation("self._alarm.set(min(seconds, LONGEST_ALARM))", "pass", "each push serves one"),
    Mutation("min(seconds, LONGEST_ALARM)", "seconds", "a due job far away is served"),
    Mutation("self._alarm.set(min(seconds, LONGEST_ALARM))", "self._alarm.set(LONGEST_ALARM)", "each push serves one"),
    Mutation("                waiter.wake()\n", "                pass\n", "each push serves one"),
    Mutation(
        "            self._looks = False\n            if self._looks_again",
        "            if self._looks_again",
        "each push serves one",
    ),
    Mutation("            if self._looks_again:\n                self.look()\n", "", "a push for later interrupts"),
    # call_look and wake_all
    Mutation(
        "        if self.loop is running_loop():\n            self.look()\n            return True\n",
        "",
        harmless="saves a way through the loop",
    ),
    Mutation("        if self.loop.is_closed():\n            return False\n", "", "a closed loop is dropped"),
    Mutation(
        "        if not self._look_is_called:\n            self._look_is_called = True\n",
        "        if True:\n            self._look_is_called = True\n",
        harmless="saves all looks of a burst but one",
    ),
    Mutation("            self._look_is_called = True\n            try", "            try", harmless="as above"),
    Mutation("            self._look_is_called = True\n", "", harmless="as above"),
    Mutation("self.loop.call_soon_threadsafe(self.look)", "pass", "each push serves one"),
    Mutation("self.loop.call_soon_threadsafe(self.look)", "self.loop.call_soon(self.look)", "each push serves one"),
    Mutation(
        "except RuntimeError:  # closed this very moment\n                return False",
        "except KeyError:\n                return False",
        "a thread pushes while another loop is closed",
    ),
    Mutation(
        "                return False\n        return True",
        "                pass\n        return True",
        harmless="it is dropped at the next change, as a loop that is closed a moment later",
    ),
    Mutation(
        "        for waiter in tuple(self._waiters):\n            waiter.wake()\n",
        "        pass\n",
        "a closed storage lets everybody go",
    ),
    Mutation(
        "for waiter in tuple(self._waiters):", "for waiter in self._waiters:", "the collector interrupts a closing"
    ),
    # Waitlists
    Mutation(
        "                if waitlist.loop is loop:\n                    break\n",
        "                pass\n",
        "each push serves one",
    ),
    Mutation("if waitlist.loop is loop:", "if True:", "two loops are both served"),
    Mutation(
        "                self.by_queue[queue] = (*others, waitlist)\n", "                pass\n", "each push serves one"
    ),
    Mutation("(*others, waitlist)", "(waitlist,)", "two loops are both served"),
    Mutation("            if waitlist not in others:\n    ", "            if True:\n    ", "each push serves one"),
    Mutation("if other is not waitlist", "", "each push serves one"),
    Mutation("if others:", "if False:", "two loops are both served"),
    Mutation("self.by_queue[queue] = others\n            else", "pass\n            else", "a closed loop is dropped"),
    Mutation("self.by_queue.pop(queue, None)", "self.by_queue[queue] = others", "each push serves one"),
    Mutation("                self.drop(queue, waitlist)\n\n", "                pass\n\n", "a closed loop is dropped"),
    Mutation("if not waitlist.call_look():", "if waitlist.call_look():", "each push serves one"),
    Mutation("waitlist.loop.call_soon_threadsafe(waitlist.wake_all)", "pass", "a closed storage lets everybody go"),
    Mutation(
        "call_soon_threadsafe(waitlist.wake_all)", "call_soon(waitlist.wake_all)", "a closed storage lets everybody go"
    ),
    Mutation(
        "with suppress(RuntimeError):", "with suppress(KeyError):", "a storage closed from outside lets everybody go"
    ),
    # MemoryStorage
    Mutation("    if not removed:\n        self._changed(job.queue)\n", "", "a put-back is served"),
    Mutation("        self._waiting.wake_all()", "        pass", "a closed storage lets everybody go"),
    Mutation(
        "        if waitlist.leave(waiter):\n            self._waiting.drop(queue, waitlist)",
        "        pass",
        "each push serves one",
    ),
    Mutation("            self._waiting.drop(queue, waitlist)", "            pass", "each push serves one"),
    Mutation("if waitlist.leave(waiter):", "if waitlist.leave(waiter) or True:", "each push serves one"),
    Mutation(
        "    waitlist, waiter = self._waiting.join(queue)\n    try:\n        while True:\n            found = take()\n"
        "            if found:\n                return found\n            await waitlist.wait(waiter)\n",
        "    found = take()\n    if found:\n        return found\n    waitlist, waiter = self._waiting.join(queue)\n"
        "    try:\n        while True:\n            await waitlist.wait(waiter)\n            found = take()\n"
        "            if found:\n                return found\n",
        "a thread closes the storage",
    ),
    Mutation("            await waitlist.wait(waiter)\n", "", "each push serves one"),
)
