#!/bin/sh
# Makes .venv and installs into it what a target of the Makefile needs. Costs nothing when all is there.
#
#   sh tools/set-up.sh demo    what the showcase needs
#   sh tools/set-up.sh dev     what everything else needs; holds for the showcase, too
#
# PYTHON= chooses the interpreter, 3.11 or later. Without it, the one that .venv was made with; for a new .venv the
# newest that is found. Another PYTHON= makes .venv anew.

set -eu
cd "$(dirname "$0")/.."

what=${1:?"demo or dev"}
here=$(pwd)
venv=.venv
stamp=$venv/ready-for-$what

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

# Its version and place, if it is 3.11 or later and can make an environment. (A name on the PATH may be a stub.)
describe() {
    "$1" -c 'import sys; sys.version_info >= (3, 11) or sys.exit(1)
import ensurepip, venv
print("%d.%d.%d" % sys.version_info[:3], sys.base_prefix)' 2>/dev/null
}

find_python() {
    for candidate in python3.13 python3.12 python3.11 python3 python; do
        if describe "$candidate" >/dev/null; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    fail "No Python 3.11 or later that can make a virtual environment was found (python3.13, python3.12, python3.11, python3)." \
        "Install one, with its venv module (on Debian and Ubuntu a package of its own, python3-venv)," \
        "or name one: make test PYTHON=/path/to/python3.12"
}

if [ -n "${PYTHON:-}" ]; then
    found=$(describe "$PYTHON") || fail "PYTHON=$PYTHON is no Python 3.11 or later with the venv module."
    made_with="$found $here"
elif [ -x $venv/bin/python ] && [ -f $venv/made-with ]; then
    # The one it was made with, if it still runs and has not been moved (its scripts hold its place).
    made_with="$(describe $venv/bin/python || echo none) $here"
else
    made_with=""
fi

if [ -n "$made_with" ] && [ -f $venv/made-with ] && [ "$(cat $venv/made-with)" = "$made_with" ]; then
    for ready in "$stamp" $venv/ready-for-dev; do
        if [ -f "$ready" ] && [ ! pyproject.toml -nt "$ready" ] && [ ! tools/set-up.sh -nt "$ready" ]; then
            exit 0
        fi
    done
else
    python=${PYTHON:-$(find_python)}
    echo "Making .venv with $python ($(describe "$python" | cut -d' ' -f1))"
    "$python" -m venv --clear $venv || fail "$python could not make .venv (see above)."
    printf '%s %s\n' "$(describe "$python")" "$here" >$venv/made-with
fi

echo "Installing what \`$what\` needs into .venv (once)"
pip() {
    $venv/bin/python -m pip --disable-pip-version-check --quiet "$@" ||
        fail "pip could not install what is needed (see above). Is there a network, or a package index?"
}
pip install --upgrade 'pip>=25.1' # the first that knows dependency groups (PEP 735)
if [ "$what" = demo ]; then
    pip install --editable '.[asgi,schema]'
else
    pip install --editable '.[all]' --group dev
fi
touch "$stamp"
