# Set-up shared by scripts/demo and scripts/test; sourced, not run.
#
# Leaves the Python environment in .venv and the development chain in
# hardhat-free-devnet/node_modules. Each step is skipped where it was done before with the same
# lock file, and says what it does. Needs Python 3.11 or newer, and access to the package indexes.

say() {
    printf '%s\n' "$*" >&2
}

fail() {
    say "set-up: $*"
    exit 2
}

find_python() {
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        if command -v "$name" >/dev/null 2>&1 &&
            "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            printf '%s' "$name"
            return
        fi
    done
    fail "no Python 3.11 or newer on the PATH"
}

# Makes .venv where it is missing, and puts it first on the PATH.
use_venv() {
    make_venv
    PATH=$PWD/.venv/bin:$PATH
    export PATH
}

make_venv() {
    python=$(find_python)
    if [ -x .venv/bin/python ] && .venv/bin/python -m pip --version >/dev/null 2>&1; then
        return
    fi
    say "set-up: making .venv with $($python --version)"
    if "$python" -m venv --clear .venv >/dev/null 2>&1; then
        return
    fi
    # Debian ships venv apart from Python.
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        say "set-up: installing python3-venv"
        apt-get update -qq >&2 && apt-get install -y -qq python3-venv >&2
        "$python" -m venv --clear .venv && return
    fi
    fail "cannot make a virtual environment; on Debian: apt-get install python3-venv"
}

digest_of() {
    cat "$@" | cksum | tr ' ' '-'
}

# once NAME FILE... : true where the files changed since `done_with NAME FILE...`
once() {
    stamp=.venv/.set-up-$1
    shift
    [ "$(cat "$stamp" 2>/dev/null)" != "$(digest_of "$@")" ]
}

done_with() {
    stamp=.venv/.set-up-$1
    shift
    digest_of "$@" >"$stamp"
}

install_python() {
    lock=$1
    if once python "$lock" pyproject.toml; then
        say "set-up: installing Python packages from $lock"
        .venv/bin/python -m pip install -qq --disable-pip-version-check \
            --require-hashes --no-deps -r "$lock" >&2 || fail "pip could not install $lock"
        .venv/bin/python -m pip install -qq --disable-pip-version-check \
            --no-deps --no-build-isolation --editable . >&2 || fail "pip could not install oepnode"
        done_with python "$lock" pyproject.toml
    fi
}

has_postgres() {
    command -v postgres >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1
}

# The tests start a server of their own; none that runs already is used.
install_postgres() {
    has_postgres && return
    as_root=
    [ "$(id -u)" = 0 ] || as_root="sudo -n"
    if command -v apt-get >/dev/null 2>&1 && $as_root true 2>/dev/null; then
        say "set-up: installing PostgreSQL"
        $as_root apt-get update -qq >&2 &&
            $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
                --no-install-recommends postgresql >&2 && has_postgres && return
    fi
    [ -z "${CI:-}" ] || fail "no PostgreSQL; on Debian: apt-get install postgresql"
    say "set-up: no PostgreSQL, so its tests are skipped; on Debian: apt-get install postgresql"
}

has_node() {
    command -v npm >/dev/null 2>&1 &&
        node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' >/dev/null 2>&1
}

install_node() {
    if ! has_node; then
        say "set-up: installing Node.js from requirements/node.txt"
        .venv/bin/python -m pip install -qq --disable-pip-version-check \
            --require-hashes --no-deps -r requirements/node.txt >&2 || fail "no Node.js"
        has_node || fail "Node.js 20 or newer does not run here"
    fi
    devnet=hardhat-free-devnet
    if [ ! -d $devnet/node_modules ] || once node $devnet/package-lock.json; then
        say "set-up: installing Anvil, Forge and solc into $devnet/node_modules"
        (cd $devnet && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2) ||
            fail "npm could not install $devnet/package-lock.json"
        done_with node $devnet/package-lock.json
    fi
}
