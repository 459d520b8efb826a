#include "node/run_op.h"

#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "backend/cpu/cpu_backend.h"
#include "node/backend_of.h"
#include "node/convert.h"
#include "node/parameters.h"

namespace plumbline::node::testing {
namespace {

[[noreturn]] void refuse(const std::string& message) { throw Error(ErrorCode::invalid_request, message); }

/// A backend, and what an op of it needs.
class Bench {
 public:
  explicit Bench(const Fields& fields)
      : backend_(backend_of(fields, precision_of(fields.text_or("precision", "exact")), fields.unsigned_integer_or("threads", 1))) {}

  Backend& backend() { return *backend_; }

  Matrix matrix(std::uint32_t rows, std::uint32_t width) {
    const std::uint32_t stride = padded_width(width);
    memory_.push_back(backend_->allocate(std::size_t{rows} * stride * sizeof(float)));
    return {static_cast<float*>(memory_.back().address()), rows, width, stride};
  }

  /// As many rows of that width as there are values for.
  Matrix matrix(const std::vector<float>& values, std::uint32_t width) {
    if (width == 0 || values.empty() || values.size() % width != 0) {
      refuse(std::to_string(values.size()) + " values are no whole number of rows of " + std::to_string(width));
    }
    const Matrix out = matrix(static_cast<std::uint32_t>(values.size() / width), width);
    backend_->copy_in(values, out);
    return out;
  }

  /// Keeps the bytes, which a weight may point into.
  const Weight& weight(const std::string& type, std::uint32_t width, std::vector<std::byte> bytes, WeightUse use) {
    for (std::uint32_t id = 0; id < 64; ++id) {
      const gguf::TypeInfo* info = gguf::find_type(id);
      if (info == nullptr || info->name != type || !info->supported) continue;
      const std::size_t row_bytes = std::size_t{width} / info->block_elements * info->block_bytes;
      if (row_bytes == 0 || width % info->block_elements != 0 || bytes.size() % row_bytes != 0) {
        refuse("the weight's bytes are no whole number of rows");
      }
      const auto rows = static_cast<std::uint32_t>(bytes.size() / row_bytes);
      bytes_.push_back(std::make_unique<std::vector<std::byte>>(std::move(bytes)));
      weights_.push_back(
          std::make_unique<Weight>(backend_->load_weight(info->type, width, rows, *bytes_.back(), use)));
      return *weights_.back();
    }
    refuse("no such weight type: " + type);
  }

  const Weight& vector(const std::vector<float>& values) {
    const auto bytes = std::as_bytes(std::span(values));
    return weight("F32", static_cast<std::uint32_t>(values.size()), {bytes.begin(), bytes.end()}, WeightUse::vector);
  }

 private:
  std::unique_ptr<Backend> backend_;
  std::vector<Memory> memory_;
  std::vector<std::unique_ptr<std::vector<std::byte>>> bytes_;
  std::vector<std::unique_ptr<Weight>> weights_;
};

Matrix run_embedding(Bench& bench, const Fields& fields) {
  const std::uint32_t width = fields.unsigned_integer("width");
  const Weight& table = bench.weight(fields.text("type"), width, fields.bytes("weight"), WeightUse::table);
  const std::vector<std::uint32_t> tokens = fields.unsigned_integers("tokenIds");
  for (const std::uint32_t token : tokens) {
    if (token >= table.rows) refuse("token id beyond the table");
  }
  const Matrix out = bench.matrix(static_cast<std::uint32_t>(tokens.size()), width);
  bench.backend().embedding(table, tokens, out);
  return out;
}

Matrix run_linear(Bench& bench, const Fields& fields) {
  const std::uint32_t width = fields.unsigned_integer("width");
  const Matrix in = bench.matrix(fields.floats("input"), width);
  const Weight& weight = bench.weight(fields.text("type"), width, fields.bytes("weight"), WeightUse::matrix);
  const Weight* bias = fields.has("bias") ? &bench.vector(fields.floats("bias")) : nullptr;
  if (bias != nullptr && bias->width != weight.rows) refuse("the bias is as long as the weight has rows");
  const Matrix out = bench.matrix(in.rows, weight.rows);
  bench.backend().linear(in, std::array{Projection{&weight, bias, out}});
  return out;
}

Matrix run_rms_norm(Bench& bench, const Fields& fields) {
  const Weight& gain = bench.vector(fields.floats("gain"));
  const Matrix in = bench.matrix(fields.floats("input"), gain.width);
  const Matrix out = bench.matrix(in.rows, in.width);
  bench.backend().rms_norm(in, gain, static_cast<float>(fields.number("epsilon")), out);
  return out;
}

Matrix run_rope(Bench& bench, const Fields& fields) {
  const std::uint32_t head_length = fields.unsigned_integer("headLength");
  const Matrix heads = bench.matrix(fields.floats("input"), head_length * fields.unsigned_integer("heads"));
  std::vector<double> frequencies(fields.unsigned_integer("ropeDimensions") / 2);
  if (frequencies.empty() || frequencies.size() * 2 > head_length) refuse("ropeDimensions must fit the head");
  for (std::size_t i = 0; i < frequencies.size(); ++i) {
    frequencies[i] = std::pow(fields.number("ropeTheta"), -static_cast<double>(i) / static_cast<double>(frequencies.size()));
  }
  const Matrix angles = bench.matrix(heads.rows, static_cast<std::uint32_t>(frequencies.size() * 2));
  bench.backend().rope_angles(frequencies, fields.unsigned_integer("firstPosition"), angles);
  const auto pairing = fields.text("pairing") == "neighbours" ? RopePairing::neighbours : RopePairing::halves;
  bench.backend().rope(heads, head_length, pairing, angles);
  return heads;
}

/// Keys and values of positions 0 … n - 1, queries of the last ones of them.
Matrix run_attention(Bench& bench, const Fields& fields) {
  const HeadShape shape = {.heads = fields.unsigned_integer("heads"),
                           .kv_heads = fields.unsigned_integer("kvHeads"),
                           .key_length = fields.unsigned_integer("keyLength"),
                           .value_length = fields.unsigned_integer("valueLength")};
  const Matrix queries = bench.matrix(fields.floats("queries"), shape.heads * shape.key_length);
  const Matrix keys = bench.matrix(fields.floats("keys"), shape.kv_heads * shape.key_length);
  const Matrix values = bench.matrix(fields.floats("values"), shape.kv_heads * shape.value_length);
  if (shape.heads % shape.kv_heads != 0 || values.rows != keys.rows || queries.rows > keys.rows) {
    refuse("queries, keys and values don't fit each other");
  }
  Backend& backend = bench.backend();
  const std::uint32_t capacity = keys.rows;
  const Memory cache = backend.allocate(backend.kv_layer_bytes(shape, capacity));
  const KvLayer layer = {shape, capacity, static_cast<std::byte*>(cache.address())};
  backend.store_kv(keys, values, layer, 0);
  const Matrix out = bench.matrix(queries.rows, shape.heads * shape.value_length);
  const auto scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(shape.key_length)));
  backend.attention(queries, layer, keys.rows - queries.rows, scale, out);
  return out;
}

Matrix run_swiglu(Bench& bench, const Fields& fields) {
  const std::uint32_t width = fields.unsigned_integer("width");
  const Matrix gate = bench.matrix(fields.floats("gate"), width);
  const Matrix up = bench.matrix(fields.floats("up"), width);
  if (gate.rows != up.rows) refuse("gate and up must be of one size");
  bench.backend().swiglu(gate, up, gate);
  return gate;
}

Matrix run_add(Bench& bench, const Fields& fields) {
  const std::uint32_t width = fields.unsigned_integer("width");
  const Matrix in = bench.matrix(fields.floats("input"), width);
  const Matrix residual = bench.matrix(fields.floats("residual"), width);
  if (in.rows != residual.rows) refuse("input and residual must be of one size");
  bench.backend().add(in, residual);
  return residual;
}

struct Op {
  const char* name;
  Matrix (*run)(Bench&, const Fields&);
};

constexpr std::array kOps = {
    Op{"embedding", run_embedding}, Op{"linear", run_linear}, Op{"rms_norm", run_rms_norm}, Op{"rope", run_rope},
    Op{"attention", run_attention}, Op{"swiglu", run_swiglu}, Op{"add", run_add},
};

}  // namespace

Napi::Value run_op(const Napi::CallbackInfo& info) {
  const Fields fields(info[0], "options");
  const std::string name = fields.text("op");
  for (const Op& op : kOps) {
    if (name != op.name) continue;
    Bench bench(fields);
    const Matrix out = op.run(bench, fields);
    std::vector<float> values(std::size_t{out.rows} * out.width);
    bench.backend().copy_out(out, values);
    return to_js(info.Env(), std::span<const float>(values));
  }
  refuse("no such op: " + name);
}

Napi::Value cpu_variants(const Napi::CallbackInfo& info) {
  Napi::Array out = Napi::Array::New(info.Env());
  for (const std::string& variant : cpu::supported_variants()) out.Set(out.Length(), variant);
  return out;
}

}  // namespace plumbline::node::testing
