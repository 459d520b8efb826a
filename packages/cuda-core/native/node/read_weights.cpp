#include "node/read_weights.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "backend/cpu/kernels.h"
#include "gguf/file.h"
#include "node/convert.h"

namespace plumbline::node {
namespace {

/// About as many values are handed out at once: 4 MiB.
constexpr std::uint64_t kPiece = 1 << 20;
/// What dequantize_row writes beyond a row, at most.
constexpr std::size_t kBeyond = 15;

void read_tensor(Napi::Env env, const gguf::File& file, const gguf::TensorInfo& tensor, const Napi::Function& use) {
  const std::uint64_t width = tensor.shape[0];
  const std::uint64_t rows = width == 0 ? 0 : tensor.elements() / width;
  const gguf::TypeInfo& type = gguf::info(tensor.type);
  const std::uint64_t row_bytes = width / type.block_elements * type.block_bytes;
  const std::byte* const bytes = file.tensor_bytes(tensor).data();
  Napi::Array shape = Napi::Array::New(env, tensor.rank);
  for (std::uint32_t dimension = 0; dimension < tensor.rank; ++dimension) {
    shape.Set(dimension, static_cast<double>(tensor.shape[dimension]));
  }
  const Napi::String name = Napi::String::New(env, tensor.name.data(), tensor.name.size());
  const std::uint64_t step = std::max<std::uint64_t>(1, kPiece / std::max<std::uint64_t>(1, width));
  std::vector<float> values(static_cast<std::size_t>(std::min(step, rows) * width) + kBeyond);
  for (std::uint64_t first = 0; first < rows; first += step) {
    const Napi::HandleScope scope(env);
    const std::uint64_t count = std::min(step, rows - first);
    for (std::uint64_t row = 0; row < count; ++row) {
      cpu::portable::kKernels.dequantize_row(tensor.type, bytes + (first + row) * row_bytes,
                                             static_cast<std::uint32_t>(width), values.data() + row * width);
    }
    const std::span<const float> piece(values.data(), static_cast<std::size_t>(count * width));
    use.Call({name, shape, to_js(env, piece)});
  }
  file.give_back(tensor);
}

}  // namespace

Napi::Value read_weights(const Napi::CallbackInfo& info) {
  const gguf::File file = gguf::File::open(Fields(info[0], "options").text("modelPath"));
  gguf::require_supported_types(file);
  const auto use = info[1].As<Napi::Function>();
  for (const gguf::TensorInfo& tensor : file.tensors()) {
    const Napi::HandleScope scope(info.Env());
    read_tensor(info.Env(), file, tensor, use);
  }
  return info.Env().Undefined();
}

}  // namespace plumbline::node
