"""`alma serve` in a home of its own, with everything on (default policy, store, audit), and clients of its socket."""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading


class Client:
    """One connection, one call at a time, written by hand: no library of ALMA is measured along."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.lines = self.socket.makefile("rb")
        self.number = 0

    def send(self, method, params):
        self.number += 1
        request = {"jsonrpc": "2.0", "id": self.number, "method": method, "params": params}
        self.socket.sendall(json.dumps(request, separators=(",", ":")).encode() + b"\n")

    def receive(self):
        line = self.lines.readline()
        if not line:
            raise SystemExit("bench: the coordinator hung up")
        message = json.loads(line)
        if "error" in message and message["error"]:
            raise SystemExit(f"bench: {message['error']}")
        return message

    def call(self, method, params=None):
        self.send(method, params or {})
        while True:
            message = self.receive()
            if message.get("id") == self.number:
                return message["result"]

    def tool(self, tool, value, status="ok", **more):
        result = self.call("tools.call", {"tool": tool, "input": value, **more})
        if result["metadata"]["status"] != status:
            raise SystemExit(f"bench: {tool} gave {json.dumps(result)}")
        return result


class Daemon:
    def __init__(self, alma):
        self.home = tempfile.mkdtemp(prefix="alma-bench.")
        self.path = self.home + "/alma.sock"
        environment = {"ALMA_HOME": self.home, "HOME": self.home, "PATH": "/usr/bin:/bin"}
        self.process = subprocess.Popen(
            [alma, "serve", "--socket", self.path], env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        said = []
        for line in self.process.stderr:
            said.append(line.decode())
            if "listening on" in said[-1]:
                break
        else:
            raise SystemExit("bench: alma serve does not listen: " + "".join(said))
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def connect(self):
        return Client(self.path)

    @property
    def memory(self):
        """Resident, in KiB."""
        return memory_of(self.process.pid, "status", "VmRSS")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        shutil.rmtree(self.home)


def memory_of(pid, file, field):
    with open(f"/proc/{pid}/{file}") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(field + ":"))


def processes():
    """All of the host: pid to parent and command."""
    found = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat") as file:
                parent = int(file.read().rpartition(")")[2].split()[1])
            with open(f"/proc/{name}/cmdline", "rb") as file:
                found[int(name)] = (parent, file.read())
        except (OSError, IndexError):
            pass
    return found


def descendants(pid, table=None):
    table = table or processes()
    below = [child for child, (parent, _) in table.items() if parent == pid]
    return below + [one for child in below for one in descendants(child, table)]
