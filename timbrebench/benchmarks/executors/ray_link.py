"""The connection to a Ray cluster: a process that speaks with Ray, and what is said to it."""

import contextlib
import importlib.util
import json
import os
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from timbrebench.core.errors import BenchError

DRIVER = "timbrebench.benchmarks.executors.ray_driver"
ANSWER_SECONDS = 5.0  # that a machine has to answer at all
CONNECT_SECONDS = 40.0  # that a cluster has to take us
CHECK_SECONDS = 90.0  # that its nodes have to be looked at
CLOSE_SECONDS = 10.0

_START = "Is it started? ray start --head prints its address."


def checked_address(asked: str) -> str:
    """HOST:PORT of a cluster that was named, never one that happens to be found."""
    if importlib.util.find_spec("ray") is None:
        raise BenchError("ray is not installed.", hint="pip install 'timbrebench[ray]'")
    address = asked or os.environ.get("RAY_ADDRESS", "")
    if not address:
        raise BenchError(
            "--executor ray needs the address of a cluster.",
            hint="Give --ray-address HOST:PORT or set RAY_ADDRESS; ray start --head prints it.",
        )
    host, colon, port = address.rpartition(":")
    if "://" in address or not (host and colon and port.isdigit()):
        raise BenchError(
            f"--ray-address takes HOST:PORT, not '{address}'.",
            hint="As ray start --head printed it; bench runs on a machine of the cluster.",
        )
    return address


class Link:
    """Says requests to the process that speaks with Ray, and hears its replies."""

    def __init__(self, address: str, log: Path) -> None:
        self.address, self.log = address, log
        self.gone = ""  # why there is no connection any more
        self.buffer = b""
        log.parent.mkdir(parents=True, exist_ok=True)
        self.process = self._start()
        try:
            self._connect()
        except BaseException:
            self.process.kill()  # it may try for minutes yet
            self.process.wait()
            raise

    def _start(self) -> "subprocess.Popen[bytes]":
        words = [DRIVER, str(os.getpid()), str(self.log.absolute()), self.address]
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0"},
                start_new_session=True,  # an interruption is told to us alone
            )

    def _connect(self) -> None:
        reply = self.wait_for("connected", CONNECT_SECONDS)
        why = reply.get("refused") or self.gone
        if "connected" not in reply:
            told = f": {why}" if why else f" within {CONNECT_SECONDS:g} s"
            raise BenchError(
                f"no Ray cluster took us at {self.address}{told}.",
                hint=f"bench runs on a machine of the cluster. Ray's own words: {self.log}",
            )

    def nodes(self, must: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Cores and GPUs of each node; BenchError where one is unfit for the run."""
        self.say({"do": "check", "must": must})
        nodes = self.wait_for("nodes", CHECK_SECONDS).get("nodes", [])
        if not nodes:
            why = self.gone or "its nodes gave no answer"
            raise BenchError(f"the Ray cluster at {self.address} cannot be used: {why}.")
        for node in nodes:
            if node["unfit"]:
                raise BenchError(
                    f"{node['unfit']}.", hint="See docs/clusters.md, What the nodes share."
                )
        return list(nodes)

    # ------------------------------------------------------------------ words

    def say(self, request: Mapping[str, Any]) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # its end is heard of where replies are
            self.process.stdin.write(json.dumps(dict(request)).encode() + b"\n")
            self.process.stdin.flush()

    def hear(self, seconds: float) -> list[dict[str, Any]]:
        """The replies that come within a time; returns with the first."""
        assert self.process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            if not selector.select(seconds):
                return []
        data = os.read(self.process.stdout.fileno(), 1 << 16)
        if not data:
            self.gone = "the process that speaks with it has ended"
        *lines, self.buffer = (self.buffer + data).split(b"\n")
        return [json.loads(line) for line in lines]

    def wait_for(self, what: str, seconds: float) -> dict[str, Any]:
        """The first reply that has ``what``, or that says no; {} where none comes."""
        end = time.monotonic() + seconds
        while not self.gone and time.monotonic() < end:
            for reply in self.hear(end - time.monotonic()):
                if what in reply or "refused" in reply:
                    return reply
        return {}

    def close(self) -> None:
        """Ray then stops what it still runs for us."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def reach(address: str) -> None:
    """BenchError where nobody answers there: Ray itself would try for two minutes."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), ANSWER_SECONDS).close()
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise BenchError(f"no Ray cluster answers at {address}: {why}.", hint=_START) from None
