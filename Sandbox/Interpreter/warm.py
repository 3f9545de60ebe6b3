"""Runs once, where no task is known: imports what most programs import, and makes what a fork needs to become one.

What it defines is called from C and in nobody's reach: these globals are not `__main__`'s."""

import _signal
import atexit
import gc
import os
import site
import sys
import threading
import time
import weakref

order_of = type.__dict__["__mro__"].__get__
names_of = type.__dict__["__dict__"].__get__
# Of code that only collections run when something they refer to weakly has gone.
of_collections = {("_weakrefset", "_remove"), ("weakref", "remove")}
# Files that change the module path or run code: the host's, so they are heeded in the sandbox.
path_files = []
# Made after all that is frozen.
mark = None


def start():
    # Every page of them is copied for each task, needed or not: those that are small and often asked for.
    common = "collections datetime functools itertools json math random re string time typing"
    own = site.addpackage, site.execsitecustomize, site.execusercustomize
    site.addpackage = lambda folder, name, known: path_files.append((folder, name))
    site.execsitecustomize = site.execusercustomize = lambda: None
    site.main()
    site.addpackage, site.execsitecustomize, site.execusercustomize = own
    for name in common.split():
        __import__(name)
    # The first time makes tables that the next ones find.
    do_once()
    gc.collect()
    gc.freeze()
    # Until there is a task: a collection would copy every page.
    gc.disable()


def do_once():
    """What every program does; nothing of it shows."""
    global mark
    mark = []
    text = "import sys\ndef f(n):\n  return [str(m) for m in range(n)]\nx = f(3)\n"
    exec(compile(text, "<string>", "exec"), {"__name__": "__main__"})
    print("", end="")
    with open("/dev/null", "rb") as file:
        file.read()
    has_nothing_left()


def rehearse(_):
    """In a sandbox, without its task."""
    global mark
    sys.path[:] = [path for path in sys.path if not path.endswith("-packages") or os.path.isdir(path)]
    for folder, name in path_files:
        site.addpackage(folder, name, None)
    site.execsitecustomize()
    do_once()
    gc.freeze()
    mark = []
    return 0


def become(words):
    """Makes this process look as if it had just been started: words are how many arguments, these, and the
    environment."""
    count, *words = words.split(b"\0")
    sys.orig_argv[:] = map(os.fsdecode, words[:int(count)])
    sys.argv[:] = ["-c"] + sys.orig_argv[3:]
    sys.path.insert(0, "")
    os.environb.clear()
    for pair in words[int(count):]:
        name, _, value = pair.partition(b"=")
        os.environb[name] = value
    time.tzset()
    add_user_site()
    threading.main_thread()._set_native_id()
    _signal.signal(_signal.SIGINT, _signal.default_int_handler)
    _signal.signal(_signal.SIGPIPE, _signal.SIG_IGN)
    _signal.signal(_signal.SIGXFSZ, _signal.SIG_IGN)
    gc.enable()
    return 0


def add_user_site():
    home = os.path.expanduser("~")
    for name in ("USER_BASE", "USER_SITE"):
        setattr(site, name, getattr(site, name).replace("/nonexistent", home, 1))
    if not site.ENABLE_USER_SITE or not os.path.isdir(site.USER_SITE):
        return
    # It comes before those of the system.
    others = [path for path in sys.path if path.endswith("-packages")]
    sys.path[:] = [path for path in sys.path if path not in others]
    site.addsitedir(site.USER_SITE)
    sys.path += others
    site.execusercustomize()


def status(leaving):
    """What a SystemExit makes the status, its words shown."""
    code = getattr(leaving, "code", leaving)
    if code is None:
        return 0
    if isinstance(code, int):
        return int(code) & 255 if -(1 << 63) <= code < 1 << 63 else 255
    try:
        if getattr(sys, "stderr", None) is None:
            os.write(2, f"{code}\n".encode())
        else:
            sys.stderr.write(f"{code}\n")
    except BaseException:
        pass
    return 1


def can_leave(is_alone):
    """1 when the end of the process is all that is left to do; else 0, and the interpreter has to be finalized, which
    then finds its garbage."""
    try:
        if is_alone and has_nothing_left():
            return 1
    except BaseException:
        pass
    if not has_frozen(gc.get_objects()):
        gc.unfreeze()
    return 0


def has_nothing_left():
    """Whether no thread, no handler, no output and no object has anything to do at the end."""
    if threading.active_count() > 1 or threading._threading_atexits or atexit._ncallbacks():
        return False
    if gc.callbacks or gc.get_debug():
        return False
    streams = (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
    for stream in {id(stream): stream for stream in streams if stream is not None}.values():
        if not stream.closed:
            stream.flush()
    objects = gc.get_objects()
    if len(objects) > 20000 or has_frozen(objects):
        return False
    kinds = {id(kind): kind for kind in map(type, objects)}
    kinds.update((id(thing), thing) for thing in objects if isinstance(thing, type))
    if any("__del__" in names_of(base) for kind in kinds.values() for base in order_of(kind)):
        return False
    return not any(isinstance(thing, weakref.ref) and calls_back(thing) for thing in objects)


def has_frozen(objects):
    """Whether the program itself has frozen what there was, so that it is not among them."""
    return not any(thing is mark for thing in objects)


def calls_back(reference):
    """Whether the end of what it refers to is told to anybody but to a collection of such references."""
    callback = reference.__callback__
    if callback is None or type(callback) is type(len) and callback.__name__ == "_destroy":
        return False
    return (getattr(callback, "__module__", ""), getattr(callback, "__name__", "")) not in of_collections


start()
