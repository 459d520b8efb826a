#pragma once

#include "backend/cpu/code_sums.h"

/// What packed blocks hold, for sixteen rows at a time: `codes` of group g of four values of block s, `scale` of a half
/// of block s, `minimum` of block s (for the types that have one).
namespace plumbline::cpu::PLUMBLINE_VARIANT {

PLUMBLINE_INLINE Codes nibbles(const NibblePlanes& planes, std::size_t g) {
  return Codes::load(planes[g % 4]).bits(g < 4 ? 0 : 4, 15);
}

PLUMBLINE_INLINE Codes with_fifth_bit(const NibblePlanes& planes, const Plane& fifth_bits, std::size_t g) {
  return nibbles(planes, g) | Codes::load(fifth_bits).bits(static_cast<int>(g) - 4, 16);
}

PLUMBLINE_INLINE Codes codes(const PackedQ8_0& packed, std::size_t, std::size_t g) {
  return Codes::load(packed.codes[g]);
}
PLUMBLINE_INLINE Codes codes(const PackedQ4_0& packed, std::size_t, std::size_t g) { return nibbles(packed.nibbles, g); }
PLUMBLINE_INLINE Codes codes(const PackedQ4_1& packed, std::size_t, std::size_t g) { return nibbles(packed.nibbles, g); }
PLUMBLINE_INLINE Codes codes(const PackedQ5_0& packed, std::size_t, std::size_t g) {
  return with_fifth_bit(packed.nibbles, packed.fifth_bits, g);
}
PLUMBLINE_INLINE Codes codes(const PackedQ5_1& packed, std::size_t, std::size_t g) {
  return with_fifth_bit(packed.nibbles, packed.fifth_bits, g);
}
PLUMBLINE_INLINE Codes codes(const PackedQ4_K& packed, std::size_t s, std::size_t g) {
  return nibbles(packed.blocks[s].nibbles, g);
}
PLUMBLINE_INLINE Codes codes(const PackedQ5_K& packed, std::size_t s, std::size_t g) {
  return with_fifth_bit(packed.blocks[s].nibbles, packed.blocks[s].fifth_bits, g);
}
PLUMBLINE_INLINE Codes codes(const PackedQ6_K& packed, std::size_t s, std::size_t g) {
  const auto& block = packed.blocks[s];
  return nibbles(block.nibbles, g) | Codes::load(block.high_bits[g / 4]).bits(static_cast<int>(g % 4 * 2) - 4, 48);
}

PLUMBLINE_INLINE F32x16 bytes_to_float(const RowBytes& bytes) { return to_float(load_bytes(bytes)); }

template <class Packed>
PLUMBLINE_INLINE F32x16 scale(const Packed& packed, std::size_t, std::size_t) {
  return load_f16x16(packed.d);
}
PLUMBLINE_INLINE F32x16 scale(const PackedQ4_K& packed, std::size_t s, std::size_t) {
  return load_f16x16(packed.d) * bytes_to_float(packed.blocks[s].scale);
}
PLUMBLINE_INLINE F32x16 scale(const PackedQ5_K& packed, std::size_t s, std::size_t) {
  return load_f16x16(packed.d) * bytes_to_float(packed.blocks[s].scale);
}
PLUMBLINE_INLINE F32x16 scale(const PackedQ6_K& packed, std::size_t s, std::size_t part) {
  return load_f16x16(packed.d) *
         load_signed_bytes(reinterpret_cast<const std::int8_t*>(packed.blocks[s].scales[part]));
}

PLUMBLINE_INLINE F32x16 minimum(const PackedQ4_1& packed, std::size_t) { return load_f16x16(packed.m); }
PLUMBLINE_INLINE F32x16 minimum(const PackedQ5_1& packed, std::size_t) { return load_f16x16(packed.m); }
/// -dmin * minimum, since it is taken away.
template <class Packed>
PLUMBLINE_INLINE F32x16 minimum(const Packed& packed, std::size_t s) {
  return F32x16::zero() - load_f16x16(packed.dmin) * bytes_to_float(packed.blocks[s].minimum);
}

/// The even and odd values of a pair.
struct Pair {
  F32x16 even;
  F32x16 odd;
};

PLUMBLINE_INLINE Pair pair(const PackedF32& packed) { return {F32x16::load(packed.even), F32x16::load(packed.odd)}; }
PLUMBLINE_INLINE Pair pair(const PackedF16& packed) { return {load_f16x16(packed.even), load_f16x16(packed.odd)}; }
PLUMBLINE_INLINE Pair pair(const PackedBF16& packed) {
  Pair out;
  unrolled<kRegisters>(PLUMBLINE_UNROLLED(i) {
    WordRegister words;
    std::memcpy(&words, &packed.values[i * kRegisterLanes], sizeof words);
    out.even.v[i] = reinterpret_cast<FloatRegister>(words << 16);
    out.odd.v[i] = reinterpret_cast<FloatRegister>(words & 0xffff0000u);
  });
  return out;
}

}  // namespace plumbline::cpu::PLUMBLINE_VARIANT
