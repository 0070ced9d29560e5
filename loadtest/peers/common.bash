# What the peers share: verbs, free ports, waiting, stopping by process id. Sourced, not run.
#
# A peer defines start and roots, which prints the process ids of its masters, the one in front first. DIR is "$dir".

# shellcheck disable=SC2034 # used by the peers

set -euo pipefail

domain=example.test
password='correct horse'
packages=(dovecot-imapd dovecot-lmtpd postfix)
mail_user=nobody # owns the mailboxes; any user that owns nothing else will do

complain() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; }
give_up() { complain "$1"; exit "${2:-1}"; }

# Debian's packages, those that lack. Their services stay asleep: only what `start` starts runs.
install_packages() {
    local package policy=/usr/sbin/policy-rc.d ours='' missing=() services=()
    for package in "${packages[@]}"; do
        is_installed "$package" || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    [ "$(id -u)" -eq 0 ] || give_up "install needs root: it calls apt-get" 2
    is_installed dovecot-core || services+=(dovecot)
    is_installed postfix || services+=(postfix)
    if [ ! -e "$policy" ]; then
        ours=$policy
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    fi
    # shellcheck disable=SC2064 # the path as it is now
    trap "rm -f $ours" EXIT
    # The system's own Postfix stays without configuration.
    echo "postfix postfix/main_mailer_type select No configuration" | debconf-set-selections
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"
    # Nor at the next boot, unless they were there before.
    if command -v systemctl >/dev/null && [ ${#services[@]} -gt 0 ]; then
        systemctl disable --quiet "${services[@]}" || true
    fi
}

is_installed() { dpkg-query --show --showformat='${Status}' "$1" 2>/dev/null | grep -q 'install ok installed'; }

# The directory as an absolute path, fit for servers of several users.
prepare() {
    [ "$(id -u)" -eq 0 ] || give_up "start needs root: Dovecot and Postfix run their parts as users dovecot, dovenull, postfix and $mail_user" 2
    local program
    for program in "$@"; do
        [ -x "$program" ] || give_up "$program is not there: $0 install" 3
    done
    [ -z "$(roots)" ] || give_up "runs already in $dir"
    # A unix socket's path ends at 107 octets, the longest below DIR has 45.
    [ ${#dir} -le 60 ] || give_up "$dir: a path of at most 60 octets, for the sake of unix sockets" 2
    mkdir -p "$dir"
    chmod go+x "$dir"
    setpriv --reuid="$mail_user" --regid="$(id -g "$mail_user")" --clear-groups test -x "$dir" ||
        give_up "$dir: other users must be able to reach it; see the modes of the folders above it" 2
    mkdir -p "$dir/log"
}

# A port of loopback at which nobody listens, below those that the kernel gives to clients.
free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 12000))
        grep -qs "^127.0.0.1:$port\$" "$dir/ports" && continue
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            echo "127.0.0.1:$port" >>"$dir/ports"
            echo "$port"
            return
        fi
    done
}

# Waits until a server greets at the port; what greeting begins with is the second argument.
await_greeting() {
    local port=$1 begins=$2 greeting try
    for ((try = 0; try < 100; try++)); do
        greeting=
        if { exec 3<>"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null; then
            read -r -t 5 greeting <&3 || true
            exec 3>&- 3<&-
        fi
        case $greeting in "$begins"*) return ;; esac
        sleep 0.1
    done
    complain "nobody greets at 127.0.0.1:$port"
    tail -n 20 "$dir"/log/* >&2 || true
    stop
    exit 1
}

# The process id in a file, if that process still is the one that works below DIR.
pid_in() {
    local pid
    [ -s "$1" ] || return 0
    read -r pid <"$1" || true
    case $(readlink "/proc/$pid/cwd" 2>/dev/null) in "$dir"/*) echo "$pid" ;; esac
}

# These processes and all their descendants.
tree() {
    local -A parent=()
    local stat pid rest
    for stat in /proc/[0-9]*/stat; do
        { read -r pid rest <"$stat"; } 2>/dev/null || continue
        rest=${rest##*) }
        rest=${rest#* }
        parent[$pid]=${rest%% *}
    done
    local found=" $* " grew=1
    while [ "$grew" ]; do
        grew=
        for pid in "${!parent[@]}"; do
            case $found in *" $pid "*) continue ;; esac
            case $found in *" ${parent[$pid]} "*) found+="$pid " grew=1 ;; esac
        done
    done
    # shellcheck disable=SC2086 # words are wanted
    printf '%s\n' $found
}

# Ends every process of the peer: the masters by SIGTERM; what stays after 20 s by SIGKILL.
stop() {
    local masters all pid try
    masters=$(roots)
    [ "$masters" ] || return 0
    # shellcheck disable=SC2086
    all=$(tree $masters)
    for pid in $masters; do kill "$pid" 2>/dev/null || true; done
    for ((try = 0; try < 200; try++)); do
        all=$(for pid in $all; do pid_lives "$pid" && echo "$pid"; done || true)
        [ "$all" ] || return 0
        sleep 0.1
    done
    complain "had to kill $(echo "$all" | tr '\n' ' ')"
    for pid in $all; do kill -KILL "$pid" 2>/dev/null || true; done
}

pid_lives() { [ -d "/proc/$1" ] && ! grep -qs '^State:[[:space:]]*Z' "/proc/$1/status"; }

main() {
    local verb=${1:-}
    [ $# -eq 0 ] || shift
    case $verb in
    install) install_packages ;;
    start | stop | pids | addresses)
        [ $# -ge 1 ] || give_up "$verb needs a directory" 2
        dir=$(realpath -m -- "$1")
        shift
        case $verb in
        pids) roots ;;
        addresses) cat "$dir/addresses" ;;
        *) "$verb" "$@" ;;
        esac
        ;;
    *)
        sed -n '2,/^$/s/^# \{0,1\}//p' "$0" >&2
        exit 2
        ;;
    esac
}
