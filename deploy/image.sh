#!/bin/sh
# Builds the images of deploy/Dockerfile and runs the harness in its own, on a Debian machine that has no container engine and
# pulls no image: `cargo xtask image`. Root; it needs buildah and debootstrap, and the Rust toolchain of this machine.
#
# The bases are made here under the names that the Dockerfile has, where they are not there yet: `debian` from the packages of the
# machine's release mirror, `rust` from that and the toolchain. An engine would pull them instead.
set -eu
cd "$(dirname "$0")/.."
base() { sed -n "s/^FROM \($1:[^ ]*\).*/\1/p" deploy/Dockerfile; }
debian=docker.io/library/$(base debian)
rust=docker.io/library/$(base rust)
mirror=${MIRROR:-http://deb.debian.org/debian}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Limits that need no right to raise them.
printf '[containers]\ndefault_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]\n' > "$work/containers.conf"
export CONTAINERS_CONF="$work/containers.conf" BUILDAH_ISOLATION=chroot

if ! buildah inspect "$debian" > /dev/null 2>&1; then
    debootstrap --no-check-gpg --variant=minbase bookworm "$work/root" "$mirror"
    made=$(buildah from scratch)
    rm -rf "$work/root/var/cache/apt/archives" "$work/root/var/lib/apt/lists"
    cp -a "$work/root/." "$(buildah mount "$made")/"
    buildah config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$made"
    buildah commit --rm "$made" "$debian"
fi
if ! buildah inspect "$rust" > /dev/null 2>&1; then
    made=$(buildah from "$debian")
    buildah run "$made" sh -c 'apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev ca-certificates'
    root=$(buildah mount "$made")
    cp -aL "$(rustc --print sysroot)" "$root/usr/local/toolchain"
    # Registries are believed as this machine believes them.
    cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
    buildah config --env PATH=/usr/local/toolchain/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        --env CARGO_HOME=/usr/local/cargo "$made"
    buildah commit --rm "$made" "$rust"
fi

for target in server proxy harness; do
    buildah bud --layers --target "$target" -f deploy/Dockerfile -t "localhost/chat-$target" .
done
buildah images --format '{{.Name}}:{{.Tag}} {{.Size}}' | grep localhost/chat-

# As the user of the image, on a root that cannot be written to but for /tmp, as the pods of deploy/kubernetes have it.
tried=$(buildah from localhost/chat-harness)
root=$(buildah mount "$tried")
export root
unshare --mount sh -eu -c '
    mount --bind "$root" "$root"
    mount -o remount,ro,bind "$root"
    mount -t tmpfs -o mode=1777 tmp "$root/tmp"
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    exec chroot --userspec=10001:10001 "$root" env -i PATH=/usr/local/bin:/usr/bin:/bin XDG_STATE_HOME=/tmp \
        sh -c "cd /work && ! touch x 2> /dev/null && harness run scenarios/smoke.toml --out /tmp/out"
'
buildah rm "$tried" > /dev/null
