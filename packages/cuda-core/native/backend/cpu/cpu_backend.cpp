#include "backend/cpu/cpu_backend.h"

#include <sys/mman.h>
#if defined(PLUMBLINE_X86_VARIANTS)
#include <cpuid.h>
#endif

#include <algorithm>
#include <cstdlib>

#include "backend/cpu/fast_kernels.h"
#include "backend/cpu/kernels.h"
#include "backend/cpu/thread_pool.h"
#include "backend/cpu/weight_store.h"
#include "error.h"

namespace plumbline::cpu {
namespace {

/// Below this many multiplications (or as much other work) an op is done before another thread could have joined in.
constexpr std::size_t kWorkForThreads = 32'768;

struct Variant {
  const Kernels* kernels;
  bool supported;
};

#if defined(PLUMBLINE_X86_VARIANTS)
/// clang's __builtin_cpu_supports does not know F16C.
bool has_f16c() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
}
#endif

/// Best last.
std::vector<Variant> variants() {
  std::vector<Variant> out = {{&portable::kKernels, true}};
#if defined(PLUMBLINE_X86_VARIANTS)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && has_f16c();
  out.push_back({&avx2::kKernels, avx2});
  out.push_back({&avx512::kKernels, avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                                        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq")});
#endif
  return out;
}

const Kernels& choose_kernels(std::string wanted) {
  if (wanted.empty()) {
    const char* forced = std::getenv("PLUMBLINE_CPU_VARIANT");
    if (forced != nullptr) wanted = forced;
  }
  const std::vector<std::string> supported = supported_variants();
  for (const Variant& variant : variants()) {
    if (variant.supported && variant.kernels->variant == (wanted.empty() ? supported.back() : wanted)) {
      return *variant.kernels;
    }
  }
  std::string list;
  for (const std::string& name : supported) list += (list.empty() ? "" : ", ") + name;
  throw Error(ErrorCode::device_unavailable,
              "CPU variant \"" + wanted + "\" cannot run here: this build on this machine has " + list,
              {{"variant", wanted}, {"supported", list}});
}

/// Those of the same name where the machine has what they need beyond it, else the next lower ones.
const FastKernels& fast_kernels_of([[maybe_unused]] const Kernels& kernels) {
#if defined(PLUMBLINE_X86_VARIANTS)
  const bool avx2 = __builtin_cpu_supports("fma");
  if (&kernels == &avx512::kKernels && avx2 && __builtin_cpu_supports("avx512vnni")) return fast_avx512::kFastKernels;
  if (&kernels != &portable::kKernels && avx2) return fast_avx2::kFastKernels;
#endif
  return fast_portable::kFastKernels;
}

class CpuBackend final : public Backend {
 public:
  explicit CpuBackend(const Options& options)
      : precision_(options.precision),
        kernels_(choose_kernels(options.variant)),
        fast_kernels_(fast_kernels_of(kernels_)),
        pool_(options.threads != 0 ? options.threads : std::max(1u, std::thread::hardware_concurrency())),
        scratch_(pool_.threads()) {}

  std::string name() const override { return std::string("cpu:") + kernels_.variant; }
  unsigned threads() const override { return pool_.threads(); }
  Precision precision() const override { return precision_; }
  std::string_view activation_type(gguf::Type weights) const override {
    return precision_ == Precision::fast && !is_float(weights) ? "Q8" : "F32";
  }

  /// Pages of the system's own, which are zero and cost nothing before they are first written: a long context's cache is
  /// paid for as it fills.
  Memory allocate(std::size_t bytes) override {
    if (bytes == 0) return {};
    void* const address = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (address == MAP_FAILED) {
      throw Error(ErrorCode::out_of_memory, "out of memory: " + std::to_string(bytes) + " bytes asked for",
                  {{"bytes", std::uint64_t{bytes}}});
    }
    return Memory(*this, address, bytes);
  }

  Weight load_weight(gguf::Type type, std::uint32_t width, std::uint32_t rows, std::span<const std::byte> bytes,
                     WeightUse use) override {
    Weight weight;
    weight.type = type;
    weight.rows = rows;
    weight.width = width;
    weight.row_bytes = bytes.size() / rows;
    weight.data = bytes.data();
    if (precision_ == Precision::fast && (use == WeightUse::matrix || use == WeightUse::table_and_matrix)) pack(weight);
    return weight;
  }

  void copy_in(std::span<const float> in, const Matrix& out) override {
    for (std::size_t r = 0; r < out.rows; ++r) std::copy_n(in.data() + r * out.width, out.width, out.data + r * out.stride);
  }

  void copy_out(const Matrix& in, std::span<float> out) override {
    for (std::size_t r = 0; r < in.rows; ++r) std::copy_n(in.data + r * in.stride, in.width, out.data() + r * in.width);
  }

  std::span<const float> read(const Matrix& in, std::vector<float>& storage) override {
    const bool dense = in.rows == 1 || in.stride == in.width;
    return dense ? std::span<const float>(in.data, values(in)) : Backend::read(in, storage);
  }

  std::size_t kv_layer_bytes(const HeadShape& shape, std::uint32_t capacity) const override {
    const KvLayout layout = kv_layout(shape, capacity);
    return (layout.values + layout.value_head * shape.kv_heads) * sizeof(float);
  }

  void embedding(const Weight& table, std::span<const std::uint32_t> tokens, const Matrix& out) override {
    run(kernels_.embedding, EmbeddingArguments{&table, tokens.data(), out}, values(out));
  }

  void rms_norm(const Matrix& in, const Weight& gain, float epsilon, const Matrix& out) override {
    run(precision_ == Precision::fast ? fast_kernels_.fast_rms_norm : kernels_.rms_norm,
        RmsNormArguments{in, floats(gain), epsilon, out}, values(in) * 2);
  }

  void linear(const Matrix& in, std::span<const Projection> projections) override {
    std::size_t outputs = 0;
    for (const Projection& projection : projections) outputs += projection.weight->rows;
    if (std::ranges::all_of(projections, [](const Projection& p) { return p.weight->packed != nullptr; })) {
      return packed_linear(in, projections, values(in) * outputs);
    }
    run(kernels_.linear, LinearArguments{in, projections.data(), projections.size()}, values(in) * outputs,
        std::size_t{kLinearRows} * in.stride);
  }

  void rope_angles(std::span<const double> frequencies, std::uint32_t first_position, const Matrix& out) override {
    run(kernels_.rope_angles, RopeAnglesArguments{frequencies.data(), first_position, out}, values(out) * 16);
  }

  void rope(const Matrix& heads, std::uint32_t head_length, RopePairing pairing, const Matrix& angles) override {
    run(kernels_.rope, RopeArguments{heads, head_length, pairing, angles}, values(heads));
  }

  void store_kv(const Matrix& keys, const Matrix& values_in, const KvLayer& layer,
                std::uint32_t first_position) override {
    run(kernels_.store_kv, StoreKvArguments{keys, values_in, layer, first_position}, values(keys) * 2);
  }

  void attention(const Matrix& queries, const KvLayer& layer, std::uint32_t first_position, float scale,
                 const Matrix& out) override {
    const std::size_t positions = std::size_t{first_position} + queries.rows;
    if (precision_ == Precision::fast) {
      // Heads of one row are not cut finer than threads: those of one KV head are quicker together.
      return run(fast_kernels_.online_attention, AttentionArguments{queries, layer, first_position, scale, out},
                 values(queries) * positions * 8,
                 kAttentionQueries * (kAttentionBlock + padded(layer.shape.value_length)), queries.rows == 1 ? 1 : 4);
    }
    run(kernels_.attention, AttentionArguments{queries, layer, first_position, scale, out},
        values(queries) * positions * 2, padded(positions) + padded(layer.shape.value_length));
  }

  void swiglu(const Matrix& gate, const Matrix& up, const Matrix& out) override {
    run(kernels_.swiglu, SwigluArguments{gate, up, out}, values(gate) * 4);
  }

  void add(const Matrix& in, const Matrix& residual) override {
    run(kernels_.add, AddArguments{in, residual}, values(in));
  }

 private:
  void release(void* address, std::size_t bytes) noexcept override { ::munmap(address, bytes); }

  void pack(Weight& weight) {
    const std::size_t groups = (std::size_t{weight.rows} + kGroupRows - 1) / kGroupRows;
    const std::size_t group_bytes = packed_group_bytes(weight.type, weight.width);
    weight.packed_bytes = groups * group_bytes;
    std::byte* const packed = packed_weights_.allocate(weight.packed_bytes);
    pool_.run(4, [&](const Piece& piece) {
      for (std::size_t g = groups * piece.index / piece.count; g < groups * (piece.index + 1) / piece.count; ++g) {
        const std::size_t first = g * kGroupRows;
        const auto rows = static_cast<std::uint32_t>(std::min<std::size_t>(kGroupRows, weight.rows - first));
        pack_group(weight.type, weight.width, weight.data + first * weight.row_bytes, weight.row_bytes, rows,
                   packed + g * group_bytes);
      }
    });
    weight.packed = packed;
  }

  void packed_linear(const Matrix& in, std::span<const Projection> projections, std::size_t work) {
    ActivationBlock* quantised = nullptr;
    if (!std::ranges::all_of(projections, [](const Projection& p) { return is_float(p.weight->type); })) {
      const std::size_t bytes = values(in) / kBlockValues * sizeof(ActivationBlock);
      if (bytes > quantised_.bytes()) quantised_ = allocate(bytes);
      quantised = static_cast<ActivationBlock*>(quantised_.address());
      run(fast_kernels_.quantise, QuantiseArguments{in, quantised}, values(in));
    }
    // Products of small integers are quicker, but for one token it is the weights' way here that takes the time.
    run(fast_kernels_.packed_linear, PackedLinearArguments{in, quantised, projections.data(), projections.size()}, work);
  }

  static std::size_t values(const Matrix& matrix) { return std::size_t{matrix.rows} * matrix.width; }
  static const float* floats(const Weight& weight) { return reinterpret_cast<const float*>(weight.data); }
  static std::size_t padded(std::size_t count) { return (count + kRowAlignment - 1) / kRowAlignment * kRowAlignment; }

  template <class Arguments>
  void run(void (*kernel)(const Arguments&, const Slice&), const Arguments& arguments, std::size_t work,
           std::size_t scratch_floats = 0, unsigned most_pieces_per_thread = 4) {
    if (scratch_floats > scratch_floats_) {
      // Twice as much, since what grows with the position grows with each token.
      scratch_floats *= 2;
      for (Memory& memory : scratch_) memory = allocate(scratch_floats * sizeof(float));
      scratch_floats_ = scratch_floats;
    }
    const auto scratch = [this](unsigned thread) { return static_cast<float*>(scratch_[thread].address()); };
    if (work < kWorkForThreads) return kernel(arguments, Slice{0, 1, scratch(0)});
    const unsigned pieces_per_thread = work < kWorkForThreads * 8 ? 1 : most_pieces_per_thread;
    pool_.run(pieces_per_thread, [&](const Piece& piece) {
      kernel(arguments, Slice{piece.index, piece.count, scratch(piece.thread)});
    });
  }

  Precision precision_;
  const Kernels& kernels_;
  const FastKernels& fast_kernels_;
  ThreadPool pool_;
  WeightStore packed_weights_;
  Memory quantised_;  ///< activations of the op that runs
  std::vector<Memory> scratch_;
  std::size_t scratch_floats_ = 0;
};

}  // namespace

std::unique_ptr<Backend> create_backend(const Options& options) { return std::make_unique<CpuBackend>(options); }

std::vector<std::string> supported_variants() {
  std::vector<std::string> out;
  for (const Variant& variant : variants()) {
    if (variant.supported) out.emplace_back(variant.kernels->variant);
  }
  return out;
}

}  // namespace plumbline::cpu
