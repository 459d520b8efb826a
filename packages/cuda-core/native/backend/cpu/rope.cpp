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

void rope(const RopeArguments& arguments, const Slice& slice) {
  const std::size_t pairs = arguments.angles.width / 2;
  const std::size_t heads = arguments.heads.width / arguments.head_length;
  // Where the two values of pair i are: i * step and i * step + apart.
  const bool neighbours = arguments.pairing == RopePairing::neighbours;
  const std::size_t step = neighbours ? 2 : 1;
  const std::size_t apart = neighbours ? 1 : pairs;
  const Range rows = share(arguments.heads.rows, slice);
  for (std::size_t r = rows.begin; r < rows.end; ++r) {
    const float* cosines = row(arguments.angles, r);
    const float* sines = cosines + pairs;
    for (std::size_t h = 0; h < heads; ++h) {
      float* head = row(arguments.heads, r) + h * arguments.head_length;
      for (std::size_t i = 0; i < pairs; ++i) {
        float& first = head[i * step];
        float& second = head[i * step + apart];
        const float x = first;
        const float y = second;
        first = x * cosines[i] - y * sines[i];
        second = x * sines[i] + y * cosines[i];
      }
    }
  }
}

}  // namespace plumbline::cpu::PLUMBLINE_VARIANT
