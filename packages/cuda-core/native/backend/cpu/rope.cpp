#include "backend/cpu/ops.h"

#include <math.h>

namespace plumbline::cpu::PLUMBLINE_VARIANT {

void rope_angles(const RopeAnglesArguments& arguments, const Slice& slice) {
  const std::size_t pairs = arguments.out.width / 2;
  const Range rows = share(arguments.out.rows, slice);
  for (std::size_t r = rows.begin; r < rows.end; ++r) {
    const double position = static_cast<double>(arguments.first_position + r);
    float* cosines = row(arguments.out, r);
    float* sines = cosines + pairs;
    for (std::size_t i = 0; i < pairs; ++i) {
      const double angle = position * arguments.frequencies[i];
      cosines[i] = static_cast<float>(::cos(angle));
      sines[i] = static_cast<float>(::sin(angle));
    }
  }
}

namespace {

/// `restrict`, since the compiler must see that nothing overlaps to make vectors of it.
PLUMBLINE_INLINE void rotate_halves(float* __restrict first, float* __restrict second, const float* __restrict cosines,
                                    const float* __restrict sines, std::size_t pairs) {
  for (std::size_t i = 0; i < pairs; ++i) {
    const float x = first[i];
    const float y = second[i];
    first[i] = x * cosines[i] - y * sines[i];
    second[i] = x * sines[i] + y * cosines[i];
  }
}

PLUMBLINE_INLINE void rotate_neighbours(float* __restrict head, const float* __restrict cosines,
                                        const float* __restrict sines, std::size_t pairs) {
  for (std::size_t i = 0; i < pairs; ++i) {
    const float x = head[2 * i];
    const float y = head[2 * i + 1];
    head[2 * i] = x * cosines[i] - y * sines[i];
    head[2 * i + 1] = x * sines[i] + y * cosines[i];
  }
}

}  // namespace

void rope(const RopeArguments& arguments, const Slice& slice) {
  const std::size_t pairs = arguments.angles.width / 2;
  const std::size_t heads = arguments.heads.width / arguments.head_length;
  const Range rows = share(arguments.heads.rows, slice);
  for (std::size_t r = rows.begin; r < rows.end; ++r) {
    const float* cosines = row(arguments.angles, r);
    for (std::size_t h = 0; h < heads; ++h) {
      float* head = row(arguments.heads, r) + h * arguments.head_length;
      if (arguments.pairing == RopePairing::neighbours) {
        rotate_neighbours(head, cosines, cosines + pairs, pairs);
      } else {
        rotate_halves(head, head + pairs, cosines, cosines + pairs, pairs);
      }
    }
  }
}

}  // namespace plumbline::cpu::PLUMBLINE_VARIANT
