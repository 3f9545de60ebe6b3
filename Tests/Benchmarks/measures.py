"""What is measured. Each returns seconds, KiB or calls per second; nothing is asked twice, so that no answer is one
that is known already."""

import itertools
import os
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import daemon as daemons

VIEW = """--ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib /lib --symlink usr/lib64 /lib64 --proc /proc
    --dev /dev --tmpfs /tmp --unshare-all --die-with-parent""".split()
PYTHON = ["/usr/bin/python3", "-c", "print(1)"]
PEERS = {
    "plain python3": PYTHON,
    "bwrap python3": ["bwrap", *VIEW, *PYTHON],
    "bwrap true": ["bwrap", *VIEW, "/usr/bin/true"],
    "firejail true": ["firejail", "--quiet", "--private", "--net=none", "/usr/bin/true"],
}
numbers = itertools.count()
nowhere = os.open("/dev/null", os.O_RDWR)


def run(arguments):
    """A program from its start to its end, its output thrown away. None when it is not there or fails."""
    start = time.perf_counter()
    try:
        actions = [(os.POSIX_SPAWN_DUP2, nowhere, number) for number in range(3)]
        pid = os.posix_spawnp(arguments[0], arguments, os.environ, file_actions=actions)
    except OSError:
        return None
    status = os.waitpid(pid, 0)[1]
    return time.perf_counter() - start if status == 0 else None


def timed(action):
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def python(client, **more):
    return timed(lambda: client.tool("python", {"code": f"print(1)  # {next(numbers)}"}, **more))


def true(client, **more):
    return timed(lambda: client.tool("shell", {"argv": ["/usr/bin/true", str(next(numbers))]}, **more))


def refused(client):
    """Request, decision, rows and audit, without a sandbox; ten in a row, so that no idle processor is woken."""
    call = {"argv": ["/usr/bin/true", str(next(numbers))]}
    return timed(lambda: [client.tool("shell", call, "denied", **{"as": {"restricted": True}}) for _ in range(10)]) / 10


def cold():
    """A limit that no call had before: no sandbox of its shape waits."""
    return {"open_files": 300 + next(numbers)}


def in_turn(alma, client, rounds):
    """Everything in turn within each round, with a pause in between: what the one before has left to clear away, or
    makes ready for its next call, is not the next one's."""
    contenders = {name: lambda command=command: run(command) for name, command in PEERS.items()}
    contenders |= {
        "alma python": lambda: python(client),
        "alma python, cold": lambda: python(client, limits=cold()),
        "alma true": lambda: true(client),
        "alma true, cold": lambda: true(client, limits=cold()),
        "alma calculator": lambda: timed(lambda: client.tool("calculator", {"expression": f"6*{next(numbers)}"})),
        "a call that policy refuses": lambda: refused(client),
        "alma version": lambda: run([alma, "version"]),
    }
    samples = {name: [] for name in contenders}
    for number in range(rounds + 3):
        for name, measure in contenders.items():
            time.sleep(0.04)
            sample = measure()
            if number >= 3 and sample is not None:
                samples[name].append(sample)
    return samples


def back_to_back(client, count):
    return [python(client) for _ in range(count)]


def per_second(action, count, clients=8):
    """How many of `count` actions a second, `clients` at a time."""
    with ThreadPoolExecutor(clients) as pool:
        start = time.perf_counter()
        for result in [pool.submit(action) for _ in range(count)]:
            if result.result() is None:
                return None
        return count / (time.perf_counter() - start)


def served_per_second(daemon, call, count, clients=8):
    """The same through a connection for each client."""
    own = threading.local()

    def action():
        if not hasattr(own, "client"):
            own.client = daemon.connect()
        return call(own.client)

    per_second(action, 4 * clients, clients)
    return per_second(action, count, clients)


def first_byte(client, rounds):
    """From the moment in which a tool writes to the moment in which the client has it. Both read one clock."""
    code = "import time; print(time.monotonic(), flush=True); time.sleep(0.02)  # %d"
    samples = []
    for _ in range(rounds):
        client.send("tools.call", {"tool": "python", "input": {"code": code % next(numbers)}, "stream": True})
        while (message := client.receive()).get("id") != client.number:
            if message["params"]["type"] == "run.stdout":
                samples.append(time.monotonic() - float(message["params"]["data"]["text"]))
    return samples


def cancelling(daemon, client, rounds):
    """From the request to the result, which comes when all processes of the task are dead: twenty of them here."""
    code = "import os, time\nfor _ in range(20):\n  if os.fork() == 0: time.sleep(60)\n"
    code += "print(1, flush=True); time.sleep(60)"
    other = daemon.connect()
    samples = []
    for _ in range(rounds):
        client.send(
            "tools.call", {"tool": "python", "input": {"code": f"{code}  # {next(numbers)}"}, "stream": True})
        while (message := client.receive())["params"]["type"] != "run.stdout":
            pass
        start = time.perf_counter()
        other.call("runs.cancel", {"run_id": message["params"]["run_id"]})
        while client.receive().get("id") != client.number:
            pass
        samples.append(time.perf_counter() - start)
    return samples


def waiting_memory(alma, tool, value):
    """KiB of proportional set size of one sandbox of eight that wait: executor, init and, if there is one, the tool's
    first process."""
    daemon = daemons.Daemon(alma)
    try:
        client = daemon.connect()
        deadline = time.monotonic() + 60
        while client.call("system.info")["executors"]["warm"] < 8 and time.monotonic() < deadline:
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(lambda _: daemon.connect().tool(tool, value(next(numbers))), range(8)))
            time.sleep(0.5)
        ready = client.call("system.info")["executors"]["warm"]
        table = daemons.processes()
        spawners = [pid for pid, (parent, _) in table.items() if parent == daemon.process.pid]
        sizes = [daemons.memory_of(pid, "smaps_rollup", "Pss") for spawner in spawners
                 for pid in daemons.descendants(spawner, table)]
        return sum(sizes) / ready
    finally:
        daemon.stop()


def queued(alma, count):
    """Seconds for each of `count` calls that were submitted at once, and KiB of memory for each while it waits."""
    daemon = daemons.Daemon(alma)
    try:
        client = daemon.connect()
        for _ in range(20):
            true(client)
        blockers = [client.call("runs.submit", {"tool": "shell", "input": {"command": f"sleep 600 # {next(numbers)}"}})
                    for _ in range(client.call("system.info")["executors"]["max"])]
        before = daemon.memory
        runs = [client.call("runs.submit", {"tool": "shell", "input": {"argv": ["/usr/bin/true", str(next(numbers))]}})
                for _ in range(count)]
        memory = (daemon.memory - before) / count
        start = time.perf_counter()
        for run in blockers:
            client.call("runs.cancel", run)
        for run in runs:
            client.call("runs.wait", run)
        return (time.perf_counter() - start) / count, memory
    finally:
        daemon.stop()


median = statistics.median


def quantile(samples, share):
    return sorted(samples)[min(len(samples) - 1, int(len(samples) * share))]
