"""One measurement of one peer, in a process of its own: `python -m bench.peers.child NAME MEASURE --into FILE ...`."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import logging
import os
import sys
from pathlib import Path

from bench.peers import measures, pickup
from bench.peers.adapter import Adapter, Probe
from bench.peers.catalogue import adapter_class

PAUSE = 0.001
PAUSING = "drain-1ms"
PAUSING_AT_ONCE = 64

MEASURES = {
    "enqueue": measures.enqueue,
    "enqueue-64": measures.enqueue_64,
    "enqueue-batch": measures.enqueue_batch,
    "drain": measures.drain,
    PAUSING: measures.drain,
    "size": measures.size,
    "growth": measures.growth,
    "start": measures.start,
    "pickup-one": pickup.in_one_process,
}


async def measure(name: str, arguments: argparse.Namespace) -> None:
    kind = adapter_class(name)
    with pickup.shared_memory(arguments.shared) as memory:
        pausing = arguments.measure == PAUSING
        adapter: Adapter = kind(
            arguments.place, Probe(memory), PAUSE if pausing else 0, PAUSING_AT_ONCE if pausing else 0
        )
        plan = measures.Plan(arguments.seconds, arguments.server, arguments.waiting, arguments.running)
        if arguments.measure == "start":
            result = await measures.start(adapter, plan)
        else:
            await adapter.open()
            if arguments.records:
                await pickup.work(adapter, arguments.records)
                result = {}
            elif arguments.measure == "pickup-two":
                command = [sys.executable, "-m", "bench.peers.child", *sys.argv[1:]]
                result = await pickup.in_two_processes(adapter, plan, command)
            else:
                result = await adapter.measure(arguments.measure, plan) or await MEASURES[arguments.measure](
                    adapter, plan
                )
        if not arguments.records:
            Path(arguments.into).write_text(json.dumps(result), "utf-8")
        os._exit(0)  # what a worker does when it is stopped is not measured, and some are slow to stop


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("measure", choices=[*MEASURES, "pickup-two"])
    parser.add_argument("--into", default="/dev/stdout")
    parser.add_argument("--place", default="")
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--server", type=int, default=0)
    parser.add_argument("--waiting", type=int, default=0)
    parser.add_argument("--running", type=int, default=0)
    parser.add_argument("--shared")
    parser.add_argument("--records")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)  # what frameworks tell of each job
    kind = adapter_class(arguments.name)
    runner = asyncio.Runner()
    if kind.loop == "uvloop":
        runner = asyncio.Runner(loop_factory=importlib.import_module("uvloop").new_event_loop)
    with runner:
        runner.run(measure(arguments.name, arguments))


if __name__ == "__main__":
    main()
