#!/usr/bin/env bash
# Builds the recorder against llama.cpp and records one prompt:
#   recorders/llama-cpp.sh LLAMA_CPP_SOURCE MODEL.gguf 1,2,3 FOLDER/prompt-0 [GREEDY]
# LLAMA_CPP_SOURCE is a checkout of llama.cpp, e.g. of the git bundle `llama/gitRelease.bundle` in the npm package node-llama-cpp.
# Only libllama for the CPU is built, in LLAMA_CPP_SOURCE/build. identity.py needs a python3 (or PYTHON) with gguf and numpy.
set -euo pipefail
source="$1" model="$2" ids="$3" out="$4" greedy="${5:-48}"
here="$(cd "$(dirname "$0")" && pwd)"

cmake -S "$source" -B "$source/build" -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF -DGGML_NATIVE=OFF \
  -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON -DGGML_OPENMP=OFF -DLLAMA_CURL=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_SERVER=OFF
cmake --build "$source/build" --target llama -j 2
recorder="$source/build/llama-cpp-recorder"
version="${LLAMA_CPP_VERSION:-$(git -C "$source" describe --tags --always)}"
g++ -std=c++17 -O2 -Wall -Wextra -DPLUMBLINE_LLAMA_CPP_VERSION="\"$version\"" \
  -I "$source/include" -I "$source/ggml/include" "$here/llama-cpp.cpp" -o "$recorder" \
  -Wl,--start-group "$source/build/src/libllama.a" "$source/build/ggml/src/"lib{ggml,ggml-cpu,ggml-base}.a -Wl,--end-group \
  -lpthread -ldl
mkdir -p "$(dirname "$out")"
"$recorder" "$model" "$("${PYTHON:-python3}" "$here/identity.py" --model "$model")" "$ids" "$out" "$greedy"
