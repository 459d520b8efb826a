#pragma once

#include <string>

/// What the machine can do at most, measured with loops that do nothing else: one file each.
namespace plumbline::bench {

struct Calibration {
  /// Of a fixed amount of dependent integer work on every thread.
  double seconds;
  /// The share of that time that the threads did not run, because something else did: 0 on an idle machine.
  double lost;
};
Calibration calibrate(unsigned threads);

/// Bytes per second that `threads` threads go on reading of a buffer larger than the caches, each its own contiguous share.
double read_bandwidth(unsigned threads);

struct Peak {
  /// A multiplication and an addition count as two.
  double operations_per_second;
  /// What it was reached with, e.g. "AVX-512 VNNI vpdpbusd".
  std::string instructions;
};
/// Products of 8-bit integers, summed in 32 bits.
Peak int8_peak(unsigned threads);
/// float32 multiply-adds.
Peak float_peak(unsigned threads);

}  // namespace plumbline::bench
