#!/bin/sh
# The agent for environments without Python: starts payloads, watches them, keeps their limits.
#
#     sh agent.sh serve FOLDER SLOTS     be the agent; FOLDER holds its secret in "token"
#     sh agent.sh relay FOLDER           carry lines between standard streams and that agent
#
# POSIX sh with a Linux /proc: runs under busybox ash, dash and bash. What is said over its pipes is
# in docs/agent.md ("Without Python"), and translated by nrunner.spawners.shell_agent. Not
# responsible for what a kind is or how it is judged; that stays with the controller.
#
# The processes: the first one waits for a pipeline of workers, one for each slot, and a guard, which
# waits for the main loop. Whatever is started with "&" has SIGINT ignored, in all that it starts,
# too; members of a pipeline have not, so each payload is the child of a worker. All that is
# said to the main loop comes through one named pipe, "door", a line at a time; a line that begins
# with "@" is from a process of ours.

# What is in the environment under these names would be passed on with our values.
unset acked again alone_until arch attempt b boot born buffer c controller core crew d each epoch found \
    group grown guard heard_at hidden home id is_fine job kept kept_from known l last least leave_at line list marked me n name names \
    newest now o orphans_since over p patience pattern paused_at pid pipes renew_at rest running seconds seen sessions setsid settings sig \
    silence since slots slow state status stop table task terms ticks_at timeout token unfit until up used word \
    worker x

nl='
'

# ---- Time. In hundredths of a second since the agent began; sh knows no fractions.

clock() {
    read -r up rest </proc/uptime
    seconds=${up%.*} c=1${up#*.}
    now=$(((seconds - born) * 100 + c - 100))
}

nap() { # HUNDREDTHS
    if [ -n "$is_fine" ]; then
        c=$(($1 % 100))
        [ "$c" -gt 9 ] || c=0$c
        sleep "$(($1 / 100)).$c"
    else
        sleep "$((($1 + 99) / 100))"
    fi
}

# ---- Processes.

# Put into $table what there is: pid, state, parent, group, session and start of every process.
list_processes() {
    set +f
    table=$(LC_ALL=C sed -n \
        's/^\([0-9]*\) (.*) \(.\) \([0-9]*\) \([0-9]*\) \([0-9]*\) \([-0-9]* \)\{15\}\([0-9]*\) .*/\1 \2 \3 \4 \5 \7/p' \
        /proc/[0-9]*/stat 2>/dev/null)
    set -f
}

# Put into $found who lives of $sessions, below them, or with a mark like $pattern; and, where that is
# said by $orphans_since, whoever came to our first process from elsewhere and is not older.
members() {
    set +f
    marked=' ' found=' ' grown=1
    for each in $(LC_ALL=C grep -lE "$pattern" /proc/[0-9]*/environ 2>/dev/null); do
        each=${each#/proc/}
        marked="$marked${each%/environ} "
    done
    set -f
    list_processes
    while [ -n "$grown" ]; do
        grown=
        # shellcheck disable=SC2086  # words are wanted
        set -- $table
        while [ $# -gt 5 ]; do
            case $2$found in
            [ZX]* | *" $1 "*) ;;
            *)
                case "$sessions" in *" $5 "* | *" $3 "* | *" $1 "*) found="$found$1 " grown=1 ;; esac
                case "$marked" in *" $1 "*) found="$found$1 " grown=1 ;; esac
                case "$found" in *" $3 "*) found="$found$1 " grown=1 ;; esac
                if [ -n "$orphans_since" ] && [ "$3" = $$ ] && [ "$4" != "$group" ] &&
                    [ "$6" -ge "$orphans_since" ]; then
                    case "$found" in *" $1 "*) ;; *) found="$found$1 " grown=1 ;; esac
                fi
                ;;
            esac
            shift 6
        done
    done
    [ "$found" != ' ' ]
}

of_attempt() { # TASK ATTEMPT PID: whom `members` finds
    pattern="NRUNNER_ATTEMPT=$job:$1:$2([^0-9]|\$)" sessions=" $3 " orphans_since=
}

send() { # SIGNAL: to all that were found
    # shellcheck disable=SC2086
    kill -s "$1" $found 2>/dev/null
}

# Tell the main loop of all that were found: "leak" or "stuck", slot, attempt, pid, age, where the
# kernel keeps it, command.
name_found() { # WORD
    word=$1 names=0
    clock
    # shellcheck disable=SC2086
    set -- $table
    while [ $# -gt 5 ] && [ "$names" -lt 100 ]; do
        case "$found" in *" $1 "*)
            names=$((names + 1)) x=
            name=$(tr '\000\n\t' '   ' 2>/dev/null <"/proc/$1/cmdline")
            [ -n "$name" ] || read -r name 2>/dev/null <"/proc/$1/comm"
            read -r x 2>/dev/null <"/proc/$1/wchan"
            # The kernel counts starts in hundredths, too, wherever sh has been seen to run.
            printf '@ %s %s %s %s %s %s %s %.200s\n' "$word" "$n" "$task" "$attempt" "$1" \
                $((now + born * 100 - $6)) "${x:-0}" "$name" >&3
            ;;
        esac
        shift 6
    done
}

# Kill whom `members` finds until nobody is left; who does not die in five seconds is named.
kill_all() {
    clock
    until=$((now + 500)) again=1
    while members; do
        clock
        [ "$now" -lt "$until" ] || return 1
        for x in $sessions; do kill -s KILL -- "-$x" 2>/dev/null; done
        send KILL
        nap "$again"
        [ "$again" -gt 9 ] || again=$((again * 2))
    done
}

# ---- Workers. Each has a slot, in which it runs one attempt after another.

worker() { # SLOT
    # Caught, not ignored: what is executed has them as they are by default.
    trap : HUP INT QUIT TERM PIPE ALRM USR1 USR2
    n=$1 known=
    exec </dev/null >/dev/null 2>>"fault-$n" 4<>"w-$n"
    read -r me rest </proc/self/stat
    : >"pid-$n" >"stop-$n"
    printf '%s\n' "$me" >"worker-$n"
    printf '@ ready %s\n' "$n" >&3
    while read -r task attempt settings <&4; do
        [ "$task" != quit ] || exit
        if [ "$settings" != "$known" ]; then
            . ./place
            known=$settings
        fi
        run_attempt
        : >"pid-$n"
        # Another one may have taken over, while we waited for what cannot be killed.
        read -r x <"worker-$n"
        [ "$x" = "$me" ] || exit
    done
}

run_attempt() {
    o=$slots/$task.$attempt
    [ -d "$slots/$n/work" ] && [ -d "$slots/$n/output" ] ||
        mkdir -p "$slots/$n/work" "$slots/$n/output"
    [ ! -s "fault-$n" ] || : >"fault-$n"
    # In a container orphans come to us; they are this attempt's if there is no other.
    since=
    if [ $$ = 1 ] && is_alone; then
        clock
        since=$((now + born * 100))
    fi
    (payload)
    status=$?
    fate
    has_room "$slots/$n/probe" || printf '@ full %s %s %s\n' "$n" "$task" "$attempt" >&3
    if [ "$status" != 0 ] && is_full /tmp; then
        printf '@ full %s %s %s /tmp\n' "$n" "$task" "$attempt" >&3
    fi
    read -r pid <"pid-$n" || pid=
    if [ -z "$pid" ] || nobody_since "$pid"; then
        tidy
        printf '@ over %s %s %s %s %s %s %s\n' \
            "$n" "$task" "$attempt" "$status" "$sig" "$core" "$kept" >&3
        return
    fi
    printf '@ over %s %s %s %s %s %s\n' "$n" "$task" "$attempt" "$status" "$sig" "$core" >&3
    clean
    tidy
    printf '@ clean %s %s %s %s\n' "$n" "$task" "$attempt" "$kept" >&3
}

payload() {
    has_enough || unfit files
    read -r pid rest </proc/self/stat
    # 9 is the lock of whoever has leased the machine, if anybody has.
    exec >"$o.out" 2>"$o.err" 4>&- 9>&-
    # Sets $p, the program; $d, its folder; the words to be executed; and what `place` needs.
    . "./run-$n"
    place
    x=$PWD
    cd -- "$d" 2>/dev/null || unfit folder
    case $p in
    */*)
        [ ! -d "$p" ] || unfit is-folder
        [ -e "$p" ] || unfit missing
        [ -x "$p" ] || unfit forbidden
        ;;
    *) command -v "$p" >/dev/null || unfit missing ;;
    esac
    printf '%s\n' "$pid" >"$x/pid-$n" || unfit files
    printf '@ up %s %s %s %s\n' "$n" "$task" "$attempt" "$pid" >&3
    exec "$@" 3>&-
}

# Whether nobody lives who was started since, but for payloads of other workers. Looking for whose
# a process is costs more than most tests; pids are given in order, and the last one can be read.
nobody_since() { # PID
    x=$1
    while read -r up up up up newest </proc/loadavg && [ "$x" -lt "$newest" ]; do
        [ $((newest - $1)) -lt 50 ] || return
        while [ "$x" -lt "$newest" ]; do
            x=$((x + 1))
            [ ! -d "/proc/$x" ] || is_payload "$x" || return
        done
        # Who has just ended may have started somebody before.
    done
    [ "$x" -eq "$newest" ]
}

is_alone() {
    c=$crew
    while [ "$c" -gt 0 ]; do
        [ "$c" = "$n" ] || [ ! -s "pid-$c" ] || return
        c=$((c - 1))
    done
}

is_payload() { # PID
    c=$crew
    while [ "$c" -gt 0 ]; do
        read -r up <"pid-$c" && [ "$up" = "$1" ] && return
        c=$((c - 1))
    done
    false
}

# Whether there is room for more. Where output goes, some of it may be lost otherwise, and who was told so
# may have failed of that. Where nothing can be made, that has another reason.
has_room() { # FILE
    [ ! -p "$1" ] || return 0 # a test has put it there
    # By itself ":" would end the shell with whoever cannot open the file.
    { printf '%4096s' '' >"$1" && command : >"$1"; } 2>/dev/null && return
    { ! command : >"$1"; } 2>/dev/null
}

# Whether so much is free as is to be before anything begins, if that was said.
has_enough() {
    [ -n "$least" ] || return 0
    measure "$slots"
    case $c in '' | *[!0-9]*) return 0 ;; esac
    [ "$c" -lt "$least" ] || return 0
    printf '@ short %s %s %s %s\n' "$n" "$task" "$attempt" "$c" >&3
    return 1
}

is_full() { # FOLDER
    measure "$1"
    [ "$c" = 0 ]
}

measure() { # FOLDER: put into $c how many KiB are free there
    c=$(df -Pk "$1" 2>/dev/null | {
        read -r x
        read -r x x x c x
        printf %s "$c"
    })
}

unfit() { # WHY
    printf '@ unfit %s %s %s %s\n' "$n" "$task" "$attempt" "$1" >&3
    exit 1
}

# Whether a signal ended it: 128 and more may be an exit status, too, but then nobody writes about it.
fate() {
    sig=0 core=0
    [ "$status" -gt 128 ] || return
    if [ -s "fault-$n" ]; then
        sig=$((status - 128))
        read -r x <"fault-$n"
        case $x in *ore\ dumped*) core=1 ;; esac
        : >"fault-$n"
    else
        # The two of which no shell writes.
        case $status in 130 | 141) sig=$((status - 128)) ;; esac
    fi
}

# Wait for what an attempt has left, and end it.
clean() {
    of_attempt "$task" "$attempt" "$pid"
    if [ -n "$since" ] && is_alone; then
        orphans_since=$since
        read -r x x x x group rest </proc/self/stat
    fi
    members || return
    for again in 5 5 10; do
        is_stopping && break
        nap "$again"
        members || return
    done
    if ! is_stopping; then
        name_found leak
        send TERM
        for again in 5 5 10 10 20; do
            members || return
            nap "$again"
        done
        kill_all || name_found stuck
        return
    fi
    # It has been told to end: the main loop has it killed once its time is up.
    while members; do nap 5; done
}

is_stopping() {
    read -r x <"stop-$n" && [ "$x" = "$task.$attempt" ]
}

# Put into $kept what there is to keep (o: stdout, e: stderr, d: the folder), and clean the slot.
tidy() {
    kept=-
    unlock "$slots/$n"
    [ ! -s "$o.out" ] || kept=${kept}o
    [ ! -s "$o.err" ] || kept=${kept}e
    if has_entries "$slots/$n/output" && mv "$slots/$n/output" "$o.output"; then kept=${kept}d; fi
    if has_entries "$slots/$n/work"; then rm -rf "$slots/$n/work"; fi
}

unlock() { # FOLDER, which a test may have shut
    if ! { [ -r "$1" ] && [ -w "$1" ] && [ -x "$1" ]; } && [ -d "$1" ] && [ ! -L "$1" ]; then
        chmod 700 "$1"
    fi
}

has_entries() { # FOLDER
    unlock "$1"
    set +f
    for x in "$1"/* "$1"/.[!.]* "$1"/..?*; do
        if [ -e "$x" ] || [ -L "$x" ]; then
            set -f
            return 0
        fi
    done
    set -f
    return 1
}

# ---- The main loop. What it knows of slot N is in variables that end with _N.

say() { # LINE: to the controller, if there is one
    [ -z "$controller" ] || printf '%s\n' "$1" >&5
}

record() { # LINE: for whoever comes later, too
    printf '%s\n' "$1" >&6
    say "$1"
}

tell() { # SLOT WORDS: an event of the attempt there
    eval "task=\$task_$1 attempt=\$attempt_$1"
    shift
    case $task in
    -*)
        # Work for no attempt is not numbered; it is told again to who asks again.
        line="errand $task $attempt $now $*"
        eval "errand_${task#-}_$attempt=\$line"
        say "$line"
        ;;
    *)
        last=$((last + 1))
        record "event $last $task $attempt $now $*"
        ;;
    esac
}

note() { # SLOT WORD TEXT: something about the attempt there that is no event
    eval "task=\$task_$1 attempt=\$attempt_$1"
    line="$2 $task $attempt $3"
    eval "notes_$1=\$notes_$1\$line\$nl"
    record "$line"
}

find_slot() { # TASK ATTEMPT
    for n in $running; do
        eval "x=\$task_$n.\$attempt_$n"
        [ "$x" != "$1.$2" ] || return 0
    done
    return 1
}

run() { # TASK ATTEMPT SLOT TIMEOUT SLOW SILENCE GRACE NOTE CODE
    if find_slot "$1" "$2"; then return; fi
    case $1 in
    -*)
        eval "x=\$errand_${1#-}_$2"
        if [ -n "$x" ]; then
            say "$x"
            return
        fi
        ;;
    *) printf 'order %s %s %s\n' "$1" "$2" "$8" >&6 ;;
    esac
    eval "task_$3=\$1 attempt_$3=\$2 timeout_$3=\$4 slow_$3=\$5 silence_$3=\$6 grace_$3=\$7 note_$3=\$8"
    eval "notes_$3= pid_$3= stop_$3= over_$3= due_$3= kill_$3= quiet_$3= hard_$3= unfit_$3=files lost_$3= began_$3=0 paused_$3=0"
    running="$running $3"
    # What was written in part is code, too.
    if ! { keep_terms && printf '%s\n' "$9" >"run-$3"; }; then
        note "$3" trouble "its order cannot be written to $home: most likely it has no room"
        conclude "$3" -
        return
    fi
    hand_over "$3"
    arm
}

# What is written to a pipe that its worker has not opened yet would be lost.
hand_over() { # SLOT: have its worker begin, as soon as there is one
    eval "x=\$ready_$1"
    eval "waits_$1=1"
    [ -n "$x" ] || return
    eval "waits_$1= x=\"\$task_$1 \$attempt_$1\""
    printf '%s %s\n' "$x" "$settings" 1<>"w-$1"
}

heard() { # WORD SLOT TASK ATTEMPT ...: from a process of ours
    case $1 in
    tick)
        tick
        return
        ;;
    lost)
        [ "$2" != "$controller" ] || part
        return
        ;;
    ready)
        eval "ready_$2=1 x=\$waits_$2"
        [ -z "$x" ] || hand_over "$2"
        return
        ;;
    leave) exit 0 ;;
    esac
    eval "x=\$task_$2.\$attempt_$2"
    case " $running " in *" $2 "*) ;; *) return ;; esac
    [ "$x" = "$3.$4" ] || return
    case $1 in
    up)
        eval "pid_$2=\$5 began_$2=\$now timeout=\$timeout_$2 slow=\$slow_$2 silence=\$silence_$2 stop=\$stop_$2"
        [ -z "$timeout" ] || eval "due_$2=$((now + timeout))"
        [ -z "$slow" ] || eval "slow_$2=$((now + slow))"
        if [ -n "$silence" ]; then
            how_much "$2"
            eval "seen_$2=\$seen quiet_$2=$((now + silence))"
        fi
        [ "$3" -lt 0 ] || tell "$2" started "$5"
        [ -z "$stop" ] || go_after "$2"
        arm
        ;;
    unfit) eval "unfit_$2=\$5" ;;
    over)
        eval "over_$2=\$now status_$2=\$5 sig_$2=\$6 core_$2=\$7 due_$2= slow_$2= quiet_$2="
        [ -z "$8" ] || conclude "$2" "$8"
        ;;
    clean) conclude "$2" "$5" ;;
    leak | stuck)
        [ "$1" = leak ] || eval "lost_$2=1"
        n=$2 word=$1
        shift 4
        note "$n" "$word" "$*"
        ;;
    full)
        if [ -n "$5" ]; then
            note "$2" full "$5"
        else
            note "$2" trouble "its results cannot be kept: no space left where its output is"
        fi
        ;;
    short)
        x="has $5 KiB free, $least are needed"
        note "$2" trouble "the disk with $slots $x before a test begins"
        ;;
    killed)
        # Else its worker will tell.
        eval "x=\$lost_$2"
        [ -z "$x" ] || give_up "$2"
        ;;
    esac
}

give_up() { # SLOT: its worker waits for what cannot be killed, or was killed itself
    n=$1
    eval "o=\$slots/\$task_$1.\$attempt_$1"
    tidy
    conclude "$1" "$kept"
    revive "$1"
}

conclude() { # SLOT KEPT
    eval "x=\$pid_$1 unfit=\$unfit_$1 over=\$over_$1 since=\$((\$began_$1 + \$paused_$1))"
    if [ -z "$x" ]; then
        eval "stop=\$stop_$1"
        [ -z "$stop" ] || unfit=stopped
        tell "$1" unfit "$unfit"
    else
        eval "x=\"\${status_$1:--} \${sig_$1:-0} \${core_$1:-0}\""
        [ -n "$over" ] || x='- 0 0' over=$now
        tell "$1" ended "$x" "$((over - since))" "$2"
    fi
    list=
    for x in $running; do [ "$x" = "$1" ] || list="$list $x"; done
    running=$list
    [ -z "$leave_at" ] || [ -n "$running" ] || exit 0
}

revive() { # SLOT: have another worker there
    rm -f "w-$1"
    mkfifo -m 600 "w-$1"
    : >"worker-$1"
    eval "ready_$1="
    worker "$1" 5>&- 6>&- &
}

stop() { # SLOT REASON KILL DETAIL
    eval "over=\$over_$1 stop=\$stop_$1"
    if [ -n "$over" ] && [ -z "$stop" ]; then
        # It ended by itself: its word counts, and what it left is ended anyway.
        [ "$3" != 1 ] || go_after "$1" 1
        return
    fi
    if [ -z "$stop" ]; then
        resume
        eval "stop_$1=\$2"
        eval "printf '%s.%s\n' \$task_$1 \$attempt_$1" >"stop-$1"
        note "$1" stopped "$2 $4"
    elif [ "$3" != 1 ]; then
        return
    fi
    [ "$3" != 1 ] || eval "hard_$1=1"
    go_after "$1"
}

go_after() { # SLOT: end what runs there, gently unless it is to be killed
    eval "pid=\$pid_$1 task=\$task_$1 attempt=\$attempt_$1 x=\${2:-\$hard_$1}"
    [ -n "$pid" ] || return # it has not begun; once it has, we come here again
    n=$1
    of_attempt "$task" "$attempt" "$pid"
    if [ -z "$x" ]; then
        eval "kill_$1=\$((now + \$grace_$1))"
        { members && send TERM; } 5>&- 6>&- &
    else
        eval "kill_$1="
        {
            kill_all || name_found stuck
            printf '@ killed %s %s %s\n' "$n" "$task" "$attempt" >&3
        } 5>&- 6>&- &
    fi
    arm
}

tick() {
    jobs >/dev/null 2>&1 # our own processes that have ended
    [ "$now" -lt "$ticks_at" ] || ticks_at=0
    # shellcheck disable=SC2086
    for n in $running; do look_after "$n"; done
    if [ -n "$leave_at" ]; then
        [ "$now" -lt "$leave_at" ] || exit 0
    elif [ -z "$controller" ] && [ "$now" -ge "$alone_until" ]; then
        [ ! -e lease ] || : >forsaken
        [ "$epoch" -ge 0 ] || exit 0
        abandon "no controller for $((patience / 100)) s"
    elif [ -n "$controller" ] && [ -e lease ] && [ "$now" -ge $((heard_at + 6000)) ]; then
        # Over a link that may be cut without a word: who is there says something.
        part
    fi
    arm
}

is_due() { # SLOT WHAT
    eval "x=\$$2_$1"
    [ -n "$x" ] && [ "$now" -ge "$x" ]
}

look_after() { # SLOT
    if [ -z "$paused_at" ]; then
        # Each is read when its turn comes: what is done about another changes it, and our variables.
        if is_due "$1" due; then
            eval "due_$1="
            stop "$1" timeout 0
        fi
        if is_due "$1" kill; then
            eval "hard_$1=1"
            go_after "$1"
        fi
        eval "pid=\$pid_$1"
        if [ -n "$pid" ] && is_due "$1" slow; then
            x=
            read -r x 2>/dev/null <"/proc/$pid/wchan"
            eval "slow_$1= since=\$((\$began_$1 + \$paused_$1))"
            tell "$1" slow $((now - since)) "$x"
        fi
        if is_due "$1" quiet; then listen "$1"; fi
    fi
    # A test can stop or kill its parent.
    worker='' state=
    read -r worker <"worker-$1" && read -r x x state rest 2>/dev/null <"/proc/$worker/stat"
    eval "x=\$lost_$1"
    if [ "$state" = T ]; then
        kill -s CONT "$worker" 2>/dev/null
    elif [ -z "$x" ] && [ -n "$worker" ]; then
        case $state in '' | Z | X)
            eval "lost_$1=1 hard_$1=1 x=\$pid_$1"
            note "$1" trouble "the process that waited for it was killed"
            if [ -n "$x" ]; then
                go_after "$1"
            else
                give_up "$1"
            fi
            ;;
        esac
    fi
}

how_much() { # SLOT: put into $seen what tells how much was written there
    eval "o=\$slots/\$task_$1.\$attempt_$1"
    # Of all that tells sizes this alone reads no file, nor compares times by the second.
    # shellcheck disable=SC2012
    seen=$(ls -ln "$o.out" "$o.err" 2>/dev/null)
}

listen() { # SLOT: has it written anything since we listened last?
    how_much "$1"
    eval "x=\$seen_$1"
    if [ "$seen" != "$x" ]; then
        eval "seen_$1=\$seen quiet_$1=\$((now + \$silence_$1))"
    else
        eval "quiet_$1="
        stop "$1" silence 0
    fi
}

# See to it that we are woken in time for what is due next.
arm() {
    until=
    for n in $running; do
        [ -n "$until" ] || until=$((now + 100))
        eval "list=\"\$due_$n \$kill_$n \$slow_$n \$quiet_$n\" pid=\$pid_$n"
        [ -n "$pid" ] || continue
        for x in $list; do [ "$x" -ge "$until" ] || until=$x; done
    done
    for x in $leave_at; do [ -n "$until" ] && [ "$until" -le "$x" ] || until=$x; done
    if [ -n "$controller" ] && [ -e lease ]; then
        x=$((heard_at + 6000))
        [ -n "$until" ] && [ "$until" -le "$x" ] || until=$x
        renew
    fi
    if [ -z "$controller$leave_at" ]; then
        [ -n "$until" ] && [ "$until" -le "$alone_until" ] || until=$alone_until
    fi
    [ -n "$until" ] || return 0
    # One that is late was killed.
    [ "$now" -le $((ticks_at + 100)) ] || ticks_at=0
    [ "$ticks_at" -eq 0 ] || [ "$ticks_at" -gt "$until" ] || return 0
    ticks_at=$until
    until=$((until - now))
    [ "$until" -gt 0 ] || until=1
    {
        nap "$until"
        printf '@ tick\n' >&3
    } 5>&- 6>&- &
}

abandon() { # DETAIL
    leave_at=$((now + 1500))
    for list in $running; do stop "$list" orphaned 1 "$1"; done
    [ -n "$running" ] || exit 0
    arm
}

pause() {
    names=0
    [ -n "$paused_at" ] || paused_at=$now hidden=
    for list in $running; do
        eval "pid=\$pid_$list over=\$over_$list"
        [ -n "$pid" ] && [ -z "$over" ] || continue
        eval "of_attempt \"\$task_$list\" \"\$attempt_$list\" $pid"
        x=
        while members && [ "$found" != "$x" ]; do
            send STOP
            x=$found
        done
        hidden="$hidden$found"
    done
    for x in $hidden; do names=$((names + 1)); done
}

resume() {
    [ -n "$paused_at" ] || return
    found=
    for x in $hidden; do found="$x $found"; done # children before their parents
    send CONT
    x=$((now - paused_at)) paused_at=
    for list in $running; do
        eval "until=\"\$due_$list \$kill_$list \$slow_$list \$quiet_$list\""
        for word in due kill slow quiet; do
            eval "[ -z \"\$${word}_$list\" ] || ${word}_$list=\$((${word}_$list + $x))"
        done
        eval "paused_$list=\$((paused_$list + $x))"
    done
    arm
}

# ---- The controller.

# A machine is leased until so long after the controller was heard of at last.
renew() {
    [ -e lease ] && [ "$now" -ge "$renew_at" ] || return 0
    renew_at=$((now + 1000))
    read -r x <lease
    seconds=$(($(date +%s) + patience / 100))
    sed "s/\"until\": [0-9]*/\"until\": $seconds/; s/\"epoch\": -*[0-9]*/\"epoch\": $epoch/" "$x" >lease.new 2>/dev/null &&
        mv -f lease.new "$x"
}

part() { # the controller is gone
    controller='' renew_at=0
    renew
    exec 5>&-
    resume
    alone_until=$((now + patience))
    # The controller of one that was never used may have noted nowhere that it is here.
    if [ -e lease ] && [ -z "$used" ] && [ "$patience" -gt 1500 ]; then alone_until=$((now + 1500)); fi
    arm
}

meet() { # ID, and what it says
    case $1 in *[!0-9a-z]*) return ;; esac
    [ -p "c-$1.out" ] && [ -p "c-$1.live" ] || return
    case $2.$3$4$5 in
    hello.*[!0-9]*)
        refuse "$1" 0 "malformed hello"
        return
        ;;
    hello.*) ;;
    *)
        refuse "$1" 0 "say hello first"
        return
        ;;
    esac
    if [ -z "$token" ] || [ "$6" != "$token" ]; then
        refuse "$1" 0 "wrong token"
    elif [ "$3" -gt 2 ]; then
        refuse "$1" 0 "protocol $3 is too far from mine"
    elif [ "$4" -lt "$epoch" ]; then
        refuse "$1" 1 "epoch $4 is older than $epoch"
    else
        say "refused 1 replaced by epoch $4"
        controller='' buffer=''
        # Opened both ways it does not wait for a reader, who may be gone; as a writer only we hear of that.
        command exec 7<>"c-$1.out" && command exec 5>"c-$1.out" || return
        exec 7>&-
        controller=$1 heard_at=$now
        epoch=$4
        watch "$1" 5>&- 6>&- &
        leave_at=
        resume
        greet
    fi 2>/dev/null
}

refuse() { # ID REPLACED REASON
    printf 'refused %s %s\n' "$2" "$3" 1<>"c-$1.out"
}

watch() { # ID: tell when its controller closes its end
    id=$1
    trap 'printf "@ lost %s\n" "$id" >&3' EXIT
    exec 7<>"c-$1.live" 8<"c-$1.live" 7>&-
    read -r x <&8
}

greet() {
    list=
    for n in $running; do eval "list=\"\$list \$task_$n.\$attempt_$n.$n\""; done
    say "hello 1 $boot $me $born $now $arch $crew $((acked + 1)) $last$list"
    cat spool >&5
    say ready
}

acknowledge() { # SEQ
    [ "$1" -le "$last" ] || return
    acked=$1
    # Once all is known, what has been said is in nobody's way for long.
    if [ "$acked" -eq "$last" ] && [ $((last - kept_from)) -gt 500 ]; then
        kept_from=$last
        printf 'slots %s\n' "$slots" >spool
        for n in $running; do
            eval "[ \"\$task_$n\" -lt 0 ] || printf 'order %s %s %s\n' \$task_$n \$attempt_$n \"\$note_$n\" >&6"
            eval "printf %s \"\$notes_$n\" >&6"
        done
    fi
}

# Workers read them, and who ends payloads once we are gone: those before, or all of these.
keep_terms() {
    [ -n "$terms" ] || return 0
    printf '%s\n' "$terms" >place.new && mv -f place.new place && settings=$((settings + 1)) terms=
}

configure() { # PATIENCE CODE
    patience=$1 terms=$2
    # Sets $job, $slots and $least, and defines `place`, which exports what payloads are to know.
    eval "$terms"
    keep_terms
    record "slots $slots"
    renew_at=0
    renew
    arm
}

check() { # REQUEST WHAT NAME
    case $2 in
    file) [ -e "$3" ] ;;
    command) command -v "$3" >/dev/null 2>&1 ;;
    *) false ;;
    esac
    say "reply $1 $?"
}

ordered() { # LINE
    heard_at=$now
    case $1 in
    '+ '*)
        buffer=$buffer${1#??}
        return
        ;;
    '- '*)
        eval "set -- $buffer${1#??}"
        buffer=
        ;;
    *) eval "set -- $1" ;;
    esac
    word=$1
    shift
    case $word in
    run)
        used=1
        run "$@"
        ;;
    ack) acknowledge "$1" ;;
    ping)
        say "reply $1 0"
        arm
        ;;
    cancel)
        if find_slot "$1" "$2"; then stop "$n" cancelled "$3" "$4"; fi
        ;;
    told)
        last=$((last + 1))
        record "event $last $1 $2 $now told $3"
        ;;
    settings) configure "$@" ;;
    check) check "$@" ;;
    get)
        od -An -v -tx1 -j "$3" -N "$4" "$slots/$2" >&5 2>/dev/null
        say "reply $1 $?"
        ;;
    drop) rm -rf "$slots/$1.out" "$slots/$1.err" "$slots/$1.output" ;;
    pause)
        pause
        say "reply $1 $names"
        ;;
    resume)
        resume
        say "reply $1 0"
        ;;
    abandon) abandon "its controller gave up" ;;
    shutdown) exit 0 ;;
    esac
}

main() {
    trap : PIPE HUP INT TERM
    # A test may have killed it.
    trap '[ -d "/proc/$guard" ] || finish' EXIT
    read -r me x x guard rest </proc/self/stat
    read -r boot </proc/sys/kernel/random/boot_id
    read -r token <token
    : >spool
    exec </dev/null 6>>spool
    controller='' epoch=-1 last=0 acked=0 kept_from=0 settings=0 running='' leave_at='' \
        ticks_at=0 paused_at='' patience=6000 heard_at=0 renew_at=0 used='' terms=
    clock
    alone_until=$((now + 1500))
    arm
    while IFS= read -r line <&3; do
        clock
        id=${line%% *}
        case $id in
        '') ;;
        @)
            # shellcheck disable=SC2086
            heard ${line#??}
            ;;
        "$controller") ordered "${line#* }" ;;
        *)
            # shellcheck disable=SC2086
            meet $line
            ;;
        esac
    done
}

# ---- Beginning and end.

guard() {
    exec </dev/null
    (main)
    finish
}

# Main has ended, however it did: nobody else looks after what runs.
finish() {
    end_payloads
    set +f
    rm -f door token run-* c-*
    set -f
    # The first process waits for the workers: with them we may have to leave, too.
    for x in $pipes; do [ ! -p "$x" ] || printf 'quit\n' 1<>"$x"; done
    end_helpers
    end_payloads # one that was just being started
    set +f
    rm -f place place.new w-* pid-* stop-* fault-* worker-*
}

end_payloads() {
    [ -e place ] || return
    . ./place
    orphans_since='' sessions=' ' pattern="NRUNNER_ATTEMPT=$job:"
    n=$crew
    while [ "$n" -gt 0 ]; do
        read -r pid <"pid-$n" && sessions="$sessions$pid "
        n=$((n - 1))
    done
    kill_all
    n=$crew
    while [ "$n" -gt 0 ]; do
        rm -rf "$slots/$n"
        n=$((n - 1))
    done
    rmdir "$slots" 2>/dev/null
}

# Kill workers, and those who sleep until something is due. They are of one group with us, and so is
# nobody else if the first process leads it.
end_helpers() {
    read -r me x x x group rest </proc/self/stat
    [ "$group" = $$ ] || return
    for again in 1 2; do
        list_processes
        # shellcheck disable=SC2086
        set -- $table
        while [ $# -gt 5 ]; do
            case $1.$4 in
            $$.* | "$me".*) ;;
            *."$group") kill -s KILL "$1" 2>/dev/null ;;
            esac
            shift 6
        done
    done
}

serve() { # FOLDER SLOTS
    cd -- "$1" || exit 2
    home=$PWD
    n=$2 crew=$2 list=
    pipes='' is_fine=
    [ -p door ] || pipes=door
    while [ "$n" -gt 0 ]; do
        pipes="$pipes w-$n" list="$list worker $n |"
        n=$((n - 1))
    done
    # shellcheck disable=SC2086
    mkfifo -m 600 $pipes || exit 2
    exec 3<>door
    setsid=$(command -v setsid) arch=$(uname -m)
    sleep 0.01 2>/dev/null && is_fine=1
    read -r up rest </proc/uptime
    born=${up%.*}
    set -f
    eval "$list guard"
}

relay() { # FOLDER
    cd -- "$1" || exit 2
    read -r id rest </proc/self/stat
    mkfifo -m 600 "c-$id.out" "c-$id.live" || exit 2
    trap 'rm -f "c-$id.out" "c-$id.live"' EXIT
    # Held open both ways until the agent has opened it, too: who reads before that reads the end.
    exec 3<>door 4<>"c-$id.live" 5<>"c-$id.out" 6<"c-$id.out"
    IFS= read -r line || exit
    printf '%s %s\n' "$id" "$line" >&3
    {
        # In parts: a sleep outlives who waits for it, and this one is soon killed.
        c=0
        while [ "$c" -lt 150 ]; do
            if sleep 0.1 2>/dev/null; then c=$((c + 1)); else c=$((c + 10)) && sleep 1; fi
        done
        kill "$id"
    } </dev/null >/dev/null 2>&1 3>&- 4>&- 5>&- 6>&- &
    timeout=$!
    IFS= read -r line <&6
    kill "$timeout"
    printf '%s\n' "$line"
    exec 5>&-
    # Once the agent hangs up there is nobody to speak to.
    {
        cat
        kill "$id" 2>/dev/null
    } <&6 3>&- 4>&- &
    exec 6>&-
    while IFS= read -r line; do printf '%s %s\n' "$id" "$line" >&3; done
}

case $1 in
serve) serve "$2" "${3:-1}" ;;
relay) relay "$2" ;;
*)
    echo "usage: agent.sh serve FOLDER SLOTS | agent.sh relay FOLDER" >&2
    exit 2
    ;;
esac
