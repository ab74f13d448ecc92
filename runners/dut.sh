#!/bin/sh
# What is asked over SSH of a device without Python, apart from its agent, which follows in the same
# file (runners/agent.sh). The words and answers are those of nrunner.runners.dut.
#
#     sh FILE start WORK NAME JOB WHO SLOTS     be a guardian, after the answer; a secret on standard input
#     sh FILE carry FOLDER                      say whether the agent is there, then relay
#     sh FILE look|watch|remove FOLDER
#     sh FILE lease|release WORK
#
# POSIX sh with a Linux /proc: runs under busybox ash, dash and bash. File descriptor 9 is the lock,
# of the guardian and of all that is the agent's own; no payload has it.

answer() { # JSON
    printf 'nrunner-dut:%s\n' "$1"
}

quoted() { # TEXT: as a string of JSON
    printf '"'
    printf %s "$1" | tr -d '\000-\037' | sed 's/[\\"]/\\&/g'
    printf '"'
}

fails() { # REASON
    answer "{\"error\": $(quoted "$1")}"
    exit 0
}

boot_id() {
    read -r boot </proc/sys/kernel/random/boot_id
    printf %s "$boot"
}

started() { # PID: when it began, in ticks after the boot; nothing if it is gone
    line=
    read -r line 2>/dev/null <"/proc/$1/stat" || return
    line=${line##*) }
    # shellcheck disable=SC2086  # words are wanted
    set -- $line
    case $1 in Z | X) return 1 ;; esac
    shift 19
    printf %s "$1"
}

field() { # FILE NAME: a number or a string without quotes in it
    sed -n -e "s/.*\"$2\": *\"\([^\"]*\)\".*/\1/p" -e "s/.*\"$2\": *\([0-9][0-9]*\).*/\1/p" "$1" 2>/dev/null
}

lives() { # FILE: whether the process lives that wrote who it is
    [ -f "$1" ] || return
    x=$(field "$1" pid)
    [ -n "$x" ] && [ "$(field "$1" start)" = "$(started "$x")" ] && [ "$(field "$1" boot_id)" = "$(boot_id)" ]
}

doze() {
    sleep 0.05 2>/dev/null || sleep 1
}

# ---- The lease.

# Where there is flock the lock is that of descriptor 9, as the other agent's is. Elsewhere it is a
# link that says whose it is, and means nothing after a reboot.

take_lease() { # WORK JOB
    mkdir -p "$1/lease" || fails "make $1/lease"
    turns=0
    exec 9>>"$1/lease/lock" || fails "open $1/lease/lock"
    # Who only looks has it for a moment; who has just got it writes who it is.
    until grab "$1"; do
        turns=$((turns + 1))
        if lives "$1/lease/holder"; then
            if [ "$(field "$1/lease/holder" job)" = "$2" ] && [ "$turns" -lt 3 ]; then
                # Whoever begins anew has given that one up, or never heard that it began.
                (remove "$(field "$1/lease/holder" folder)") >/dev/null
                continue
            fi
            answer "{\"held\": true, \"holder\": $(cat "$1/lease/holder")}"
            exit 0
        fi
        if [ "$turns" -gt 20 ]; then
            answer '{"held": true, "holder": null}'
            exit 0
        fi
        doze
    done
}

grab() { # WORK
    if command -v flock >/dev/null; then
        flock -n 9
        return
    fi
    name=$1/lease/held-$(boot_id)
    ln -s "$$.$(started $$)" "$name" 2>/dev/null && return
    other=$(readlink "$name") || return
    ! has_owner "$1" "$other" || return
    # One at a time, and only what was seen: its number is nobody else's in this boot.
    mkdir "$name.break" 2>/dev/null || return
    [ "$(readlink "$name")" != "$other" ] || rm -f "$name"
    rmdir "$name.break"
    false
}

has_owner() { # WORK PID.START: whether they live, or what they have started
    [ "$(started "${2%.*}")" != "${2#*.}" ] || return 0
    for each in "$1"/jobs/*/serve; do
        x=
        read -r x 2>/dev/null <"$each" || continue
        [ "$(started "${x%.*}")" != "${x#*.}" ] || return 0
    done
    false
}

let_go() { # WORK
    exec 9>&-
    x=$1/lease/held-$(boot_id)
    [ "$(readlink "$x" 2>/dev/null)" != "$$.$(started $$)" ] || rm -f "$x"
}

forget() { # WORK: take away what was noted of who had the lease, unless somebody has it
    [ -e "$1/lease/lock" ] || return
    # We have it for that long: who takes it next has noted nothing yet.
    (
        exec 9>>"$1/lease/lock"
        # The first time it may be a link that was left, which is gone then.
        grab "$1" || grab "$1" || exit
        rm -f "$1/lease/holder" "$1"/lease/held-*
        let_go "$1"
    )
}

is_held() { # WORK
    if command -v flock >/dev/null; then
        [ -e "$1/lease/lock" ] && ! flock -n -s "$1/lease/lock" true
        return
    fi
    x=$(readlink "$1/lease/held-$(boot_id)") && has_owner "$1" "$x"
}

lease_of() { # WORK: all that can be said of it, as JSON
    if ! is_held "$1"; then
        printf '{"held": false, "answers": false, "holder": null, "processes": [], "time": %s}' "$(date +%s)"
        return
    fi
    has=false holder=null list=
    if lives "$1/lease/holder"; then
        holder=$(cat "$1/lease/holder")
        folder=$(field "$1/lease/holder" folder)
        [ ! -p "$folder/door" ] && [ ! -S "$folder/socket" ] || has=true
    fi
    for pid in $(holding "$1"); do
        name=$(tr '\000\n' '  ' <"/proc/$pid/cmdline" 2>/dev/null)
        list="$list${list:+, }$(quoted "$name")"
    done
    printf '{"held": true, "answers": %s, "holder": %s, "processes": [%s], "time": %s}' \
        "$has" "$holder" "$list" "$(date +%s)"
}

holding() { # WORK: pids of those who have the lease, and of all below them
    x=$(cd "$1/lease" && pwd -P)/lock
    found=" $(LC_ALL=C ls -l /proc/[0-9]*/fd 2>/dev/null | while IFS= read -r line; do
        case $line in
        /proc/*/fd:) pid=${line#/proc/} pid=${pid%/fd:} ;;
        *"-> $x") printf '%s ' "$pid" ;;
        esac
    done)"
    grown=1
    while [ -n "$grown" ]; do
        grown=
        for each in /proc/[0-9]*; do
            pid=${each#/proc/}
            case $found in *" $pid "*) continue ;; esac
            line=
            read -r line 2>/dev/null <"$each/stat" || continue
            line=${line##*) }
            line=${line#* }
            case $found in *" ${line%% *} "*) found="$found$pid " grown=1 ;; esac
        done
    done
    printf %s "$found"
}

release() { # WORK
    list= turns=0
    while is_held "$1" && [ "$turns" -lt 50 ]; do
        for pid in $(holding "$1"); do
            name=$(tr '\000\n' '  ' <"/proc/$pid/cmdline" 2>/dev/null)
            kill -s KILL "$pid" 2>/dev/null && list="$list${list:+, }$(quoted "$pid $name")"
        done
        turns=$((turns + 1))
        doze
    done
    # Whoever was about to break a link may have been killed.
    rmdir "$1"/lease/held-*.break 2>/dev/null
    has=false
    if is_held "$1"; then has=true; else forget "$1"; fi
    answer "{\"held\": $has, \"ended\": [$list]}"
}

# ---- One agent.

start() { # WORK NAME JOB WHO SLOTS
    mask=$(umask)
    umask 077
    IFS= read -r token
    work=$1 folder=$1/jobs/$2
    take_lease "$work" "$3"
    for each in "$work"/jobs/*; do
        x=${each##*/}
        if [ -d "$each" ] && [ "${x%%.*}" != "${2%%.*}" ]; then
            (sweep "$each") # its loop has the same name
            rm -rf "$each"
        fi
    done
    mkdir -p "$folder/tree" && printf '%s\n' "$token" >"$folder/token" &&
        printf '%s\n' "$work/lease/holder" >"$folder/lease" &&
        mkfifo -m 600 "$folder/door" || {
        rm -rf "$folder"
        fails "make $folder: is the disk full?"
    }
    me="\"pid\": $$, \"start\": $(started $$), \"boot_id\": \"$(boot_id)\""
    since=$(date +%s)
    printf '{"job": %s, "who": %s, "folder": %s, %s, "since": %s, "until": %s, "epoch": 0}' \
        "$(quoted "$3")" "$(quoted "$4")" "$(quoted "$folder")" "$me" "$since" $((since + 30)) \
        >"$work/lease/holder"
    printf '{%s}' "$me" >"$folder/agent"
    answer "{\"folder\": $(quoted "$folder"), $me}"
    exec </dev/null >>"$folder/agent.log" 2>&1
    cd /
    # What payloads get is what any login has: of ours, which will be over, nothing is true for long.
    umask "$mask"
    unset SSH_CLIENT SSH_CONNECTION SSH_TTY
    # Waited for, not started with "&": payloads would ignore SIGINT.
    x=$(command -v setsid)
    # shellcheck disable=SC2086  # none if there is none
    ${x:+setsid} sh "$0" serve_as "$folder" "$5"
    sweep "$folder"
    rm -f "$folder/agent" "$folder/serve" "$work/lease/holder"
    let_go "$work"
    # Somebody may still want to know what it had to say, if they are there.
    if [ -e "$folder/forsaken" ]; then rm -rf "$folder"; fi
    turns=0
    while [ -d "$folder" ] && [ "$turns" -lt 160 ]; do
        if [ "$turns" -lt 100 ]; then doze; else sleep 1; fi
        turns=$((turns + 1))
    done
    rm -rf "$folder"
}

look() { # FOLDER: the answer, without its end, and what follows it, in files
    alive=false there=false spool=false words='' lease=
    if lives "$1/agent"; then alive=true; else lease=", \"lease\": $(lease_of "${1%/jobs/*}")"; fi
    [ ! -d "$1" ] || there=true
    [ ! -f "$1/spool" ] || spool=true
    [ ! -f "$1/agent.log" ] || words=$(tail -n 1 "$1/agent.log" 2>/dev/null)
    token=
    read -r token 2>/dev/null <"$1/token"
    said="\"alive\": $alive, \"there\": $there, \"spool\": $spool, \"log\": $(quoted "$words")"
    said="$said, \"token\": $(quoted "$token"), \"boot_id\": \"$(boot_id)\"$lease"
}

look_out() { # FOLDER
    look "$1"
    length=0
    [ "$spool" = false ] || length=$(wc -c <"$1/spool")
    answer "{$said, \"body\": $((length))}"
    [ "$length" -eq 0 ] || head -c "$((length))" "$1/spool"
}

remove() { # FOLDER
    case $1 in */jobs/?*) ;; *) fails "remove $1: it is no job's folder" ;; esac
    if [ -p "$1/door" ] && lives "$1/agent"; then
        # Opened both ways it does not wait for a reader, who may be gone.
        printf '@ leave\n' 1<>"$1/door"
    fi
    turns=0
    while lives "$1/agent" && [ "$turns" -lt 60 ]; do
        turns=$((turns + 1))
        doze
    done
    work=${1%/jobs/*}
    # Who of the agent's own is left, if only to sleep, has the lock still.
    x=
    read -r x 2>/dev/null <"$1/serve"
    end_session "${x%.*}" "${x#*.}"
    end_session "$(field "$1/agent" pid)" "$(field "$1/agent" start)"
    sweep "$1"
    look_out "$1"
    if [ "$there" = true ]; then
        rm -rf "$1"
        forget "$work"
    fi
}

end_session() { # LEADER START: kill all of a session, unless its number is another one's by now
    case $(started "$1") in '' | "$2") ;; *) return ;; esac
    [ -n "$1" ] || return
    for each in /proc/[0-9]*; do
        line=
        read -r line 2>/dev/null <"$each/stat" || continue
        line=${line##*) }
        # shellcheck disable=SC2086  # words are wanted
        set -- "$1" "$2" $line
        [ "$6" != "$1" ] || kill -s KILL "${each#/proc/}" 2>/dev/null
    done
}

sweep() { # FOLDER: kill what attempts have left whose agent was killed
    again=0
    # As an expression: busybox looks for plain text in front of the first NUL alone.
    x=$(printf '=%s/' "$1" | sed 's/[][\\.*^$]/\\&/g')
    while [ "$again" -lt 40 ]; do
        found=
        for each in $(LC_ALL=C grep -l 'NRUNNER_ATTEMPT=' /proc/[0-9]*/environ 2>/dev/null); do
            if LC_ALL=C grep -q "$x" "$each" 2>/dev/null; then
                each=${each#/proc/}
                found="$found ${each%/environ}"
            fi
        done
        [ -n "$found" ] || return 0
        # shellcheck disable=SC2086
        kill -s KILL $found 2>/dev/null
        again=$((again + 1))
        doze
    done
}

carry() { # FOLDER
    if [ ! -p "$1/door" ] || ! lives "$1/agent"; then
        look "$1"
        answer "{\"ok\": false, \"why\": \"it has left\", $said}"
        if [ "$alive" = true ]; then exit 11; fi
        exit 10
    fi
    token=
    read -r token <"$1/token"
    answer "{\"ok\": true, \"boot_id\": \"$(boot_id)\", \"token\": $(quoted "$token")}"
    sh "$0" relay "$1"
    # It ends with its standard input, or is killed once the agent has hung up.
    [ $? -ne 0 ] || exit 0
    exec >/dev/null
    turns=0
    while [ -e "$1/agent" ] && lives "$1/agent"; do
        turns=$((turns + 1))
        [ "$turns" -lt 200 ] || exit 11
        doze
    done
    exit 10
}

case $1 in
start)
    shift
    start "$@"
    exit
    ;;
serve_as)
    printf '%s\n' "$$.$(started $$)" >"$2/serve"
    exec sh "$0" serve "$2" "$3"
    ;;
carry) carry "$2" ;;
look)
    look_out "$2"
    exit 0
    ;;
watch)
    turns=0
    while lives "$2/agent" && [ "$turns" -lt 20 ]; do
        sleep 1
        turns=$((turns + 1))
    done
    look_out "$2"
    exit 0
    ;;
remove)
    remove "$2"
    exit 0
    ;;
lease)
    answer "$(lease_of "$2")"
    exit 0
    ;;
release)
    release "$2"
    exit 0
    ;;
esac
