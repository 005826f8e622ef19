#!/bin/sh
# Hook of mmdebstrap, run when the packages are unpacked into $1: what maintainer scripts would have done, and less of what nobody needs.
# No maintainer script runs and the root file system gets no shell: whoever breaks into the operator finds Python and nothing else.
set -eu
root=$1

# Which package brought what, in the form that vulnerability scanners read in images without a package database.
mkdir -p "$root/var/lib/dpkg/status.d"
for deb in "$root"/var/cache/apt/archives/*.deb; do
    [ -e "$deb" ] || continue
    dpkg-deb --field "$deb" > "$root/var/lib/dpkg/status.d/$(basename "$deb" | cut -d_ -f1)"
done

# Certificate authorities: the package itself would pull in openssl and perl.
work=$(mktemp -d)
(cd "$work" && APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get -o APT::Sandbox::User=root download -qq ca-certificates && dpkg-deb --extract ca-certificates_*.deb .)
mkdir -p "$root/etc/ssl/certs"
cat "$work"/usr/share/ca-certificates/mozilla/*.crt > "$root/etc/ssl/certs/ca-certificates.crt"
dpkg-deb --field "$work"/ca-certificates_*.deb > "$root/var/lib/dpkg/status.d/ca-certificates"
rm -rf "$work"

printf 'passwd: files\ngroup: files\nhosts: files dns\n' > "$root/etc/nsswitch.conf"
printf 'root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n' > "$root/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' > "$root/etc/group"

# Pulled in by dependencies that only maintainer scripts have.
rm -rf "$root"/usr/bin/dpkg* "$root"/usr/sbin/dpkg* "$root"/usr/bin/mawk "$root"/usr/bin/debconf* "$root"/usr/sbin/dpkg-* \
    "$root"/usr/share/debconf "$root"/usr/share/perl5 "$root"/usr/share/doc "$root"/usr/share/man "$root"/usr/share/locale \
    "$root"/usr/share/lintian "$root"/usr/share/bug "$root"/usr/lib/dpkg "$root"/usr/share/dpkg
