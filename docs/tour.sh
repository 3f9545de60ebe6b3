#!/bin/sh
# ALMA at its main job. Needs alma in PATH, and touches nothing outside a temporary directory.
set -u

place=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; wait; rm -rf "$place"' EXIT
cd "$place" || exit 125
ALMA_HOME="$place/.alma" ALMA_SOCKET="$place/alma.sock" && export ALMA_HOME ALMA_SOCKET
mkdir work

# The coordinator: the commands below find it and go through it.
alma serve 2>serve.log &
server=$!
until grep 'listening on' serve.log; do
    kill -0 "$server" 2>/dev/null || { cat serve.log >&2; exit 125; }
    sleep 0.05
done
echo

# Prints a command and what it says, then its exit status; the status must be the expected one.
show() { # show EXPECTED-STATUS <<'EOF'
    command=$(cat)
    printf '$ %s\n' "$command"
    sh -c "$command" 2>&1
    status=$?
    [ "$status" -eq 0 ] || echo "(exit status $status)"
    echo
    if [ "$status" -ne "$1" ]; then
        echo "tour: expected exit status $1" >&2
        exit 1
    fi
}

echo "# A Python program with standard input"
show 0 <<'EOF'
echo 12 | alma run -c 'n = int(input()); print(n, "squared is", n * n)'
EOF

echo "# A shell pipeline"
show 0 <<'EOF'
alma run --tool shell -c 'printf "b\na\nb\n" | sort | uniq -c'
EOF

echo "# A file edited in a workspace, and its diff"
show 0 <<'EOF'
printf 'one\ntwo\n' > work/notes.txt
alma call --workspace work file_edit '{"path": "notes.txt", "edits": [{"old": "two", "new": "2"}]}' > edit.json
python3 -c 'import json; print(json.load(open("edit.json"))["result"]["diff"], end="")'
EOF

echo "# What a program may not see is not there"
show 1 <<'EOF'
alma run -c 'print(open("/etc/shadow").read())'
EOF

echo "# No network unless the policy gives one"
show 1 <<'EOF'
alma run -c 'import socket; socket.create_connection(("127.0.0.1", 22))'
EOF

echo "# A memory bomb"
show 137 <<'EOF'
alma run --memory 64MiB -c 'print(len(b"x" * 10**9))'
EOF

echo "# A fork bomb"
show 0 <<'EOF'
alma run --processes 16 --timeout 10s -c '
import os, time
children = 0
try:
    while os.fork(): children += 1
    time.sleep(60)
except BlockingIOError as error:
    print("the bomb ended below 16 processes:", children < 16, error)'
EOF

echo "# An agent asks for more than the policy gives it by itself"
show 0 <<'EOF'
python3 -c '
import json, os, socket
coordinator = socket.socket(socket.AF_UNIX)
coordinator.connect(os.environ["ALMA_SOCKET"])
call = {"tool": "shell", "input": {"command": "echo the agent may"}, "as": {"origin": "agent", "agent": "helper"}}
line = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "runs.submit", "params": call})
coordinator.sendall(line.encode() + b"\n")
print(json.loads(coordinator.makefile().readline())["result"]["run_id"])' > run
alma runs list --limit 1
EOF
until alma approvals | grep -q helper; do sleep 0.05; done

echo "# So you are asked, and say yes"
show 0 <<'EOF'
alma approvals | tee asked
alma approvals approve "$(sed -n 's/^approval *//p' asked)"
alma runs logs -f "$(cat run)"
EOF

echo "# What this host gives less than fully: nothing, if only the counts follow"
show 0 <<'EOF'
alma doctor --quiet
EOF

echo "# Everything above is in the audit, which nobody has touched"
show 0 <<'EOF'
alma audit list --limit 4
alma audit verify
EOF

kill "$server"
wait "$server" || { echo "tour: the coordinator ended with $?" >&2; exit 1; }
server=
