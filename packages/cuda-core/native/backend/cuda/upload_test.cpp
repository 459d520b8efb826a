#include "backend/cuda/upload.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "backend/cuda/test_runtime.h"

namespace plumbline::cuda {
namespace {

class CudaUpload : public testing::Test {
 protected:
  void SetUp() override {
    PLUMBLINE_NEEDS_CUDA_DEVICE();
    runtime_ = test_runtime();
  }
  void TearDown() override {
    for (void* const address : addresses_) runtime_->release(address);
  }

  std::byte* allocate(std::size_t bytes) {
    void* address = nullptr;
    check(*runtime_, runtime_->allocate(address, bytes), "cudaMalloc");
    addresses_.push_back(address);
    return static_cast<std::byte*>(address);
  }

  template <class T>
  std::vector<T> read(const void* address, std::size_t count) {
    std::vector<T> out(count);
    const std::size_t bytes = count * sizeof(T);
    const Stream stream(*runtime_);
    check(*runtime_, runtime_->copy_out({out.data(), bytes, address, bytes, bytes, 1}, stream.handle()), "cudaMemcpyAsync");
    check(*runtime_, runtime_->synchronize(stream.handle()), "cudaStreamSynchronize");
    return out;
  }

  std::unique_ptr<Runtime> runtime_;
  std::vector<void*> addresses_;
};

std::vector<std::byte> random_bytes(std::size_t count) {
  std::mt19937 random(static_cast<unsigned>(count));
  std::vector<std::byte> bytes(count);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

/// Less than a word, words and a rest, one piece, and several of which the last is not whole.
TEST_F(CudaUpload, BringsEveryByteAndBothSidesSumUpTheSame) {
  const std::vector<std::size_t> sizes = {1, 7, 8, 34, 4096, (4u << 20), (9u << 20) + 13};
  auto* const sums = reinterpret_cast<Checksum*>(allocate(sizes.size() * sizeof(Checksum)));
  {
    const Stream stream(*runtime_);
    check(*runtime_, runtime_->zero(sums, sizes.size() * sizeof(Checksum), stream.handle()), "cudaMemsetAsync");
    check(*runtime_, runtime_->synchronize(stream.handle()), "cudaStreamSynchronize");
  }
  Upload upload(*runtime_);
  std::vector<std::byte*> arrived;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    arrived.push_back(allocate(sizes[i]));
    upload.add(random_bytes(sizes[i]), arrived[i], sums + i);
  }
  const std::vector<Checksum> sent = upload.finish();
  EXPECT_EQ(read<Checksum>(sums, sizes.size()), sent);
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    EXPECT_EQ(read<std::byte>(arrived[i], sizes[i]), random_bytes(sizes[i])) << sizes[i];
    EXPECT_EQ(sent[i], checksum(random_bytes(sizes[i]), 0)) << sizes[i];
  }
}

TEST(CudaChecksum, ChangesWithEveryBitAndPlace) {
  std::vector<std::byte> bytes = random_bytes(29);
  const Checksum sum = checksum(bytes, 0);
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
    EXPECT_NE(checksum(bytes, 0), sum) << bit;
    bytes[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
  }
  EXPECT_NE(checksum(bytes, 8), sum);
  // Two words change places.
  std::swap_ranges(bytes.begin(), bytes.begin() + 8, bytes.begin() + 16);
  EXPECT_NE(checksum(bytes, 0), sum);
}

/// From an implementation of its own, in Python.
TEST(CudaChecksum, IsWhatItIs) {
  std::vector<std::byte> bytes(11);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i);
  EXPECT_EQ(checksum(bytes, 16), 0x93b7e9904d7ca1ceu);
}

}  // namespace
}  // namespace plumbline::cuda
