#include "backend/cuda/cuda_backend.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "backend/cuda/check.h"
#include "backend/cuda/ops.h"
#include "backend/cuda/stream.h"
#include "backend/cuda/upload.h"
#include "error.h"

namespace plumbline::cuda {
namespace {

class CudaBackend final : public Backend {
 public:
  explicit CudaBackend(std::unique_ptr<Runtime> runtime) : runtime_(std::move(runtime)), stream_(*runtime_) {}

  std::string name() const override { return "cuda:" + runtime_->device(); }
  unsigned threads() const override { return 0; }
  Precision precision() const override { return Precision::exact; }
  std::string_view activation_type(gguf::Type) const override { return "F32"; }

  void require_memory(const MemoryNeed& need) override {
    std::size_t free_bytes = 0, total_bytes = 0;
    check(*runtime_, runtime_->memory_info(free_bytes, total_bytes), "cudaMemGetInfo");
    const std::size_t fixed = need.weights + need.workspace;
    if (fixed <= free_bytes && need.kv_cache <= free_bytes - fixed) return;
    const std::size_t left = fixed < free_bytes ? free_bytes - fixed : 0;
    const double share = need.kv_cache == 0 ? 0.0 : static_cast<double>(left) / static_cast<double>(need.kv_cache);
    const auto fitting = static_cast<std::uint32_t>(share * need.context_length);
    const auto bytes = [](std::size_t count) { return std::to_string(count); };
    throw Error(ErrorCode::insufficient_vram,
                "the model needs " + bytes(fixed + need.kv_cache) + " bytes on " + runtime_->device() + " (weights " +
                    bytes(need.weights) + ", KV cache for " + std::to_string(need.context_length) + " positions " +
                    bytes(need.kv_cache) + ", workspace " + bytes(need.workspace) + "), but " + bytes(free_bytes) +
                    " of " + bytes(total_bytes) + " are free: " +
                    (fitting == 0 ? std::string("not even a context of one position would fit")
                                  : "a context of " + std::to_string(fitting) + " positions would fit"),
                {{"weight_bytes", std::uint64_t{need.weights}},
                 {"kv_cache_bytes", std::uint64_t{need.kv_cache}},
                 {"workspace_bytes", std::uint64_t{need.workspace}},
                 {"context_length", std::uint64_t{need.context_length}},
                 {"free_bytes", std::uint64_t{free_bytes}},
                 {"total_bytes", std::uint64_t{total_bytes}},
                 {"fitting_context_length", std::uint64_t{fitting}},
                 {"device", runtime_->device()}});
  }

  Memory allocate(std::size_t bytes) override {
    Memory memory = allocate_uninitialised(bytes);
    if (bytes != 0) check(*runtime_, runtime_->zero(memory.address(), bytes, stream_.handle()), "cudaMemsetAsync");
    return memory;
  }

  Weight load_weight(gguf::Type type, std::uint32_t width, std::uint32_t rows,
                     std::span<const std::byte> bytes, WeightUse) override {
    Weight weight;
    weight.type = type;
    weight.rows = rows;
    weight.width = width;
    weight.row_bytes = bytes.size() / rows;
    weight.storage = allocate_uninitialised(bytes.size());
    weight.data = static_cast<const std::byte*>(weight.storage.address());
    if (!upload_) upload_.emplace(*runtime_);
    upload_->add(bytes, static_cast<std::byte*>(weight.storage.address()), next_checksum());
    ++weights_;
    return weight;
  }

  std::optional<std::size_t> finish_loading() override {
    if (!upload_) return std::nullopt;
    const std::vector<Checksum> sent = upload_->finish();
    upload_.reset();
    std::vector<Checksum> arrived(weights_);
    for (std::size_t first = 0; first < arrived.size(); first += kChecksumsAtOnce) {
      const std::size_t bytes = std::min(kChecksumsAtOnce, arrived.size() - first) * sizeof(Checksum);
      check(*runtime_,
            runtime_->copy_out({arrived.data() + first, bytes, checksums_[first / kChecksumsAtOnce].address(), bytes, bytes, 1},
                               stream_.handle()),
            "cudaMemcpyAsync");
    }
    check(*runtime_, runtime_->synchronize(stream_.handle()), "cudaStreamSynchronize");
    checksums_.clear();
    weights_ = 0;
    const auto [own, other] = std::ranges::mismatch(sent, arrived);
    if (own == sent.end()) return std::nullopt;
    return static_cast<std::size_t>(own - sent.begin());
  }

  void copy_in(std::span<const float> in, const Matrix& out) override {
    const std::size_t dense = out.width * sizeof(float);
    check(*runtime_,
          runtime_->copy_in({out.data, out.stride * sizeof(float), in.data(), dense, dense, out.rows}, stream_.handle()),
          "cudaMemcpy2DAsync");
  }

  void copy_out(const Matrix& in, std::span<float> out) override {
    const std::size_t dense = in.width * sizeof(float);
    check(*runtime_,
          runtime_->copy_out({out.data(), dense, in.data, in.stride * sizeof(float), dense, in.rows}, stream_.handle()),
          "cudaMemcpy2DAsync");
    check(*runtime_, runtime_->synchronize(stream_.handle()), "cudaStreamSynchronize");
  }

  std::size_t kv_layer_bytes(const HeadShape& shape, std::uint32_t capacity) const override {
    return cuda::kv_layer_bytes(shape, capacity);
  }

  void embedding(const Weight& table, std::span<const std::uint32_t> tokens, const Matrix& out) override {
    if (tokens.size_bytes() > tokens_.bytes()) tokens_ = allocate_uninitialised(tokens.size_bytes());
    upload(std::as_bytes(tokens), tokens_);
    cuda::embedding(ready(), table, static_cast<const std::uint32_t*>(tokens_.address()), out);
  }

  void rms_norm(const Matrix& in, const Weight& gain, float epsilon, const Matrix& out) override {
    cuda::rms_norm(ready(), in, gain, epsilon, out);
  }

  void linear(const Matrix& in, std::span<const Projection> projections) override {
    for (const Projection& projection : projections) cuda::linear(ready(), in, projection);
  }

  void rope_angles(std::span<const double> frequencies, std::uint32_t first_position, const Matrix& out) override {
    // The model's own, the same at each call.
    if (!std::ranges::equal(frequencies, uploaded_frequencies_)) {
      uploaded_frequencies_.clear();
      frequencies_ = allocate_uninitialised(frequencies.size_bytes());
      upload(std::as_bytes(frequencies), frequencies_);
      uploaded_frequencies_.assign(frequencies.begin(), frequencies.end());
    }
    cuda::rope_angles(ready(), static_cast<const double*>(frequencies_.address()), first_position, out);
  }

  void rope(const Matrix& heads, std::uint32_t head_length, RopePairing pairing, const Matrix& angles) override {
    cuda::rope(ready(), heads, head_length, pairing, angles);
  }

  void store_kv(const Matrix& keys, const Matrix& values, const KvLayer& layer, std::uint32_t first_position) override {
    cuda::store_kv(ready(), keys, values, layer, first_position);
  }

  void attention(const Matrix& queries, const KvLayer& layer, std::uint32_t first_position, float scale,
                 const Matrix& out) override {
    cuda::attention(ready(), queries, layer, first_position, scale, out);
  }

  void swiglu(const Matrix& gate, const Matrix& up, const Matrix& out) override {
    cuda::swiglu(ready(), gate, up, out);
  }

  void add(const Matrix& in, const Matrix& residual) override { cuda::add(ready(), in, residual); }

 private:
  /// Waits, as cudaFree does, for whatever may still use it. A device that is lost cannot give anything back: its process ends.
  void release(void* address, std::size_t) noexcept override { runtime_->release(address); }

  Memory allocate_uninitialised(std::size_t bytes) {
    if (bytes == 0) return {};
    void* address = nullptr;
    const Status status = runtime_->allocate(address, bytes);
    if (status == Status::out_of_memory) {
      std::size_t free_bytes = 0, total_bytes = 0;
      check(*runtime_, runtime_->memory_info(free_bytes, total_bytes), "cudaMemGetInfo");
      throw Error(ErrorCode::vram_oom,
                  "out of memory on " + runtime_->device() + ": " + std::to_string(bytes) + " bytes asked for, " +
                      std::to_string(free_bytes) + " of " + std::to_string(total_bytes) + " are free",
                  {{"bytes", std::uint64_t{bytes}},
                   {"free_bytes", std::uint64_t{free_bytes}},
                   {"total_bytes", std::uint64_t{total_bytes}},
                   {"device", runtime_->device()}});
    }
    check(*runtime_, status, "cudaMalloc");
    return Memory(*this, address, bytes);
  }

  /// For the ops: all weights that have been given are there.
  const Stream& ready() {
    if (upload_) upload_->finish();
    return stream_;
  }

  /// Where the device sums up the next weight.
  Checksum* next_checksum() {
    if (weights_ % kChecksumsAtOnce == 0) {
      checksums_.push_back(allocate(kChecksumsAtOnce * sizeof(Checksum)));
      // Zero before another stream adds to it.
      check(*runtime_, runtime_->synchronize(stream_.handle()), "cudaStreamSynchronize");
    }
    return static_cast<Checksum*>(checksums_.back().address()) + weights_ % kChecksumsAtOnce;
  }

  void upload(std::span<const std::byte> bytes, const Memory& to) {
    check(*runtime_, runtime_->copy_in({to.address(), bytes.size(), bytes.data(), bytes.size(), bytes.size(), 1}, stream_.handle()),
          "cudaMemcpyAsync");
  }

  // Destroyed from the last to the first: memory before the stream, the stream before the runtime.
  std::unique_ptr<Runtime> runtime_;
  Stream stream_;
  Memory tokens_;
  Memory frequencies_;
  std::vector<double> uploaded_frequencies_;
  // While weights are being loaded.
  static constexpr std::size_t kChecksumsAtOnce = 512;
  std::vector<Memory> checksums_;
  std::size_t weights_ = 0;
  std::optional<Upload> upload_;
};

}  // namespace

std::unique_ptr<Backend> create_backend(std::unique_ptr<Runtime> runtime) {
  return std::make_unique<CudaBackend>(std::move(runtime));
}

}  // namespace plumbline::cuda
