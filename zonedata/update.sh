#!/bin/sh
# Makes zoneinfo.zip from Debian's package tzdata:
#
#     zonedata/update.sh              the package that the distribution offers now
#     zonedata/update.sh FILE.deb     a package that was downloaded before
#
# It needs apt-get, dpkg-deb and Go. If the data have changed, add what the new release
# changed to the table in zonedata_test.go.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ $# -gt 0 ]; then
	cp "$1" "$work/"
else
	(cd "$work" && apt-get -qq download tzdata)
fi
package=$(ls "$work"/tzdata_*.deb)
dpkg-deb --extract "$package" "$work/files"

version=$(sed -n 's/^# version //p' "$work/files/usr/share/zoneinfo/tzdata.zi")
released=$(zcat "$work/files/usr/share/doc/tzdata/changelog.gz" | sed -n "s/^Release $version - \([0-9-]*\).*/\1/p")
checksum=$(sha256sum "$package" | cut -d ' ' -f 1)
[ -n "$version" ] && [ -n "$released" ] || { echo "$package does not say which release it is" >&2; exit 1; }

cd "$here"
go run ./pack "$work/files/usr/share/zoneinfo" "$version $released $(basename "$package") sha256:$checksum" > "$work/zoneinfo.zip"
mv "$work/zoneinfo.zip" zoneinfo.zip
echo "zoneinfo.zip has $version of $released"
