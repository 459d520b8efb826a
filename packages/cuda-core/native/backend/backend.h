#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gguf/types.h"

/// What model/forward.cpp needs of a device: memory and ops. The graph is written once, over this interface.
///
/// Every op is enqueued in the order of the calls and may return before it is done; only `copy_out` and `read` wait. An op
/// that a backend can fuse with its neighbours gets a method of its own here, with a default made of the plain ops (its
/// unfused twin), so that a backend opts in one fusion at a time.
namespace plumbline {

enum class Precision {
  /// May quantise activations; the default.
  fast,
  /// float32 activations, sums and KV cache; the same bits whatever the number of threads and the prefill chunking.
  exact,
};

/// Rows of activations start at multiples of this many floats, and what lies between a row's end and the next multiple
/// is zero: kernels then work on whole vectors and need no tail.
inline constexpr std::uint32_t kRowAlignment = 16;

constexpr std::uint32_t padded_width(std::uint32_t width) {
  return (width + kRowAlignment - 1) / kRowAlignment * kRowAlignment;
}

class Backend;

/// Zero-initialised memory of a backend, given back when it goes out of scope. Must not outlive its backend.
class Memory {
 public:
  Memory() = default;
  Memory(Backend& backend, void* address, std::size_t bytes) : backend_(&backend), address_(address), bytes_(bytes) {}
  Memory(Memory&& other) noexcept { swap(other); }
  Memory& operator=(Memory&& other) noexcept {
    Memory moved(std::move(other));
    swap(moved);
    return *this;
  }
  ~Memory();

  /// In the backend's address space: on a GPU the host must not read through it.
  void* address() const { return address_; }
  std::size_t bytes() const { return bytes_; }

 private:
  void swap(Memory& other) noexcept {
    std::swap(backend_, other.backend_);
    std::swap(address_, other.address_);
    std::swap(bytes_, other.bytes_);
  }

  Backend* backend_ = nullptr;
  void* address_ = nullptr;
  std::size_t bytes_ = 0;
};

/// Activations: `rows` positions of `width` float32 each, row r at data + r * stride.
struct Matrix {
  float* data = nullptr;
  std::uint32_t rows = 0;
  std::uint32_t width = 0;
  std::uint32_t stride = 0;

  Matrix last_rows(std::uint32_t count) const {
    return {data + std::size_t{rows - count} * stride, count, width, stride};
  }
};

/// What the ops will want of a weight.
enum class WeightUse {
  vector,            ///< its values: norms, biases
  table,             ///< single rows of it: `embedding`
  matrix,            ///< products with it: `linear`
  table_and_matrix,  ///< both: a head tied to the embedding
};

/// A tensor of the model, in the backend's memory, still in the type that the file has it in.
struct Weight {
  gguf::Type type = gguf::Type::F32;
  std::uint32_t rows = 0;   ///< outputs; 1 for a vector
  std::uint32_t width = 0;  ///< inputs: the values of one row
  std::size_t row_bytes = 0;
  const std::byte* data = nullptr;
  Memory storage;  ///< empty where `data` points into the file's map
  /// The same values in the order in which the backend multiplies with them, and their bytes; null where that is `data`.
  const std::byte* packed = nullptr;
  std::size_t packed_bytes = 0;
};

/// One output of `linear`: out = in * weight^T + bias.
struct Projection {
  const Weight* weight = nullptr;
  const Weight* bias = nullptr;  ///< float32, or null
  Matrix out;
};

/// Which two values of a head RoPE turns together.
enum class RopePairing {
  neighbours,  ///< 2i and 2i + 1: Llama's row order in GGUF
  halves,      ///< i and i + rotated / 2: NeoX, Qwen
};

struct HeadShape {
  std::uint32_t heads = 0;
  std::uint32_t kv_heads = 0;
  std::uint32_t key_length = 0;    ///< values of a query and key head
  std::uint32_t value_length = 0;  ///< values of a value head
};

/// The keys and values of one layer for positions 0 .. capacity - 1. The layout inside is the backend's own affair.
struct KvLayer {
  HeadShape shape;
  std::uint32_t capacity = 0;
  std::byte* data = nullptr;
};

/// What a model and one sequence on it are going to need of a device's memory, in bytes.
struct MemoryNeed {
  std::size_t weights = 0;
  std::size_t kv_cache = 0;
  std::size_t workspace = 0;
  std::uint32_t context_length = 0;  ///< positions that kv_cache is for
};

class Backend {
 public:
  virtual ~Backend() = default;
  Backend() = default;
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;

  /// What runs the kernels, e.g. "cpu:avx512".
  virtual std::string name() const = 0;
  /// 0 where threads mean nothing.
  virtual unsigned threads() const = 0;
  virtual Precision precision() const = 0;
  /// What `linear` makes of its input before it multiplies it with weights of a type: F32, or Q8 (8 bits, a scale for a block).
  virtual std::string_view activation_type(gguf::Type weights) const = 0;

  /// To be asked before anything is loaded: a device whose memory cannot grow throws INSUFFICIENT_VRAM with the figures.
  virtual void require_memory(const MemoryNeed&) {}
  /// Throws OUT_OF_MEMORY (VRAM_OOM on a GPU) with the number of bytes.
  virtual Memory allocate(std::size_t bytes) = 0;
  /// Makes a tensor of the file usable by the ops. `bytes` must outlive the weight: a backend may use it in place.
  virtual Weight load_weight(gguf::Type type, std::uint32_t width, std::uint32_t rows,
                             std::span<const std::byte> bytes, WeightUse use) = 0;
  /// To be called when all weights have been given: waits until they are where the ops find them. Returns the first, in the order of
  /// load_weight, that did not arrive as it was read.
  virtual std::optional<std::size_t> finish_loading() { return std::nullopt; }
  /// Copies dense rows (rows * width values) into a matrix.
  virtual void copy_in(std::span<const float> in, const Matrix& out) = 0;
  /// Waits for all ops enqueued so far, then copies the rows into `out`, densely (rows * width values).
  virtual void copy_out(const Matrix& in, std::span<float> out) = 0;
  /// Waits likewise. The rows as copy_out has them: copied to `storage`, or where they lie, if the host can read that; valid
  /// until either is written again.
  virtual std::span<const float> read(const Matrix& in, std::vector<float>& storage) {
    storage.resize(std::size_t{in.rows} * in.width);
    copy_out(in, storage);
    return storage;
  }
  /// What a KvLayer of that shape needs. Kernels may read capacity rounded up to a block, hence the backend's own sum.
  virtual std::size_t kv_layer_bytes(const HeadShape& shape, std::uint32_t capacity) const = 0;

  /// out[r] = row tokens[r] of the table, dequantised.
  virtual void embedding(const Weight& table, std::span<const std::uint32_t> tokens, const Matrix& out) = 0;
  /// out = in / sqrt(mean(in^2) + epsilon) * gain; `out` may be `in`. Zhang & Sennrich 2019, arXiv:1910.07467.
  virtual void rms_norm(const Matrix& in, const Weight& gain, float epsilon, const Matrix& out) = 0;
  /// Several projections of the same input in one pass (Q, K and V; gate and up).
  virtual void linear(const Matrix& in, std::span<const Projection> projections) = 0;
  /// cosines and sines of position * frequencies[i], angles in float64: row r of `out` is
  /// [cos 0 .. cos n-1, sin 0 .. sin n-1] for position first_position + r, n = frequencies.size().
  virtual void rope_angles(std::span<const double> frequencies, std::uint32_t first_position, const Matrix& out) = 0;
  /// Rotates, in place, the first 2 * (angles.width / 2) values of each head of `head_length`. Su et al. 2021,
  /// arXiv:2104.09864.
  virtual void rope(const Matrix& heads, std::uint32_t head_length, RopePairing pairing, const Matrix& angles) = 0;
  /// Writes rows of keys and values to the cache, at first_position and on.
  virtual void store_kv(const Matrix& keys, const Matrix& values, const KvLayer& layer,
                        std::uint32_t first_position) = 0;
  /// Causal grouped-query attention: query row r, at first_position + r, over cached positions 0 .. first_position + r.
  /// Query head h reads KV head h / (heads / kv_heads). out: rows of heads * value_length.
  virtual void attention(const Matrix& queries, const KvLayer& layer, std::uint32_t first_position, float scale,
                         const Matrix& out) = 0;
  /// out = silu(gate) * up, silu(x) = x / (1 + e^-x); `out` may be `gate`. Shazeer 2020, arXiv:2002.05202.
  virtual void swiglu(const Matrix& gate, const Matrix& up, const Matrix& out) = 0;
  /// residual += in
  virtual void add(const Matrix& in, const Matrix& residual) = 0;

 private:
  friend class Memory;
  virtual void release(void* address, std::size_t bytes) noexcept = 0;
};

inline Memory::~Memory() {
  if (address_ != nullptr) backend_->release(address_, bytes_);
}

}  // namespace plumbline
