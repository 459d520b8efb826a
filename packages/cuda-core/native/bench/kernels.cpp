// plumbline_bench_kernels --threads N [--precision fast] [--rounds 7] [--variant V] [--op NAME]: each op of the CPU backend
// on data of a 0.5B model's shape, by variant, as one JSON object. Times are of whole calls, threads and barriers included.
#include <iomanip>
#include <iostream>
#include <cmath>

#include "backend/cpu/cpu_backend.h"
#include "bench/arguments.h"
#include "bench/on_threads.h"
#include "bench/random_weight.h"
#include "error.h"

namespace plumbline::bench {
namespace {

constexpr std::uint32_t kWidth = 896;
constexpr std::uint32_t kFeedForward = 4864;
constexpr std::uint32_t kPromptRows = 128;
constexpr std::uint32_t kPositions = 1024;
constexpr HeadShape kHeads{.heads = 14, .kv_heads = 2, .key_length = 64, .value_length = 64};
/// A matrix for one row of activations is this large, so that it comes out of memory and not out of a cache.
constexpr std::size_t kStreamedBytes = std::size_t{96} << 20;
/// Shorter calls are repeated until they take this long together.
constexpr double kSampleSeconds = 0.02;

/// A matrix of the backend's with small ordinary numbers in it.
struct Activations {
  Activations(Backend& backend, std::uint32_t rows, std::uint32_t width)
      : memory(backend.allocate(std::size_t{rows} * padded_width(width) * sizeof(float))),
        matrix{static_cast<float*>(memory.address()), rows, width, padded_width(width)} {
    std::vector<float> values(std::size_t{rows} * width);
    std::mt19937 random(1);
    for (float& value : values) value = static_cast<float>(static_cast<double>(random()) / 0x1p32 - 0.5);
    backend.copy_in(values, matrix);
  }
  std::size_t bytes() const { return std::size_t{matrix.rows} * matrix.width * sizeof(float); }

  Memory memory;
  Matrix matrix;
};

/// What one call moves and computes: what it reads and writes at least, once each.
struct Work {
  std::size_t bytes;
  double operations;
};

class Kernels {
 public:
  explicit Kernels(const Arguments& arguments)
      : precision_(arguments.text("precision", "fast") == "exact" ? Precision::exact : Precision::fast),
        threads_(arguments.number("threads")),
        rounds_(arguments.number("rounds", 7)),
        op_(arguments.text("op", "")),
        variant_(arguments.text("variant", "")) {}

  void run() {
    std::cout << std::setprecision(9) << "{\"threads\":" << threads_ << ",\"kernels\":[";
    for (const std::string& variant : cpu::supported_variants()) {
      if (!variant_.empty() && variant != variant_) continue;
      run_variant(variant);
    }
    std::cout << "]}\n";
  }

 private:
  void run_variant(const std::string& variant) {
    const auto backend = cpu::create_backend({.precision = precision_, .threads = threads_, .variant = variant});
    using enum gguf::Type;
    for (const gguf::Type type : {F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K}) {
      linear(*backend, variant, type);
    }
    elementwise(*backend, variant);
    attention(*backend, variant);
  }

  void linear(Backend& backend, const std::string& variant, gguf::Type type) {
    if (!wanted("linear")) return;
    const std::size_t row_bytes =
        std::size_t{kFeedForward} / gguf::info(type).block_elements * gguf::info(type).block_bytes;
    const auto one_row_height = static_cast<std::uint32_t>(kStreamedBytes / row_bytes);
    for (const auto& [rows, height] : {std::pair{1u, one_row_height}, std::pair{kPromptRows, kWidth}}) {
      const std::vector<std::byte> bytes = random_weight(type, kFeedForward, height);
      const Weight weight = backend.load_weight(type, kFeedForward, height, bytes, WeightUse::matrix);
      const Activations in(backend, rows, kFeedForward);
      const Activations out(backend, rows, height);
      const Projection projection{.weight = &weight, .out = out.matrix};
      measure(backend, out.matrix, variant, "linear", gguf::info(type).name, rows,
              {bytes.size() + in.bytes() + out.bytes(), 2.0 * rows * kFeedForward * height},
              [&] { backend.linear(in.matrix, {&projection, 1}); });
    }
  }

  void elementwise(Backend& backend, const std::string& variant) {
    const Activations narrow(backend, kPromptRows, kWidth);
    const Activations narrow_out(backend, kPromptRows, kWidth);
    const Activations gate(backend, kPromptRows, kFeedForward);
    const Activations up(backend, kPromptRows, kFeedForward);
    const Activations wide_out(backend, kPromptRows, kFeedForward);
    const double values = double{kPromptRows} * kWidth;

    if (wanted("rms_norm")) {
      const std::vector<std::byte> ones = random_weight(gguf::Type::F32, kWidth, 1);
      const Weight gain = backend.load_weight(gguf::Type::F32, kWidth, 1, ones, WeightUse::vector);
      measure(backend, narrow_out.matrix, variant, "rms_norm", "F32", kPromptRows, {2 * narrow.bytes(), 4 * values},
              [&] { backend.rms_norm(narrow.matrix, gain, 1e-6f, narrow_out.matrix); });
    }
    if (wanted("embedding")) {
      constexpr std::uint32_t kVocabulary = 32'768;
      const std::vector<std::byte> bytes = random_weight(gguf::Type::Q8_0, kWidth, kVocabulary);
      const Weight table = backend.load_weight(gguf::Type::Q8_0, kWidth, kVocabulary, bytes, WeightUse::table);
      std::vector<std::uint32_t> ids(kPromptRows);
      for (std::uint32_t i = 0; i < kPromptRows; ++i) ids[i] = i * 251;
      measure(backend, narrow_out.matrix, variant, "embedding", "Q8_0", kPromptRows,
              {narrow.bytes() + bytes.size() / kVocabulary * kPromptRows, values},
              [&] { backend.embedding(table, ids, narrow_out.matrix); });
    }
    if (wanted("rope")) {
      std::vector<double> frequencies(kHeads.key_length / 2);
      for (std::size_t i = 0; i < frequencies.size(); ++i) {
        frequencies[i] = std::pow(1e6, -2.0 * static_cast<double>(i) / kHeads.key_length);
      }
      const Activations angles(backend, kPromptRows, kHeads.key_length);
      backend.rope_angles(frequencies, 0, angles.matrix);
      for (const auto& [pairing, name] :
           {std::pair{RopePairing::neighbours, "neighbours"}, std::pair{RopePairing::halves, "halves"}}) {
        measure(backend, narrow_out.matrix, variant, "rope", name, kPromptRows, {2 * narrow.bytes(), 3 * values},
                [&, pairing = pairing] { backend.rope(narrow_out.matrix, kHeads.key_length, pairing, angles.matrix); });
      }
    }
    if (wanted("swiglu")) {
      measure(backend, wide_out.matrix, variant, "swiglu", "F32", kPromptRows,
              {3 * gate.bytes(), 5.0 * kPromptRows * kFeedForward},
              [&] { backend.swiglu(gate.matrix, up.matrix, wide_out.matrix); });
    }
    if (wanted("add")) {
      // Of zeros: the residual would grow from call to call.
      const Memory zeros = backend.allocate(narrow.memory.bytes());
      Matrix nothing = narrow.matrix;
      nothing.data = static_cast<float*>(zeros.address());
      measure(backend, narrow_out.matrix, variant, "add", "F32", kPromptRows, {3 * narrow.bytes(), values},
              [&] { backend.add(nothing, narrow_out.matrix); });
    }
  }

  void attention(Backend& backend, const std::string& variant) {
    const Memory memory = backend.allocate(backend.kv_layer_bytes(kHeads, kPositions));
    const KvLayer layer{kHeads, kPositions, static_cast<std::byte*>(memory.address())};
    const std::uint32_t kv_width = kHeads.kv_heads * kHeads.key_length;
    const Activations keys(backend, kPositions, kv_width);
    const Activations values(backend, kPositions, kv_width);
    backend.store_kv(keys.matrix, values.matrix, layer, 0);
    const float scale = 1 / std::sqrt(static_cast<float>(kHeads.key_length));

    if (wanted("store_kv")) {
      measure(backend, keys.matrix, variant, "store_kv", "", kPositions, {2 * (keys.bytes() + values.bytes()), 0},
              [&] { backend.store_kv(keys.matrix, values.matrix, layer, 0); });
    }
    if (!wanted("attention")) return;
    for (const std::uint32_t rows : {1u, kPromptRows}) {
      const Activations queries(backend, rows, kHeads.heads * kHeads.key_length);
      const Activations out(backend, rows, kHeads.heads * kHeads.value_length);
      const std::uint32_t first = kPositions - rows;
      const double pairs = double{kHeads.heads} * rows * (first + (rows + 1) / 2.0);
      measure(backend, out.matrix, variant, "attention", "", rows,
              {keys.bytes() + values.bytes() + queries.bytes() + out.bytes(),
               pairs * 2 * (kHeads.key_length + kHeads.value_length)},
              [&] { backend.attention(queries.matrix, layer, first, scale, out.matrix); });
    }
  }

  bool wanted(const std::string& op) const { return op_.empty() || op == op_; }

  /// Prints the seconds of a call, round by round, after a warm-up. `out` is what the op writes: to copy of it is to wait.
  template <class Call>
  void measure(Backend& backend, const Matrix& out, const std::string& variant, const char* op, std::string_view type,
               std::uint32_t rows, const Work& work, const Call& call) {
    std::vector<float> last(out.width);
    const auto seconds = [&](unsigned calls) {
      const auto begin = Clock::now();
      for (unsigned i = 0; i < calls; ++i) call();
      backend.copy_out(out.last_rows(1), last);
      return seconds_between(begin, Clock::now());
    };
    seconds(1);
    unsigned calls = 1;
    while (calls < 100'000 && seconds(calls) < kSampleSeconds) calls *= 2;
    std::cout << separator_ << "{\"variant\":\"" << variant << "\",\"op\":\"" << op << "\",\"type\":\"" << type
              << "\",\"rows\":" << rows << ",\"bytes\":" << work.bytes << ",\"operations\":" << work.operations
              << ",\"seconds\":[";
    for (unsigned round = 0; round < rounds_; ++round) std::cout << (round == 0 ? "" : ",") << seconds(calls) / calls;
    std::cout << "]}";
    separator_ = ",";
  }

  Precision precision_;
  unsigned threads_;
  unsigned rounds_;
  std::string op_;
  std::string variant_;
  const char* separator_ = "";
};

}  // namespace
}  // namespace plumbline::bench

int main(int count, char** values) {
  using namespace plumbline::bench;
  return run_program("plumbline_bench_kernels", count, values, [](const Arguments& arguments) { Kernels(arguments).run(); });
}
