#pragma once

#include <cstddef>

namespace plumbline::test {

/// What the whole process gets of operator new since the meter was made: one meter at a time.
class AllocationMeter {
 public:
  AllocationMeter();
  /// The most bytes that were out at one time, above what was out when the meter was made. With no other threads.
  std::size_t peak_bytes() const;
  /// How often something was asked for.
  std::size_t allocations() const;

 private:
  std::size_t before_;
  std::size_t allocations_before_;
};

}  // namespace plumbline::test
