# Sourced by .ci/parts and .ci/environment: one line per long step, the last words of a failed one, never a wall of output.

LOGS=${LOGS:-.parts/log}

say() { printf 'hubkey: %s\n' "$*" >&2; }

stop() { say "$*"; exit 1; }

# step NAME "what is being done" COMMAND...: runs it with its output kept in .parts/log/NAME.
# On a terminal the last line of output and the seconds are shown; elsewhere a line at the start and one every 30 s.
step() {
    local name=$1 text=$2 log="$LOGS/$1" began=$SECONDS code=0
    shift 2
    mkdir -p "$LOGS"
    : >"$log"
    "$@" </dev/null >"$log" 2>&1 &
    local job=$!
    trap 'kill "$job" 2>/dev/null; exit 130' INT TERM
    [ -t 2 ] || say "$text ..."
    while kill -0 "$job" 2>/dev/null; do
        _tick "$text" "$log" $((SECONDS - began))
        sleep 0.2
    done
    wait "$job" || code=$?
    trap - INT TERM
    [ -t 2 ] && printf '\r\033[K' >&2
    [ "$code" -ne 0 ] || say "$text: done ($((SECONDS - began)) s)"
    return "$code"
}

# why NAME: the one line of a failed step's output that says most.
why() {
    grep -iE 'error|failed|cannot|unable|could not|denied|resolve' "$LOGS/$1" 2>/dev/null | tail -n 1 | cut -c 1-160 || true
}

_shown=0
_tick() {
    local text=$1 log=$2 seconds=$3
    if [ -t 2 ]; then
        printf '\r\033[K%s' "$(printf 'hubkey: %s (%d s) %s' "$text" "$seconds" "$(tail -n 1 "$log" | tr -d '\r')" | cut -c "1-$(_columns)")" >&2
    elif [ $((seconds / 30)) -ne "$_shown" ]; then
        _shown=$((seconds / 30))
        [ "$_shown" -eq 0 ] || say "$text: still working ($seconds s)"
    fi
}

_columns() { echo $(($(tput cols 2>/dev/null || echo 80) - 1)); }
