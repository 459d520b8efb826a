#pragma once

#include <cstddef>

namespace plumbline::test {

/// The most bytes that operator new had given out at one time since the meter was made, above what was out then.
/// Counts what the whole process allocates: one meter at a time, and no other threads.
class AllocationMeter {
 public:
  AllocationMeter();
  std::size_t peak_bytes() const;

 private:
  std::size_t before_;
};

}  // namespace plumbline::test
