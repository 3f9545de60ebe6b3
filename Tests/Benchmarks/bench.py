"""make bench: what a call costs, peers beside it in the same run. make bench-check: whether it became worse.

bench.py ALMA [--rounds N] [--json FILE] [--check]
"""

import argparse
import json
import os
import platform

import daemon as daemons
import measures
from measures import median, quantile

# What must not be lost: ratios to the peer of the same run (docs/performance.md says what they are today). A shared
# machine may be off by a third.
THRESHOLDS = {
    "Python, median": 0.47, "true, median": 0.85, "cold Python, median": 1.0, "cold true, median": 2.2,
    "Python, 8 clients": 0.75, "true, 8 clients": 0.38,
}


class Table:
    def __init__(self):
        self.rows = []

    def add(self, what, figure, unit, goal=None, peer=None, ratio_goal=None, at_least=False):
        """`figure` is None when it could not be had. `ratio_goal` is for its ratio to `peer`, a name and a figure;
        `at_least` when more is better."""
        name, base = peer or (None, None)
        ratio = figure / base if figure is not None and base else None
        row = {"what": what, "figure": figure, "unit": unit, "goal": goal, "peer": name, "peer_figure": base,
               "ratio": ratio, "ratio_goal": ratio_goal, "at_least": at_least}
        reached = [self.reaches(value, wanted, at_least) for value, wanted in ((figure, goal), (ratio, ratio_goal))
                   if wanted is not None]
        row["pass"] = all(reached) if reached else None
        self.rows.append(row)

    @staticmethod
    def reaches(value, goal, at_least):
        return value is not None and (value >= goal if at_least else value <= goal)

    def markdown(self):
        lines = ["| what | figure | goal | ratio | goal | reached |", "|---|--:|--:|---|--:|---|"]
        for row in self.rows:
            sign = "≥" if row["at_least"] else "≤"
            ratio = f"{row['ratio']:.2f} × {row['peer']} ({number(row['peer_figure'])})" if row["ratio"] else ""
            cells = [row["what"], f"{number(row['figure'])} {row['unit']}",
                     f"{sign} {row['goal']:g}" if row["goal"] is not None else "", ratio,
                     f"{sign} {row['ratio_goal']:.3g} ×" if row["ratio_goal"] is not None else "",
                     {True: "yes", False: "no", None: ""}[row["pass"]]]
            lines.append("| " + " | ".join(cells) + " |")
        return "\n".join(lines)


def number(value):
    return "not known" if value is None else f"{value:.0f}" if value >= 100 else f"{value:.2f}"


def single_calls(table, alma, client, rounds):
    samples = measures.in_turn(alma, client, rounds)
    times = {name: 1000 * median(values) if values else None for name, values in samples.items()}

    def peer(name):
        return name, times[name]

    table.add("Python, median", times["alma python"], "ms", 1.0, peer("plain python3"), 1 / 8)
    p99 = 1000 * quantile(samples["alma python"], 0.99)
    table.add("Python, 99th percentile with pauses", p99, "ms", None, ("its median", times["alma python"]), 4)
    table.add("true, median", times["alma true"], "ms", None, peer("bwrap true"), 1 / 2)
    table.add("cold Python, median", times["alma python, cold"], "ms", None, peer("bwrap python3"), 1.3)
    table.add("cold true, median", times["alma true, cold"], "ms", None, peer("bwrap true"))
    for name in ("alma calculator", "a call that policy refuses", "alma version"):
        table.add(name.removeprefix("alma "), times[name], "ms")
    for name in measures.PEERS:
        if times[name] is not None:
            table.add(name, times[name], "ms")


def calls_in_a_row(table, client, rounds):
    samples = measures.back_to_back(client, 5 * rounds)
    table.add("Python, back to back, median", 1000 * median(samples), "ms")
    table.add("the same, 99th percentile", 1000 * quantile(samples, 0.99), "ms", 5)


def many_at_once(table, daemon, rounds):
    kinds = ("Python", measures.python, "bwrap python3", 4), ("true", measures.true, "bwrap true", 2)
    for name, call, peer, goal in kinds:
        base = measures.per_second(lambda peer=peer: measures.run(measures.PEERS[peer]), 2 * rounds)
        rate = measures.served_per_second(daemon, call, 4 * rounds)
        table.add(f"{name}, 8 clients", rate, "/s", None, (peer, base), goal, at_least=True)


def the_rest(table, alma, daemon, client, rounds):
    table.add("first byte after the tool wrote it", 1000 * median(measures.first_byte(client, rounds)), "ms", 2)
    table.add("cancel to tree dead", 1000 * median(measures.cancelling(daemon, client, max(5, rounds // 5))), "ms", 50)
    python, shell = ("python", lambda n: {"code": f"import time; time.sleep(0.2)  # {n}"}), (
        "shell", lambda n: {"command": f"sleep 0.2 # {n}"})
    table.add("a waiting sandbox for Python, PSS", measures.waiting_memory(alma, *python) / 1024, "MiB", 6)
    table.add("a waiting sandbox for programs, PSS", measures.waiting_memory(alma, *shell) / 1024, "MiB", 3)
    table.add("coordinator after all this, RSS", daemon.memory / 1024, "MiB", 60)
    few, _ = measures.queued(alma, 10)
    many, memory = measures.queued(alma, 100 * rounds)
    table.add(f"one of {100 * rounds} queued calls", 1000 * many, "ms", None, ("one of 10", 1000 * few), 1)
    table.add("memory of a queued call", memory, "KiB", 4)


def check(table):
    """Prints what became worse. Returns whether nothing did."""
    lost = []
    for row in table.rows:
        threshold = THRESHOLDS.get(row["what"])
        if threshold is not None and not Table.reaches(row["ratio"], threshold, row["at_least"]):
            lost.append(f"{row['what']}: {row['ratio'] or float('nan'):.2f} × {row['peer']}, threshold {threshold}")
    print("\n".join(lost) or "bench-check: nothing became worse")
    return not lost


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("alma")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--json")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    table = Table()
    daemon = daemons.Daemon(options.alma)
    try:
        client = daemon.connect()
        single_calls(table, options.alma, client, options.rounds)
        many_at_once(table, daemon, options.rounds)
        if not options.check:
            calls_in_a_row(table, client, options.rounds)
            the_rest(table, options.alma, daemon, client, options.rounds)
    finally:
        daemon.stop()
    who = "root" if os.geteuid() == 0 else "an ordinary user"
    print(f"{options.rounds} rounds as {who}, {os.cpu_count()} processors, Linux {platform.release()}\n")
    print(table.markdown())
    if options.json:
        with open(options.json, "w") as file:
            json.dump(table.rows, file, indent=1)
    if options.check and not check(table):
        raise SystemExit(1)


main()
