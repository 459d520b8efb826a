#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <functional>
#include <random>
#include <vector>

#include "backend/cpu/cpu_backend.h"
#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/test_runtime.h"

/// Every op against the same op of the CPU backend in `exact`, which is held against float64 elsewhere. What only moves or dequantises
/// values must have the same bits; for the rest the bound on the normalised mean squared error leaves room for two float32
/// roundings (squared 4e-15 each) and their sums.
namespace plumbline::cuda {
namespace {

constexpr double kSameBits = 0;
constexpr double kBound = 1e-13;
/// Both sides add the products of a row in float32, a lane one by one: the longer the row, the more roundings meet.
constexpr double dot_bound(std::uint32_t width) { return kBound * std::max(1.0, width / 1024.0); }

/// A score of 10 is rounded to 2^-21, and e^x makes a relative error of that: its square is 2e-13.
constexpr double kSoftmaxBound = 1e-12;

using enum gguf::Type;
constexpr std::array kTypes = {F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K};

std::vector<float> random_floats(std::size_t count, unsigned seed, float scale = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> out(count);
  for (float& value : out) value = normal(random);
  return out;
}

/// Rows of a type as a file would have them: random quants, scales of both signs and a few sizes.
std::vector<std::byte> random_weight(gguf::Type type, std::uint32_t width, std::uint32_t rows, unsigned seed) {
  const gguf::TypeInfo& layout = gguf::info(type);
  std::vector<std::byte> bytes(std::size_t{width} / layout.block_elements * rows * layout.block_bytes);
  std::mt19937 random(seed);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  const auto set = [&](std::size_t at, auto value) { std::memcpy(bytes.data() + at, &value, sizeof value); };
  if (type == F32) {
    const std::vector<float> values = random_floats(bytes.size() / 4, seed);
    std::memcpy(bytes.data(), values.data(), bytes.size());
    return bytes;
  }
  // Sign and significand stay; the exponent becomes one of 1/16 to 1/2 (F16), 1/8 to 1/2 (BF16).
  if (type == F16 || type == BF16) {
    for (std::size_t at = 0; at < bytes.size(); at += 2) {
      const unsigned bits = static_cast<unsigned>(random());
      set(at, static_cast<std::uint16_t>(type == F16 ? (bits & 0x83ff) | 0x2c00 | (bits >> 6 & 0xc00)
                                                     : (bits & 0x807f) | 0x3e00 | (bits >> 10 & 0x80)));
    }
    return bytes;
  }
  std::vector<std::size_t> halves = {0};
  if (type == Q6_K) halves = {208};
  if (type == Q4_1 || type == Q5_1 || type == Q4_K || type == Q5_K) halves = {0, 2};
  for (std::size_t block = 0; block < bytes.size(); block += layout.block_bytes) {
    for (const std::size_t half : halves) {
      const unsigned bits = static_cast<unsigned>(random());
      set(block + half, static_cast<std::uint16_t>((bits & 0x83ff) | 0x1400 | (bits >> 6 & 0xc00)));
    }
  }
  return bytes;
}

/// A backend, and what an op of it needs.
struct Side {
  std::unique_ptr<Backend> backend;
  std::vector<Memory> memory = {};
  std::vector<std::unique_ptr<Weight>> weights = {};

  Matrix matrix(std::uint32_t rows, std::uint32_t width) {
    const std::uint32_t stride = padded_width(width);
    memory.push_back(backend->allocate(std::size_t{rows} * stride * sizeof(float)));
    return {static_cast<float*>(memory.back().address()), rows, width, stride};
  }

  Matrix matrix(std::span<const float> values, std::uint32_t width) {
    const Matrix out = matrix(static_cast<std::uint32_t>(values.size() / width), width);
    backend->copy_in(values, out);
    return out;
  }

  /// The bytes must outlive it.
  const Weight& weight(gguf::Type type, std::uint32_t width, std::span<const std::byte> bytes) {
    const gguf::TypeInfo& layout = gguf::info(type);
    const std::size_t row_bytes = std::size_t{width} / layout.block_elements * layout.block_bytes;
    weights.push_back(std::make_unique<Weight>(
        backend->load_weight(type, width, static_cast<std::uint32_t>(bytes.size() / row_bytes), bytes, WeightUse::table_and_matrix)));
    return *weights.back();
  }

  const Weight& vector(std::span<const float> values) {
    return weight(F32, static_cast<std::uint32_t>(values.size()), std::as_bytes(values));
  }

  /// Dense; what lies behind the rows' ends must have stayed zero, for the next op counts on it.
  std::vector<float> read(const Matrix& matrix) {
    std::vector<float> padded(std::size_t{matrix.rows} * matrix.stride);
    backend->copy_out({matrix.data, matrix.rows, matrix.stride, matrix.stride}, padded);
    std::vector<float> out;
    for (std::size_t r = 0; r < matrix.rows; ++r) {
      const auto row = padded.begin() + static_cast<std::ptrdiff_t>(r * matrix.stride);
      out.insert(out.end(), row, row + matrix.width);
      for (std::uint32_t i = matrix.width; i < matrix.stride; ++i) EXPECT_EQ(row[i], 0) << "padding of row " << r;
    }
    return out;
  }
};

double energy(std::span<const float> values) {
  double sum = 0;
  for (const float value : values) sum += static_cast<double>(value) * static_cast<double>(value);
  return sum;
}

class CudaOps : public testing::Test {
 protected:
  void SetUp() override {
    PLUMBLINE_NEEDS_CUDA_DEVICE();
    cpu_.backend = cpu::create_backend({.precision = Precision::exact, .threads = 1, .variant = ""});
    device_.backend = create_backend(test_runtime());
  }

  /// Runs the op on both sides; the squared differences over `scale`, or over the CPU's energy.
  void expect_close(double bound, const std::function<Matrix(Side&)>& op, double scale = 0) {
    const std::vector<float> truth = cpu_.read(op(cpu_));
    const std::vector<float> result = device_.read(op(device_));
    ASSERT_EQ(result.size(), truth.size());
    if (bound == kSameBits) {
      ASSERT_EQ(std::memcmp(result.data(), truth.data(), truth.size() * sizeof(float)), 0);
      return;
    }
    double differences = 0;
    for (std::size_t i = 0; i < truth.size(); ++i) {
      differences += std::pow(static_cast<double>(result[i]) - static_cast<double>(truth[i]), 2);
    }
    const double error = differences / (scale != 0 ? scale : energy(truth));
    // Not "<": NaN must fail.
    EXPECT_TRUE(error <= bound) << error << " > " << bound;
  }

  /// Dot products are judged by the energy of their terms, since a sum that cancels may be far off by its own.
  void expect_linear_close(gguf::Type type, std::uint32_t width, std::uint32_t outputs, std::uint32_t positions, bool biased) {
    SCOPED_TRACE(std::string(gguf::info(type).name) + ", " + std::to_string(outputs) + " x " + std::to_string(width) +
                 ", " + std::to_string(positions) + " positions" + (biased ? ", bias" : ""));
    const std::vector<std::byte> bytes = random_weight(type, width, outputs, outputs + width);
    const std::vector<float> input = random_floats(std::size_t{positions} * width, 2);
    const std::vector<float> bias = random_floats(outputs, 3);
    std::vector<std::uint32_t> all(std::min(outputs, 64u));
    for (std::uint32_t i = 0; i < all.size(); ++i) all[i] = i;
    const Matrix sample = cpu_.matrix(static_cast<std::uint32_t>(all.size()), width);
    cpu_.backend->embedding(cpu_.weight(type, width, bytes), all, sample);
    const double weight_energy = energy(cpu_.read(sample)) / static_cast<double>(all.size()) * outputs;
    expect_close(
        dot_bound(width),
        [&](Side& side) {
          const Matrix in = side.matrix(input, width);
          const Matrix out = side.matrix(positions, outputs);
          side.backend->linear(in, std::array{Projection{&side.weight(type, width, bytes),
                                                         biased ? &side.vector(bias) : nullptr, out}});
          return out;
        },
        weight_energy * energy(input) / width + (biased ? energy(bias) * positions : 0));
  }

  Side cpu_;
  Side device_;
};

TEST_F(CudaOps, CopyInAndOutKeepEveryValue) {
  for (const std::uint32_t width : {1u, 16u, 37u}) {
    const std::vector<float> values = random_floats(3 * width, 1);
    EXPECT_EQ(device_.read(device_.matrix(values, width)), values);
  }
}

TEST_F(CudaOps, EmbeddingHasTheBitsOfTheCpu) {
  const std::vector<std::uint32_t> tokens = {4, 0, 4, 2};
  for (const gguf::Type type : kTypes) {
    SCOPED_TRACE(gguf::info(type).name);
    const std::uint32_t block = gguf::info(type).block_elements;
    const std::vector<std::uint32_t> widths = block == 1 ? std::vector<std::uint32_t>{1, 7, 16, 33, 896}
                                                         : std::vector<std::uint32_t>{block, 3 * block, 7 * block};
    for (const std::uint32_t width : widths) {
      const std::vector<std::byte> bytes = random_weight(type, width, 5, width);
      expect_close(kSameBits, [&](Side& side) {
        const Matrix out = side.matrix(4, width);
        side.backend->embedding(side.weight(type, width, bytes), tokens, out);
        return out;
      });
    }
  }
}

TEST_F(CudaOps, EmbeddingKnowsEveryFloat16) {
  std::vector<std::uint16_t> all;
  for (unsigned bits = 0; bits < 0x10000; ++bits) {
    // A NaN's payload is nobody's promise.
    const bool nan = (bits & 0x7c00) == 0x7c00 && (bits & 0x03ff) != 0;
    all.push_back(static_cast<std::uint16_t>(nan ? 0 : bits));
  }
  const auto bytes = std::as_bytes(std::span(all));
  const std::vector<std::uint32_t> tokens = {0, 1, 2, 3};
  expect_close(kSameBits, [&](Side& side) {
    const Matrix out = side.matrix(4, 0x4000);
    side.backend->embedding(side.weight(F16, 0x4000, bytes), tokens, out);
    return out;
  });
}

TEST_F(CudaOps, LinearOfEveryType) {
  for (const gguf::Type type : kTypes) {
    const std::uint32_t block = gguf::info(type).block_elements;
    const std::vector<std::uint32_t> widths =
        block == 1 ? std::vector<std::uint32_t>{1, 7, 33, 172} : std::vector<std::uint32_t>{block, 3 * block};
    for (const std::uint32_t width : widths) {
      for (const std::uint32_t outputs : {1u, 5u, 64u, 97u}) {
        expect_linear_close(type, width, outputs, 1, false);
        expect_linear_close(type, width, outputs, 3, true);
      }
    }
  }
}

/// Qwen2.5-0.5B: width 896, feed-forward 4864. 896 is no whole number of K blocks: such a file has Q8_0 or Q5_0 there.
TEST_F(CudaOps, LinearOfTheRealShapes) {
  expect_linear_close(Q8_0, 896, 896, 1, true);
  expect_linear_close(F16, 896, 128, 5, true);
  expect_linear_close(BF16, 896, 4864, 1, false);
  expect_linear_close(Q4_K, 4864, 896, 1, false);
  expect_linear_close(Q6_K, 4864, 896, 1, false);
  expect_linear_close(Q5_0, 896, 4864, 1, false);
}

TEST_F(CudaOps, LinearOfTheRealVocabulary) { expect_linear_close(F32, 896, 151'936, 1, false); }

/// More rows than a grid may have blocks in y, which the kernel must walk through.
TEST_F(CudaOps, LinearOfMoreRowsThanAGridHas) { expect_linear_close(F32, 1, 1, 65'537, false); }

TEST_F(CudaOps, LinearOfSeveralProjections) {
  const std::vector<float> input = random_floats(2 * 64, 1);
  const std::vector<std::byte> first = random_weight(Q4_0, 64, 9, 2);
  const std::vector<std::byte> second = random_weight(F32, 64, 3, 3);
  for (const bool last : {false, true}) {
    expect_close(kBound, [&](Side& side) {
      const Matrix in = side.matrix(input, 64);
      const std::array outs = {side.matrix(2, 9), side.matrix(2, 3)};
      side.backend->linear(in, std::array{Projection{&side.weight(Q4_0, 64, first), nullptr, outs[0]},
                                          Projection{&side.weight(F32, 64, second), nullptr, outs[1]}});
      return outs[last];
    });
  }
}

TEST_F(CudaOps, RmsNorm) {
  for (const std::uint32_t width : {1u, 5u, 16u, 64u, 172u, 577u, 896u}) {
    SCOPED_TRACE(width);
    for (const auto& [rows, scale] : {std::pair{1u, 1.0f}, {3u, 1e-4f}, {7u, 1e4f}}) {
      const std::vector<float> input = random_floats(std::size_t{rows} * width, 1, scale);
      const std::vector<float> gain = random_floats(width, 2);
      expect_close(kBound, [&](Side& side) {
        const Matrix out = side.matrix(input, width);
        side.backend->rms_norm(out, side.vector(gain), 1e-5f, out);
        return out;
      });
    }
  }
}

TEST_F(CudaOps, RopeOfBothPairings) {
  struct Shape {
    std::uint32_t heads, head_length, rotated;
  };
  for (const RopePairing pairing : {RopePairing::neighbours, RopePairing::halves}) {
    for (const Shape& shape :
         {Shape{1, 2, 2}, {3, 8, 8}, {2, 48, 48}, {14, 64, 64}, {2, 64, 20}}) {
      for (const std::uint32_t position : {0u, 1u, 8191u}) {
        SCOPED_TRACE(std::to_string(shape.heads) + " heads of " + std::to_string(shape.head_length) + " from " + std::to_string(position));
        std::vector<double> frequencies(shape.rotated / 2);
        for (std::size_t i = 0; i < frequencies.size(); ++i) {
          frequencies[i] = std::pow(1e4, -2.0 * static_cast<double>(i) / shape.rotated);
        }
        const std::vector<float> input = random_floats(5 * std::size_t{shape.heads} * shape.head_length, 7);
        expect_close(kBound, [&](Side& side) {
          const Matrix out = side.matrix(input, shape.heads * shape.head_length);
          const Matrix angles = side.matrix(5, shape.rotated);
          side.backend->rope_angles(frequencies, position, angles);
          side.backend->rope(out, shape.head_length, pairing, angles);
          return out;
        });
      }
    }
  }
}

/// Of both pairings, lest the two be one.
TEST_F(CudaOps, RopePairingsDiffer) {
  const std::vector<float> input = random_floats(8, 7);
  std::vector<std::vector<float>> results;
  for (const RopePairing pairing : {RopePairing::neighbours, RopePairing::halves}) {
    const Matrix heads = device_.matrix(input, 8);
    const Matrix angles = device_.matrix(1, 8);
    device_.backend->rope_angles(std::array{1.0, 0.1, 0.01, 0.001}, 3, angles);
    device_.backend->rope(heads, 8, pairing, angles);
    results.push_back(device_.read(heads));
  }
  EXPECT_NE(results[0], results[1]);
}

TEST_F(CudaOps, AttentionIsTheSameHoweverItIsCut) {
  for (const HeadShape shape : {HeadShape{1, 1, 1, 1}, {8, 4, 8, 8}, {3, 1, 33, 17}, {14, 2, 64, 64}, {2, 2, 128, 112}}) {
    for (const std::uint32_t positions : {1u, 31u, 33u, 100u, 300u}) {
      SCOPED_TRACE(std::to_string(shape.heads) + "/" + std::to_string(shape.kv_heads) + " heads of " +
                   std::to_string(shape.key_length) + ", " + std::to_string(positions) + " positions");
      const std::vector<float> keys = random_floats(std::size_t{positions} * shape.kv_heads * shape.key_length, 1, 1.5f);
      const std::vector<float> values = random_floats(std::size_t{positions} * shape.kv_heads * shape.value_length, 2);
      const std::vector<float> all = random_floats(std::size_t{std::min(positions, 5u)} * shape.heads * shape.key_length, 3, 1.5f);
      const auto scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(shape.key_length)));
      std::vector<float> last_row;
      for (const std::uint32_t count : {std::min(positions, 5u), 1u}) {
        const std::span<const float> queries = std::span(all).last(std::size_t{count} * shape.heads * shape.key_length);
        const auto op = [&](Side& side) {
          const std::uint32_t capacity = positions + 3;
          side.memory.push_back(side.backend->allocate(side.backend->kv_layer_bytes(shape, capacity)));
          const KvLayer layer = {shape, capacity, static_cast<std::byte*>(side.memory.back().address())};
          const Matrix k = side.matrix(keys, shape.kv_heads * shape.key_length);
          const Matrix v = side.matrix(values, shape.kv_heads * shape.value_length);
          // In two pieces, the second where the first ends.
          const std::uint32_t first = positions / 2;
          if (first > 0) {
            side.backend->store_kv({k.data, first, k.width, k.stride}, {v.data, first, v.width, v.stride}, layer, 0);
          }
          side.backend->store_kv(k.last_rows(positions - first), v.last_rows(positions - first), layer, first);
          const Matrix out = side.matrix(count, shape.heads * shape.value_length);
          side.backend->attention(side.matrix(queries, shape.heads * shape.key_length), layer, positions - count, scale, out);
          return out;
        };
        expect_close(kSoftmaxBound, op);
        std::vector<float> rows = device_.read(op(device_));
        rows.erase(rows.begin(), rows.end() - static_cast<std::ptrdiff_t>(shape.heads * shape.value_length));
        if (!last_row.empty()) { EXPECT_EQ(rows, last_row); }
        last_row = rows;
      }
    }
  }
}

TEST_F(CudaOps, AttentionOfScoresFarApart) {
  const HeadShape shape = {1, 1, 1, 1};
  const std::vector<float> keys = {-1000, 0, 1000, 999};
  const std::vector<float> values = {1, 2, 3, 4};
  const Memory cache = device_.backend->allocate(device_.backend->kv_layer_bytes(shape, 4));
  const KvLayer layer = {shape, 4, static_cast<std::byte*>(cache.address())};
  device_.backend->store_kv(device_.matrix(keys, 1), device_.matrix(values, 1), layer, 0);
  const Matrix out = device_.matrix(1, 1);
  device_.backend->attention(device_.matrix(std::vector<float>{1}, 1), layer, 3, 1, out);
  const double weight = std::exp(-1.0);
  EXPECT_NEAR(device_.read(out)[0], (3 + 4 * weight) / (1 + weight), 1e-6);
}

TEST_F(CudaOps, Swiglu) {
  for (const std::uint32_t width : {1u, 16u, 33u, 768u, 4864u}) {
    const std::vector<float> gate = random_floats(2 * width, 1, 6);
    const std::vector<float> up = random_floats(2 * width, 2);
    expect_close(kBound, [&](Side& side) {
      const Matrix out = side.matrix(gate, width);
      side.backend->swiglu(out, side.matrix(up, width), out);
      return out;
    });
  }
}

TEST_F(CudaOps, SwigluOfLargeGates) {
  const std::vector<float> gate = {1e4f, -1e4f, 88, -88, 0, NAN};
  const Matrix out = device_.matrix(gate, 6);
  device_.backend->swiglu(out, device_.matrix(std::vector<float>(6, 1.0f), 6), out);
  const std::vector<float> result = device_.read(out);
  EXPECT_EQ(result[0], 1e4f);
  EXPECT_LT(std::fabs(result[1]), 1e-30);
  EXPECT_EQ(result[2], 88);
  EXPECT_LT(std::fabs(result[3]), 1e-30);
  EXPECT_EQ(result[4], 0);
  EXPECT_TRUE(std::isnan(result[5]));
}

TEST_F(CudaOps, AddIsTheFloat32SumExactly) {
  for (const std::uint32_t width : {1u, 16u, 37u, 896u}) {
    const std::vector<float> input = random_floats(3 * width, 1);
    const std::vector<float> residual = random_floats(3 * width, 2);
    expect_close(kSameBits, [&](Side& side) {
      const Matrix out = side.matrix(residual, width);
      side.backend->add(side.matrix(input, width), out);
      return out;
    });
  }
}

}  // namespace
}  // namespace plumbline::cuda
