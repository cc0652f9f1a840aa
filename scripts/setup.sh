#!/usr/bin/env bash
# Checks what a build needs, says what is missing and why, and installs it with apt-get when it may (root, or sudo).
# Without that right it prints the exact command and ends with exit code 1. Nothing is installed that is there already.
#
#   scripts/setup.sh          what `make demo` and `make test` need
#   scripts/setup.sh --lint   also clippy and rustfmt
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }

# --- Rust: never installed behind the user's back, it belongs to the user's account ---------------------------------

readonly GET_RUST="get it from https://rustup.rs:
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile default
then open a new shell, or run: . \"\$HOME/.cargo/env\""

# The value of `rust-version` in Cargo.toml.
wanted_rust() {
    local line
    while IFS= read -r line; do
        if [[ $line =~ ^rust-version[[:space:]]*=[[:space:]]*\"([0-9.]+)\" ]]; then
            printf '%s' "${BASH_REMATCH[1]}"
            return
        fi
    done <Cargo.toml
    fail "Cargo.toml names no rust-version"
}

check_rust() {
    local wanted have
    wanted=$(wanted_rust)
    if ! has cargo || ! has rustc; then
        fail "there is no Rust toolchain in PATH; Assent needs Rust $wanted or newer; $GET_RUST"
    fi
    have=$(rustc --version) || fail "rustc does not run; $GET_RUST"
    if ! [[ $have =~ ^rustc\ ([0-9]+)\.([0-9]+) ]]; then
        fail "cannot read the version in '$have'; Assent needs Rust $wanted or newer"
    fi
    local major=${BASH_REMATCH[1]} minor=${BASH_REMATCH[2]}
    local wanted_major=${wanted%%.*} wanted_minor=${wanted#*.}
    wanted_minor=${wanted_minor%%.*}
    if ((major < wanted_major || (major == wanted_major && minor < wanted_minor))); then
        fail "Rust $major.$minor is too old, Assent needs $wanted or newer; with rustup: rustup update stable; else $GET_RUST"
    fi
}

check_lint_tools() {
    if cargo clippy --version >/dev/null 2>&1 && cargo fmt --version >/dev/null 2>&1; then
        return
    fi
    if has rustup; then
        say "clippy or rustfmt is missing: adding them to the toolchain with rustup"
        rustup component add clippy rustfmt
    else
        fail "clippy or rustfmt is missing; add them the way the toolchain was installed (with rustup: rustup component add clippy rustfmt)"
    fi
}

# --- The system's packages --------------------------------------------------------------------------------------------

missing_packages=()
need() { # package, reason
    say "missing: $1 ($2)"
    missing_packages+=("$1")
}

# The compiler is there and finds the standard headers.
compiles() { # program, language, header
    has "$1" && "$1" -E -x "$2" - >/dev/null 2>&1 <<<"#include <$3>"
}

# A libclang that bindgen can load, with the compiler's own headers beside it.
has_libclang() {
    local file
    if [[ -n ${LIBCLANG_PATH:-} ]]; then
        compgen -G "$LIBCLANG_PATH/libclang*.so*" >/dev/null || [[ -f $LIBCLANG_PATH ]]
        return
    fi
    for file in /usr/lib/llvm-*/lib/libclang*.so* /usr/lib/*-linux-gnu*/libclang*.so* /usr/lib64/libclang*.so* \
        /usr/lib/libclang*.so* /usr/local/lib/libclang*.so*; do
        if [[ -e $file && $file != *libclang-cpp* ]]; then
            compgen -G "/usr/lib/llvm-*/lib/clang/*/include/stddef.h" >/dev/null && return
            compgen -G "/usr/lib*/clang/*/include/stddef.h" >/dev/null && return
            compgen -G "/usr/local/lib/clang/*/include/stddef.h" >/dev/null && return
        fi
    done
    return 1
}

check_packages() {
    missing_packages=()
    if ! compiles "${CC:-cc}" c stdlib.h; then
        need gcc "C compiler and linker: Rust links with it; the TLS library and the compressors are C"
        need libc6-dev "the C library's headers, which gcc only recommends"
    fi
    compiles "${CXX:-c++}" c++ string || need g++ "C++ compiler: RocksDB is C++"
    has_libclang || need libclang-dev "libclang: the bindings to RocksDB are generated from its headers"
    has make || need make "the Makefile is the front door"
    has git || need git "the style check asks git which files there are"
    if ! has python3 || ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 9))'; then
        need python3 "Python 3.9 or newer: the example's workload is checked by a second implementation"
    fi
    # The TLS library brings ready-made bindings for these two; elsewhere it is configured with cmake.
    case $(uname -m) in
        x86_64 | aarch64 | arm64) ;;
        *) has cmake || need cmake "the TLS library is configured with it on this processor" ;;
    esac
}

install_packages() {
    local install=(apt-get install -y --no-install-recommends "${missing_packages[@]}")
    has apt-get || fail "there is no apt-get here; install the equivalents of: ${missing_packages[*]}"
    local as_root=()
    if [[ $(id -u) != 0 ]]; then
        # Without a terminal sudo must not ask for a password: it would wait for ever.
        if has sudo && { sudo -n true 2>/dev/null || [[ -t 0 && -t 1 ]]; }; then
            as_root=(sudo)
        else
            fail "not root, and sudo is not available; run this and start again:
    sudo apt-get update && sudo ${install[*]}"
        fi
    fi
    say "installing with apt-get: ${missing_packages[*]}"
    "${as_root[@]}" apt-get update || fail "apt-get update failed; see above"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive "${install[@]}" || fail "apt-get install failed; see above"
    check_packages
    if ((${#missing_packages[@]} > 0)); then
        fail "still missing after the installation: ${missing_packages[*]}"
    fi
}

check_packages
if ((${#missing_packages[@]} > 0)); then
    install_packages
fi
check_rust
if [[ ${1:-} == --lint ]]; then
    check_lint_tools
fi
say "everything that the build needs is here"
