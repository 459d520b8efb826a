#!/bin/sh
# fuzz.sh SECONDS: fuzzes the GGUF reader and the loading of models, under ASan and UBSan. Needs clang. What it finds lies in
# build/fuzz/findings; what it has learnt, in build/fuzz/corpus, is where the next run goes on.
set -eu
seconds=${1:?usage: fuzz.sh SECONDS}
cd "$(dirname "$0")/.."
if ! command -v clang++ >/dev/null; then
  if [ "${CI:-}" = true ] || [ "${CI:-}" = 1 ] || [ "${PLUMBLINE_REQUIRE_ASSETS:-}" = 1 ]; then
    echo "cannot fuzz: it needs clang (Debian, Ubuntu: clang), and CI or PLUMBLINE_REQUIRE_ASSETS forbids skipping" >&2
    exit 1
  fi
  echo "skipped: fuzzing needs clang (Debian, Ubuntu: clang)" >&2
  exit 0
fi
folder=build/fuzz
mkdir -p "$folder/corpus" "$folder/findings"

# As if for another processor: the kernels' portable variant is enough here, and the others take long to instrument.
cmake -S . -B "$folder" -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=portable -DCMAKE_CXX_COMPILER=clang++ \
  -DCMAKE_BUILD_TYPE=Sanitize -DCMAKE_CXX_FLAGS_SANITIZE=-O1 \
  -DPLUMBLINE_ADDON=OFF -DPLUMBLINE_FUZZ=ON -DPLUMBLINE_SANITIZE=address,undefined,fuzzer-no-link >"$folder/build.log" 2>&1 &&
  cmake --build "$folder" --parallel 2 --target gguf_fuzzer write_corpus >>"$folder/build.log" 2>&1 ||
  { tail -40 "$folder/build.log" >&2; exit 1; }

"$folder/native/test/fuzz/write_corpus" "$folder/seeds"
# A file of at most 64 KiB never has a reason to take 512 MiB or 10 s.
exec env PLUMBLINE_CPU_VARIANT=portable "$folder/native/test/fuzz/gguf_fuzzer" -max_total_time="$seconds" -max_len=65536 \
  -rss_limit_mb=512 -malloc_limit_mb=64 -timeout=10 -print_final_stats=1 -artifact_prefix="$folder/findings/" \
  "$folder/corpus" "$folder/seeds"
