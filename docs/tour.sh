#!/bin/sh
# ALMA at its main job. Needs alma in PATH, and touches nothing outside a temporary directory.
set -u

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place" || exit 125
ALMA_HOME="$place/.alma" && export ALMA_HOME
mkdir work

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

echo "# What this host gives less than fully: nothing, if only the counts follow"
show 0 <<'EOF'
alma doctor --quiet
EOF
