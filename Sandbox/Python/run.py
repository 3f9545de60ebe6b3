import sys


def start(sys=sys):
    """Runs the file argv[1] as the main program that the user knows as argv[2]."""
    path, shown = sys.argv[1:3]
    is_code = shown == "<string>"
    sys.argv[:3] = ["-c" if is_code else shown]
    if not path.startswith("/"):
        path = "/workspace/" + path
    if not is_code and not sys.flags.isolated:
        sys.path[:1] = [path.rpartition("/")[0], "/workspace"]
    main = sys.modules["__main__"].__dict__
    own = (start.__code__, sys._getframe(1).f_code)
    for name in ("start", "sys"):
        del main[name]
    if not is_code:
        main["__file__"] = path
        main["__cached__"] = None
    try:
        with open(path, "rb") as file:
            source = file.read()
        exec(compile(source, shown, "exec", dont_inherit=True), main)
    except BaseException:
        show = getattr(sys, "excepthook", sys.__excepthook__)

        def hook(kind, error, trace):
            while trace is not None and trace.tb_frame.f_code in own:
                trace = trace.tb_next
            show(kind, error.with_traceback(trace), trace)

        sys.excepthook = hook
        raise


start()
