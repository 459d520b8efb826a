#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

#include "backend/cuda/launch.h"
#include "backend/cuda/reduce.h"
#include "error.h"
#include "test/emulator/emulated_runtime.h"

/// The emulator against kernels with one mistake each, and against what CUDA promises to those without.
namespace plumbline::cuda {
namespace {

using emulator::Mistake;

class Emulator : public testing::Test {
 protected:
  /// Values in the device's memory that live as long as the test.
  template <class T>
  Global<T> global(std::size_t count, bool zeroed = true) {
    void* address = nullptr;
    check(*runtime_, runtime_->allocate(address, count * sizeof(T)), "cudaMalloc");
    addresses_.push_back(address);
    if (zeroed) check(*runtime_, runtime_->zero(address, count * sizeof(T), nullptr), "cudaMemsetAsync");
    return {static_cast<T*>(address), count};
  }

  void TearDown() override {
    for (void* address : addresses_) runtime_->release(address);
  }

  /// What it does must be a mistake of that kind at that line of this file, by that thread of that block.
  struct Expected {
    MistakeKind kind;
    unsigned line;
    unsigned block;
    std::set<unsigned> threads;
  };
  template <class Call>
  void expect_mistake(const Expected& expected, const Call& call) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      emulator::machine().reseed(seed);
      try {
        call();
        ADD_FAILURE() << "no mistake was reported with seed " << seed;
      } catch (const Mistake& mistake) {
        EXPECT_EQ(mistake.kind, expected.kind) << mistake.what();
        EXPECT_STREQ(mistake.where.file, __FILE__) << mistake.what();
        EXPECT_EQ(mistake.where.line, expected.line) << mistake.what();
        EXPECT_EQ(mistake.kernel, "planted") << mistake.what();
        EXPECT_EQ(mistake.block.x, expected.block) << mistake.what();
        EXPECT_TRUE(expected.threads.contains(mistake.thread.x)) << mistake.what();
      }
    }
  }

  std::unique_ptr<Runtime> runtime_ = emulator::emulated_runtime();
  Stream stream_{*runtime_};
  std::vector<void*> addresses_;
};

// The five planted mistakes. Each kernel is right but for one line.

constexpr unsigned kDivergentLine = __LINE__ + 3;
__global__ void divergent_barrier(Global<float> out) {
  // Thread 5 of the last block has nothing to do, and leaves.
  if (blockIdx.x != 2 || threadIdx.x != 5) sync_threads();
  out[blockIdx.x * blockDim.x + threadIdx.x] = 1.0f;
}

TEST_F(Emulator, ReportsABarrierThatNotAllThreadsReach) {
  const Global<float> out = global<float>(3 * 64);
  std::set<unsigned> others;
  for (unsigned i = 0; i < 64; ++i) others.insert(i);
  others.erase(5);
  expect_mistake({MistakeKind::divergent_barrier, kDivergentLine, 2, others},
                 [&] { launch("planted", divergent_barrier, {3}, {64}, 0, stream_, out); });
}

constexpr unsigned kRaceLine = __LINE__ + 6;
__global__ void race(Global<float> out) {
  SharedMemory shared;
  const Shared<float> values = shared.take<float>(64);
  values[threadIdx.x] = static_cast<float>(threadIdx.x);
  // A barrier is missing here. Thread 63 reads what thread 0 writes, the others read what they wrote themselves.
  const float neighbour = values[threadIdx.x == 63 ? 0 : threadIdx.x];
  out[threadIdx.x] = neighbour;
}

/// Where thread 63 comes first, thread 0 writes what has been read, or nobody has written it.
TEST_F(Emulator, ReportsARaceInSharedMemory) {
  const Global<float> out = global<float>(64);
  unsigned races = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    emulator::machine().reseed(seed);
    try {
      launch("planted", race, {1}, {64}, shared_bytes_of<float>(64), stream_, out);
      ADD_FAILURE() << "no mistake was reported with seed " << seed;
    } catch (const Mistake& mistake) {
      EXPECT_EQ(mistake.where.line, kRaceLine) << mistake.what();
      EXPECT_EQ(mistake.thread.x, 63u) << mistake.what();
      EXPECT_TRUE(mistake.kind == MistakeKind::race || mistake.kind == MistakeKind::uninitialised_read);
      if (mistake.kind == MistakeKind::race) ++races;
    }
  }
  EXPECT_GT(races, 0u);
}

constexpr unsigned kOverwriteLine = __LINE__ + 8;
__global__ void overwrite(Global<float> out) {
  SharedMemory shared;
  const Shared<float> values = shared.take<float>(64);
  values[threadIdx.x] = 1.0f;
  sync_threads();
  out[threadIdx.x] = values[(threadIdx.x + 1) % 64];
  // A barrier is missing here: others may not have read it yet.
  values[threadIdx.x] = 2.0f;
}

/// Whichever comes first, the reading or the writing.
TEST_F(Emulator, ReportsARaceWhereTheReaderComesFirst) {
  const Global<float> out = global<float>(64);
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    emulator::machine().reseed(seed);
    try {
      launch("planted", overwrite, {1}, {64}, shared_bytes_of<float>(64), stream_, out);
      ADD_FAILURE() << "no mistake was reported with seed " << seed;
    } catch (const Mistake& mistake) {
      EXPECT_EQ(mistake.kind, MistakeKind::race) << mistake.what();
      EXPECT_TRUE(mistake.where.line == kOverwriteLine || mistake.where.line == kOverwriteLine - 2) << mistake.what();
    }
  }
}

constexpr unsigned kGlobalBoundLine = __LINE__ + 4;
__global__ void out_of_bounds(Global<float> out, unsigned count) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  // "<" would be right.
  if (i <= count) out[i] = 1.0f;
}

constexpr unsigned kSharedBoundLine = __LINE__ + 4;
__global__ void shared_out_of_bounds() {
  SharedMemory shared;
  const Shared<float> values = shared.take<float>(63);
  values[threadIdx.x] = 1.0f;
}

constexpr unsigned kTooMuchLine = __LINE__ + 3;
__global__ void shared_too_small() {
  SharedMemory shared;
  shared.take<float>(65);
}

TEST_F(Emulator, ReportsAnAccessOutOfBounds) {
  const Global<float> out = global<float>(100);
  expect_mistake({MistakeKind::out_of_bounds, kGlobalBoundLine, 1, {36}},
                 [&] { launch("planted", out_of_bounds, {2}, {64}, 0, stream_, out, 100u); });
  expect_mistake({MistakeKind::out_of_bounds, kSharedBoundLine, 0, {63}},
                 [&] { launch("planted", shared_out_of_bounds, {1}, {64}, 256, stream_); });
  std::set<unsigned> any;
  for (unsigned i = 0; i < 32; ++i) any.insert(i);
  expect_mistake({MistakeKind::out_of_bounds, kTooMuchLine, 0, any},
                 [&] { launch("planted", shared_too_small, {1}, {32}, 256, stream_); });
}

/// Of an array inside of one allocation too.
TEST_F(Emulator, ReportsAnAccessBeyondAPartOfAnAllocation) {
  const Global<float> all = global<float>(200);
  expect_mistake({MistakeKind::out_of_bounds, kGlobalBoundLine, 1, {36}},
                 [&] { launch("planted", out_of_bounds, {2}, {64}, 0, stream_, all.part(0, 100), 100u); });
}

TEST_F(Emulator, ReportsAnAddressOfTheHost) {
  std::vector<float> host(100);
  std::set<unsigned> any;
  for (unsigned i = 0; i < 64; ++i) any.insert(i);
  expect_mistake({MistakeKind::out_of_bounds, kGlobalBoundLine, 0, any},
                 [&] { launch("planted", out_of_bounds, {1}, {64}, 0, stream_, Global<float>(host.data(), 100), 100u); });
}

constexpr unsigned kUninitialisedLine = __LINE__ + 5;
__global__ void uninitialised_read(Global<const float> in, Global<float> out, unsigned written) {
  SharedMemory shared;
  const Shared<float> values = shared.take<float>(64);
  if (threadIdx.x < written) values[threadIdx.x] = in[threadIdx.x];
  out[threadIdx.x] = values[threadIdx.x];
}

TEST_F(Emulator, ReportsAReadOfWhatNobodyHasWritten) {
  const Global<float> out = global<float>(64);
  const auto in = [&](bool zeroed) {
    global<float>(64, zeroed);
    return Global<const float>(static_cast<const float*>(addresses_.back()), 64);
  };
  const Global<const float> zeroed = in(true);
  const Global<const float> fresh = in(false);
  expect_mistake({MistakeKind::uninitialised_read, kUninitialisedLine, 0, {63}},
                 [&] { launch("planted", uninitialised_read, {1}, {64}, 256, stream_, zeroed, out, 63u); });
  std::set<unsigned> any;
  for (unsigned i = 0; i < 64; ++i) any.insert(i);
  expect_mistake({MistakeKind::uninitialised_read, kUninitialisedLine - 1, 0, any},
                 [&] { launch("planted", uninitialised_read, {1}, {64}, 256, stream_, fresh, out, 64u); });
}

/// What one block wrote is nothing to the next.
TEST_F(Emulator, ForgetsSharedMemoryBetweenBlocks) {
  const Global<float> out = global<float>(64);
  const Global<float> zeros = global<float>(64);
  const Global<const float> in(static_cast<const float*>(addresses_.back()), 64);
  launch("right", uninitialised_read, {1}, {64}, 256, stream_, in, zeros, 64u);
  expect_mistake({MistakeKind::uninitialised_read, kUninitialisedLine, 0, {63}},
                 [&] { launch("planted", uninitialised_read, {1}, {64}, 256, stream_, in, out, 63u); });
}

constexpr unsigned kMisalignedLine = __LINE__ + 2;
__global__ void misaligned(Global<const float> in, Global<float> out, unsigned stride) {
  const float4 values = in.load4(threadIdx.x * stride);
  out[threadIdx.x] = values.x + values.y + values.z + values.w;
}

TEST_F(Emulator, ReportsAVectorLoadThatIsNotAligned) {
  global<float>(64);
  const Global<const float> in(static_cast<const float*>(addresses_.back()), 64);
  const Global<float> out = global<float>(3);
  launch("right", misaligned, {1}, {3}, 0, stream_, in, out, 8u);
  expect_mistake({MistakeKind::misaligned, kMisalignedLine, 0, {1, 2}},
                 [&] { launch("planted", misaligned, {1}, {3}, 0, stream_, in, out, 5u); });
}

// What holds for kernels without a mistake.

__global__ void sum_of_block(Global<double> out) {
  SharedMemory shared;
  const Shared<double> scratch = shared.take<double>(8);
  const double sum = reduce_block<Sum>(static_cast<double>(threadIdx.x + blockIdx.x), scratch);
  out[blockIdx.x * blockDim.x + threadIdx.x] = sum;
}

std::vector<double> read(const Global<double>& values, std::size_t count) {
  std::vector<double> out;
  for (std::size_t i = 0; i < count; ++i) out.push_back(values.read(i));
  return out;
}

TEST_F(Emulator, BarriersAndShufflesGiveEachThreadTheSum) {
  const Global<double> out = global<double>(5 * 256);
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    emulator::machine().reseed(seed);
    launch("sum", sum_of_block, {5}, {256}, shared_bytes_of<double>(8), stream_, out);
    const std::vector<double> sums = read(out, 5 * 256);
    for (unsigned i = 0; i < sums.size(); ++i) ASSERT_EQ(sums[i], 255 * 256 / 2 + i / 256 * 256) << i;
  }
}

__global__ void votes(Global<double> out) {
  const unsigned lane = threadIdx.x % kWarpSize;
  const unsigned odd = ballot(lane % 2 == 1);
  const bool first_warp_only = any_lane(threadIdx.x == 3);
  const unsigned from_seven = shuffle(lane * 10, 7);
  out[threadIdx.x] = odd == 0xaaaaaaaau && first_warp_only == (threadIdx.x < kWarpSize) && from_seven == 70 ? 1.0 : 0.0;
}

TEST_F(Emulator, VotesAndShufflesAreOfTheWarp) {
  const Global<double> out = global<double>(96);
  launch("votes", votes, {1}, {96}, 0, stream_, out);
  EXPECT_EQ(read(out, 96), std::vector<double>(96, 1.0));
}

__global__ void ticket(Global<unsigned> counter, Global<double> order) {
  const unsigned mine = atomic_add(counter, 0, 1u);
  order[blockIdx.x * blockDim.x + threadIdx.x] = static_cast<double>(mine);
}

/// In what order blocks and threads come is told by the seed, and by nothing else.
TEST_F(Emulator, AtomicsCountEveryThreadInAnOrderThatTheSeedTells) {
  const auto order_of = [&](std::uint64_t seed) {
    const Global<unsigned> counter = global<unsigned>(1);
    const Global<double> order = global<double>(4 * 32);
    emulator::machine().reseed(seed);
    launch("ticket", ticket, {4}, {32}, 0, stream_, counter, order);
    return read(order, 4 * 32);
  };
  const std::vector<double> order = order_of(1);
  EXPECT_EQ(std::set<double>(order.begin(), order.end()).size(), 128u);
  EXPECT_EQ(order_of(1), order);
  EXPECT_NE(order_of(2), order);
  EXPECT_FALSE(std::is_sorted(order.begin(), order.end()));
}

__global__ void exchange_in_warp(Global<float> out, bool synchronised) {
  SharedMemory shared;
  const Shared<float> values = shared.take<float>(64);
  for (unsigned round = 0; round < 3; ++round) {
    values[threadIdx.x] = static_cast<float>(round);
    if (synchronised) sync_warp();
    out[threadIdx.x] = values[threadIdx.x ^ 1];
    if (synchronised) sync_warp();
  }
}

TEST_F(Emulator, AWarpsOwnBarrierOrdersItsSharedMemory) {
  const Global<float> out = global<float>(64);
  launch("exchange", exchange_in_warp, {1}, {64}, 256, stream_, out, true);
  EXPECT_THROW(launch("exchange", exchange_in_warp, {1}, {64}, 256, stream_, out, false), Mistake);
}

__global__ void exchange_across_warps(Global<float> out) {
  SharedMemory shared;
  const Shared<float> values = shared.take<float>(64);
  values[threadIdx.x] = 1.0f;
  sync_warp();
  out[threadIdx.x] = values[threadIdx.x ^ 32];
}

TEST_F(Emulator, AWarpsOwnBarrierOrdersNothingAcrossWarps) {
  const Global<float> out = global<float>(64);
  EXPECT_THROW(launch("exchange", exchange_across_warps, {1}, {64}, 256, stream_, out), Mistake);
}

__global__ void half_a_warp_shuffles(Global<float> out) {
  if (threadIdx.x < 16) out[threadIdx.x] = shuffle(1.0f, 0);
}

TEST_F(Emulator, ReportsAShuffleThatHalfTheWarpMisses) {
  const Global<float> out = global<float>(32);
  try {
    launch("planted", half_a_warp_shuffles, {1}, {32}, 0, stream_, out);
    FAIL() << "no mistake was reported";
  } catch (const Mistake& mistake) {
    EXPECT_EQ(mistake.kind, MistakeKind::divergent_barrier) << mistake.what();
  }
}

__global__ void indices(Global<double> out) {
  const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  out[block * blockDim.x * blockDim.y * blockDim.z + thread] = 1.0;
}

TEST_F(Emulator, EveryThreadOfEveryBlockRunsOnce) {
  const Global<double> out = global<double>(2 * 3 * 4 * 5 * 6 * 7);
  launch("indices", indices, {2, 3, 4}, {5, 6, 7}, 0, stream_, out);
  EXPECT_EQ(read(out, 5040), std::vector<double>(5040, 1.0));
}

/// A launch that a device would refuse.
TEST_F(Emulator, RefusesALaunchThatNoDeviceTakes) {
  const Global<double> out = global<double>(1);
  struct Shape {
    Size3 grid, block;
    std::size_t shared_bytes;
  };
  for (const auto& [grid, block, shared_bytes] :
       {Shape{{1}, {1025}, 0}, {{1}, {0}, 0}, {{0}, {1}, 0}, {{1, 65'536}, {1}, 0}, {{1}, {1}, 48 * 1024 + 1}}) {
    try {
      launch("indices", indices, grid, block, shared_bytes, stream_, out);
      ADD_FAILURE() << "should have thrown";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::cuda_error);
      EXPECT_NE(std::string(error.what()).find("launch of indices failed on emulator: cudaErrorInvalidConfiguration"),
                std::string::npos)
          << error.what();
      EXPECT_EQ(std::get<std::string>(error.fields().at("file")), "emulator_test.cpp");
    }
  }
}

TEST_F(Emulator, SaysWhereAMistakeIsAndHowToSeeItAgain) {
  const Global<float> out = global<float>(100);
  emulator::machine().reseed(7);
  try {
    launch("planted", out_of_bounds, {2}, {64}, 0, stream_, out, 100u);
    FAIL() << "no mistake was reported";
  } catch (const Mistake& mistake) {
    EXPECT_EQ(std::string(mistake.what()),
              std::string(__FILE__) + ":" + std::to_string(kGlobalBoundLine) +
                  ": out of bounds in kernel planted, block (1, 0, 0), thread (36, 0, 0): index 100 of global memory that "
                  "holds 100 (PLUMBLINE_EMULATOR_SEED=7)");
  }
}

}  // namespace
}  // namespace plumbline::cuda
