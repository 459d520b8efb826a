#include "backend/cpu/ops.h"

namespace plumbline::cpu::PLUMBLINE_VARIANT {

void store_kv(const StoreKvArguments& arguments, const Slice& slice) {
  const HeadShape& shape = arguments.layer.shape;
  const KvLayout layout = kv_layout(shape, arguments.layer.capacity);
  float* cache = reinterpret_cast<float*>(arguments.layer.data);
  const Range rows = share(arguments.keys.rows, slice);
  for (std::size_t r = rows.begin; r < rows.end; ++r) {
    const std::size_t position = arguments.first_position + r;
    for (std::size_t h = 0; h < shape.kv_heads; ++h) {
      const float* key = row(arguments.keys, r) + h * shape.key_length;
      float* keys = cache + h * layout.key_head + position / kKeyBlock * kKeyBlock * shape.key_length;
      for (std::size_t i = 0; i < shape.key_length; ++i) keys[i * kKeyBlock + position % kKeyBlock] = key[i];
      const float* value = row(arguments.values, r) + h * shape.value_length;
      float* values = cache + layout.values + h * layout.value_head + position * layout.value_row;
      std::memcpy(values, value, shape.value_length * sizeof(float));
    }
  }
}

}  // namespace plumbline::cpu::PLUMBLINE_VARIANT
