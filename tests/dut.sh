#!/bin/sh
# A device under test for tests/duts.py: a disk, a network and a power switch of its own.
#
# `dut.sh chassis` is process 1 of a namespace of processes that holds all of the device: when it
# ends, or whoever started it, nothing is left. It takes words on its standard input and says
# "done" after each. `dut.sh boot` is process 1 of the device's own, for as long as it has power.
# The folder it is started in has the keys; the variables below say what sort of device it is.
set -eu

: "${DUT_NAME:?}" "${DUT_FOLDER:?}" "${DUT_ADDRESS:?}" "${DUT_DISK:?}" "${DUT_SORT:?}" "${DUT_UPTIME:?}"
disk=/run/disk

show() { # a folder of this machine, as it is there, not to be changed
    mkdir -p "$disk$2"
    mount --bind "$1" "$disk$2"
    mount -o remount,bind,ro "$disk$2"
}

lay_out() {
    mkdir -p $disk/proc $disk/run $disk/etc $disk/dev $disk/home $disk/var/tmp
    mkdir -m 1777 $disk/tmp
    mkdir -m 700 $disk/root
    cp /run/dut/passwd /run/dut/group $disk/etc/
    for node in null zero full random urandom tty; do
        : >$disk/dev/$node
        mount --bind /dev/$node $disk/dev/$node
    done
    mkdir $disk/dev/shm
    ln -s /proc/self/fd $disk/dev/fd
    mkdir -m 700 $disk/home/tester
    chown 1000:1000 $disk/home/tester
}

furnish() {
    mkdir /run/dut/first # in the PATH of whoever logs in
    cp "$(command -v busybox)" /run/dut/first/reboot # others see that this is not process 1's root
    show /run/dut/first /opt/bin
    if [ "$DUT_SORT" = busybox ]; then
        mkdir /run/dut/bin
        cp "$(command -v busybox)" /run/dut/bin/busybox
        for applet in $(busybox --list); do
            [ -e "/run/dut/bin/$applet" ] || ln /run/dut/bin/busybox "/run/dut/bin/$applet"
        done
        show /run/dut/bin /bin
        return
    fi
    for path in /usr /etc/alternatives /bin /sbin /lib* ${DUT_SHOWN:-}; do
        if [ -L "$path" ]; then
            cp -P "$path" $disk/
        elif [ -d "$path" ]; then
            show "$path" "$path"
        fi
    done
}

chassis() {
    mount -t tmpfs -o mode=755 tmpfs /run
    mkdir -p /run/sshd /run/dut $disk
    cp -p ./* /run/dut/ # of where it was started, even if that is below /run
    mount -t tmpfs -o "mode=755,$DUT_DISK" disk $disk
    lay_out
    furnish
    mount --bind /run/dut/passwd /etc/passwd # sshd has to know the device's users
    mount --bind /run/dut/group /etc/group
    hostname "$DUT_NAME"
    cd /
    ip link set lo up
    echo 0 >/run/dut/boots
    echo done
    while read -r word; do
        case $word in
            address) ip addr add "$DUT_ADDRESS" dev eth0 ;;
            on) switch_on ;;
            cut) switch_off ;;
        esac
        echo done
    done
    # Whoever tests has ended, perhaps by force.
    rm -rf "$DUT_FOLDER/${DUT_NAME#dut}" "$DUT_FOLDER/key-$DUT_NAME" "$DUT_FOLDER/known-$DUT_NAME"
    rmdir "$DUT_FOLDER" 2>/dev/null || :
}

switch_on() {
    powered </dev/null >/run/dut/powered 2>&1 &
    power=$!
    wait_up
}

wait_up() {
    turns=0
    until [ -e /run/dut/up ] || [ $turns = 1000 ]; do
        sleep 0.01
        turns=$((turns + 1))
    done
}

switch_off() { # without a word to anybody: the link goes first
    ip link set eth0 down
    kill -9 "$(cat /run/dut/switch)"
    wait "$power" || :
}

powered() { # until the power is cut: the device may restart by itself
    status=129
    while [ $status = 129 ]; do # what reboot(2) in a namespace of processes ends with
        echo $(($(cat /run/dut/boots) + 1)) >/run/dut/boots
        uptime=$((DUT_UPTIME + 60 * $(cat /run/dut/boots)))
        rm -f /run/dut/up
        unshare --mount --ipc --pid --time --monotonic $uptime --boottime $uptime \
            --fork --kill-child --mount-proc sh /run/dut/dut.sh boot &
        echo $! >/run/dut/switch
        status=0
        wait $! || status=$?
        rm -f /run/dut/up
        ip link set eth0 down
        sleep "${DUT_DOWNTIME:-0.2}"
    done
}

boot() {
    cat /proc/sys/kernel/random/uuid >/run/dut/boot_id
    mount --bind /run/dut/boot_id /proc/sys/kernel/random/boot_id
    mount --rbind /proc $disk/proc
    mount -t tmpfs -o mode=755 tmpfs $disk/run
    mount -t tmpfs -o mode=1777 tmpfs $disk/dev/shm
    ip link set eth0 up
    rm -f /run/sshd.pid
    /usr/sbin/sshd -D -e -f /run/dut/sshd_config 2>>/run/dut/log &
    until [ -s /run/sshd.pid ]; do sleep 0.01; done
    sleep infinity &
    echo $! >/run/dut/keeper
    : >/run/dut/up
    # "reboot" asks process 1 for it, which has everybody end first.
    trap "kill -15 -1; sleep 0.2; busybox reboot -f" TERM
    while :; do wait || :; done # for whatever has lost its parent, too
}

"$1"
