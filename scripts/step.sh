#!/usr/bin/env bash
# Runs one long step and shows that it moves: what it is, a sign of life each half minute when nobody's terminal shows
# cargo's own progress bar, how long it took. Ends with the exit code of the step.
#
#   scripts/step.sh "what it does" command argument...
set -euo pipefail

what=$1
shift
started=$SECONDS

# RocksDB's C++ is the long silence of a first build: count its object files.
sign_of_life() {
    local objects nap=
    trap 'kill "$nap" 2>/dev/null; exit 0' TERM
    # An interrupted step must not leave this loop behind.
    while kill -0 $$ 2>/dev/null; do
        sleep 30 &
        nap=$!
        wait "$nap"
        objects=$(find "${CARGO_TARGET_DIR:-target}/debug/build" -path '*librocksdb-sys-*' -name '*.o' 2>/dev/null | wc -l)
        printf '    ... %s: %d s; object files of RocksDB so far: %d\n' "$what" $((SECONDS - started)) "$objects"
    done
}

printf '==> %s: %s\n' "$what" "$*"
pulse=
if ! [[ -t 2 ]]; then
    sign_of_life &
    pulse=$!
fi
status=0
"$@" || status=$?
if [[ -n $pulse ]]; then
    kill "$pulse" 2>/dev/null || true
    wait "$pulse" 2>/dev/null || true
fi
if ((status == 0)); then
    printf '==> %s: done in %d s\n' "$what" $((SECONDS - started))
else
    printf '==> %s: FAILED with exit code %d after %d s\n' "$what" "$status" $((SECONDS - started)) >&2
fi
exit "$status"
