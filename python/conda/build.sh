#!/bin/sh
# Builds and installs the Python package into a conda environment. PREFIX and PYTHON are conda's; run at the top of the repository.
set -eu
plugins="h5drle h5bitshuffle h5blosc h5lz4 h5zstd h5bounded"
version=$(sed -n 's/^version = "\(.*\)"/\1/p' python/darkchunk/_version.py)
case $(uname) in Darwin) end=dylib ;; *) end=so ;; esac

export CARGO_PROFILE_RELEASE_STRIP=symbols CARGO_PROFILE_RELEASE_DEBUG=false
# shellcheck disable=SC2086
cargo build --release --locked --package darkchunk-ffi $(printf -- '--package %s ' $plugins)
release=${CARGO_TARGET_DIR:-target}/release

rm -rf target/conda
mkdir -p target/conda/plugins target/conda/licences
for plugin in $plugins; do cp "$release/lib$plugin.$end" target/conda/plugins/; done
cp LICENSE-MIT LICENSE-APACHE target/conda/licences/
cargo xtask licences > target/conda/licences/THIRD-PARTY.txt

"$PYTHON" python/pack.py --plugins target/conda/plugins --library "$release/libdarkchunk.$end" \
    --licences target/conda/licences --tag any --version "$version" --out target/conda
"$PYTHON" -m pip install --no-deps --no-index --no-build-isolation "target/conda/darkchunk-$version-py3-none-any.whl"

# Where conda's HDF5 looks by itself. Other packages have plugins with our names there, so these have names of their own.
package=$("$PYTHON" -c 'import os, sysconfig; print(os.path.join(sysconfig.get_path("purelib"), "darkchunk", "plugins"))')
mkdir -p "$PREFIX/lib/hdf5/plugin"
for plugin in $plugins; do
    cp "$package/lib$plugin.$end" "$PREFIX/lib/hdf5/plugin/libdarkchunk_${plugin#h5}.$end"
done
