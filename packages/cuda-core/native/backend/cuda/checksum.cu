#include "backend/cuda/checksum.h"

#include <algorithm>
#include <cstring>

#include "backend/cuda/launch.h"
#include "backend/cuda/reduce.h"

namespace plumbline::cuda {
namespace {

/// atomicAdd's 64-bit type, which is not always uint64_t.
using Word = unsigned long long;
static_assert(sizeof(Word) == sizeof(Checksum));

constexpr unsigned kThreads = 256;
constexpr unsigned kMostBlocks = 1024;
/// Of a thread: fewer would not be worth their sum.
constexpr unsigned kWordsAtLeast = 32;

/// The finalizer of SplitMix64 (Steele, Lea & Flood 2014, doi:10.1145/2660193.2660195), of the word and a Weyl sequence of its place.
__host__ __device__ inline Word scrambled(Word word, std::size_t place) {
  Word z = word ^ (static_cast<Word>(place) + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

__global__ void checksum_kernel(Global<const std::byte> bytes, std::size_t count, std::size_t first_place, Global<Word> sum) {
  const std::size_t whole = count / sizeof(Word);
  Word own = 0;
  for (std::size_t i = std::size_t{blockIdx.x} * kThreads + threadIdx.x; i < whole; i += std::size_t{gridDim.x} * kThreads) {
    own += scrambled(bytes.load<Word>(i * sizeof(Word)), first_place + i);
  }
  if (blockIdx.x == 0 && threadIdx.x == 0 && count % sizeof(Word) != 0) {
    Word last = 0;
    for (std::size_t i = whole * sizeof(Word); i < count; ++i) {
      last |= static_cast<Word>(bytes.load<std::uint8_t>(i)) << (i % sizeof(Word) * 8);
    }
    own += scrambled(last, first_place + whole);
  }
  own = reduce_warp<Sum>(own);
  if (threadIdx.x % kWarpSize == 0) atomic_add(sum, 0, own);
}

}  // namespace

Checksum checksum(std::span<const std::byte> bytes, std::size_t offset) {
  const std::size_t first_place = offset / sizeof(Word);
  Word sum = 0;
  for (std::size_t i = 0; i < bytes.size(); i += sizeof(Word)) {
    Word word = 0;  // little-endian, as the device is
    std::memcpy(&word, bytes.data() + i, std::min(sizeof word, bytes.size() - i));
    sum += scrambled(word, first_place + i / sizeof(Word));
  }
  return sum;
}

void add_checksum(const Stream& stream, const std::byte* bytes, std::size_t count, std::size_t offset, Checksum* sum) {
  const unsigned blocks = std::clamp(blocks_of(count / sizeof(Word), kThreads * kWordsAtLeast), 1u, kMostBlocks);
  launch("checksum", checksum_kernel, {blocks}, {kThreads}, 0, stream, Global<const std::byte>(bytes, count), count,
         offset / sizeof(Word), Global<Word>(reinterpret_cast<Word*>(sum), 1));
}

}  // namespace plumbline::cuda
