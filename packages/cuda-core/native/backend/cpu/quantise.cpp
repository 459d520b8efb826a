#include "backend/cpu/fast_ops.h"

/// Activations as int8 with one float32 scale for 32 of them: value = scale * quant, rounded to the nearest, ties to even.
namespace plumbline::cpu::PLUMBLINE_VARIANT {
namespace {

static_assert(kBlockValues == 2 * kLanes);

typedef std::int8_t I8Register __attribute__((vector_size(kRegisterLanes)));

/// The largest magnitude, with NaN above all: a block with one then gets the scale NaN, which nobody can overlook.
PLUMBLINE_INLINE float largest_magnitude(const F32x16& a, const F32x16& b) {
  // Floats without their sign are ordered as the integers that their bits are.
  IntRegister most = {};
  unrolled<kRegisters>(PLUMBLINE_UNROLLED(i) {
    const IntRegister x = reinterpret_cast<IntRegister>(a.v[i]) & 0x7fffffff;
    const IntRegister y = reinterpret_cast<IntRegister>(b.v[i]) & 0x7fffffff;
    const IntRegister larger = x > y ? x : y;
    most = larger > most ? larger : most;
  });
  std::int32_t lanes[kRegisterLanes];
  std::memcpy(lanes, &most, sizeof lanes);
  for (std::size_t width = kRegisterLanes / 2; width > 0; width /= 2) {
    for (std::size_t i = 0; i < width; ++i) lanes[i] = lanes[i] > lanes[i + width] ? lanes[i] : lanes[i + width];
  }
  float out;
  std::memcpy(&out, lanes, sizeof out);
  return out;
}

/// Writes 16 quants and returns their sum.
PLUMBLINE_INLINE std::int32_t put_quants(const F32x16& x, const F32x16& inverse, std::int8_t* out) {
  // Adding 1.5 * 2^23 rounds to an integer, which then stands in the low bits.
  const F32x16 magic = F32x16::broadcast(12582912.0f);
  const F32x16 shifted = x * inverse + magic;
  unrolled<kRegisters>(PLUMBLINE_UNROLLED(i) {
    const I8Register quants = __builtin_convertvector(reinterpret_cast<IntRegister>(shifted.v[i]), I8Register);
    std::memcpy(out + i * kRegisterLanes, &quants, sizeof quants);
  });
  const F32x16 total = shifted - magic;
  // Out of range where the scale is not finite; the sum counts for nothing then, but its conversion must be defined.
  const float s = sum(total);
  return s > -4096.0f && s < 4096.0f ? static_cast<std::int32_t>(s) : 0;
}

void quantise_block(const float* in, ActivationBlock& out) {
  const F32x16 low = F32x16::load(in);
  const F32x16 high = F32x16::load(in + kLanes);
  const float most = largest_magnitude(low, high);
  // Below that the inverse would overflow, and such activations change nothing.
  const F32x16 inverse = F32x16::broadcast(most < 1e-30f ? 0.0f : 127.0f / most);
  const std::int32_t low_sum = put_quants(low, inverse, out.quants);
  const std::int32_t total = low_sum + put_quants(high, inverse, out.quants + kLanes);
  out.scale = most / 127.0f;
  out.scaled_sum = out.scale * static_cast<float>(total);
  out.minus_sum = -total;
  out.minus_low_sum = -low_sum;
}

}  // namespace

void quantise(const QuantiseArguments& arguments, const Slice& slice) {
  const std::size_t blocks = arguments.in.width / kBlockValues;
  const Range all = share(arguments.in.rows * blocks, slice);
  for (std::size_t i = all.begin; i < all.end; ++i) {
    quantise_block(row(arguments.in, i / blocks) + i % blocks * kBlockValues, arguments.out[i]);
  }
}

}  // namespace plumbline::cpu::PLUMBLINE_VARIANT
