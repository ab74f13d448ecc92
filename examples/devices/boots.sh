#!/bin/sh
# Sees two boots of its device: what it was told before the reboot is told to it again.
boot=$(cat /proc/sys/kernel/random/boot_id)
case ${NRUNNER_REBOOT_COUNT-none} in
    0) "$NRUNNER_REBOOT" "$boot" ;;
    1) [ "$boot" != "$NRUNNER_REBOOT_MARK" ] ;;
    *) echo "this machine is not rebooted for a test: --spawner ssh runs it on a device" >&2 ;;
esac
