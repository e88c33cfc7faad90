#!/bin/bash
# boot.sh <root> <shared folder> <control groups>: the first program of a machine of its own (namespaces of every kind), which
# has <root>'s files below a layer in memory and <shared folder> at /session. Becomes systemd, which runs /session/session.py and
# ends with its exit status. The third argument has a line for each hierarchy to mount: type, options, folder.
set -euo pipefail
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
root=$1 shared=$2 groups=$3

mount --make-rprivate /
layer=$shared/layer
mkdir "$layer"
mount -t tmpfs -o mode=755 machine "$layer"
mkdir "$layer"/{upper,work,machine}
machine=$layer/machine
mount -t overlay -o "lowerdir=$root,upperdir=$layer/upper,workdir=$layer/work" machine "$machine"

mount -t proc proc "$machine/proc"
mount -t sysfs sysfs "$machine/sys"
mount -t tmpfs -o mode=755 cgroup "$machine/sys/fs/cgroup"
while read -r type options folder; do
  [[ -z $folder ]] && continue
  mkdir -p "$machine$folder"
  mount -t "$type" -o "$options" cgroup "$machine$folder"
done <<<"$groups"
for folder in dev run tmp; do mount -t tmpfs -o mode=755 machine "$machine/$folder"; done
chmod 1777 "$machine/tmp"
for device in null zero full random urandom tty; do
  touch "$machine/dev/$device"
  mount --bind "/dev/$device" "$machine/dev/$device"
done
mkdir "$machine"/dev/{shm,pts}
mount -t tmpfs machine "$machine/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 machine "$machine/dev/pts"
ln -s pts/ptmx "$machine/dev/ptmx"
ln -s /proc/self/fd "$machine/dev/fd"
touch "$machine/dev/console"
mount --bind "$(tty)" "$machine/dev/console"

# A sandbox puts an overlay over code that lies in the data folder, and the kernel stacks two of them at most: <root> may be one.
mount -t tmpfs -o mode=755 machine "$machine/var/lib"
for name in apt dpkg systemd pam; do
  [[ -d $root/var/lib/$name ]] && cp -a "$root/var/lib/$name" "$machine/var/lib/"
done

# Of what else would start with this machine, the journal alone does: the rest would change the kernel that both have.
units=$machine/lib/systemd/system
rm -rf "$units"/*.target.wants "$machine"/etc/systemd/system/*.wants "$machine"/etc/systemd/system/*.requires
mkdir "$units/sysinit.target.wants"
ln -s ../systemd-journald.service "$units/sysinit.target.wants/"
cat >"$units/session.service" <<'UNIT'
[Service]
Type=oneshot
ExecStart=/usr/bin/python3 -B /session/session.py
ExecStopPost=/bin/sh -c 'exec systemctl --no-block exit $EXIT_STATUS'
StandardOutput=file:/session/said
StandardError=inherit
TimeoutStartSec=300
UNIT
rm -f "$machine"/usr/sbin/policy-rc.d "$machine"/etc/{fstab,resolv.conf}

mkdir "$machine/session" "$machine/old"
mount --bind "$shared" "$machine/session"
ip link set lo up
cd "$machine"
pivot_root . old
umount -l /old
exec env -i container=infra PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 TERM=dumb \
  /lib/systemd/systemd --system --unit=session.service --log-target=console --show-status=no
