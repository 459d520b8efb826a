// plumbline_bench_machine --threads N: the machine's limits with N threads, and how quiet it was, as one JSON object.
#include <cstdio>
#include <iomanip>
#include <iostream>
#include <thread>

#include "bench/arguments.h"
#include "bench/limits.h"

namespace plumbline::bench {
namespace {

void print(const char* name, const Peak& peak) {
  std::cout << ",\"" << name << "\":{\"operations_per_second\":" << peak.operations_per_second
            << ",\"instructions\":\"" << peak.instructions << "\"}";
}

void run(const Arguments& arguments) {
  const unsigned threads = arguments.number("threads");
  // On all cores, whatever is measured: whoever else is on one of them is a disturbance.
  const Calibration calibration = calibrate(std::max(1u, arguments.number("cores")));
  std::cout << std::setprecision(9) << "{\"threads\":" << threads
            << ",\"calibration_seconds\":" << calibration.seconds << ",\"calibration_lost\":" << calibration.lost
            << ",\"read_bytes_per_second\":" << read_bandwidth(threads);
  print("int8", int8_peak(threads));
  print("float32", float_peak(threads));
  std::cout << "}\n";
}

}  // namespace
}  // namespace plumbline::bench

int main(int count, char** values) {
  using namespace plumbline::bench;
  return run_program("plumbline_bench_machine", count, values, run);
}
