// `alma-executor`: started by a coordinator with its channel as descriptor 3, never by hand.
import CConfinement
import Glibc

#if ALMA_TEST_SWITCHES
    TestSwitches.apply()
#endif
guard fcntl(3, F_GETFD) >= 0, fcntl(3, F_SETFD, FD_CLOEXEC) == 0,
    CommandLine.arguments.count >= 2, CommandLine.arguments[1] == "spawn"
else {
    let words = "alma-executor: started by `alma`; there is nothing to run by hand. Try `alma run`.\n"
    _ = write(2, words, words.utf8.count)
    exit(2)
}
Spawner(channel: Channel(descriptor: 3), interpreter: Array(CommandLine.arguments.dropFirst(2))).run()
