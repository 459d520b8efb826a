#include "backend/cuda/test_runtime.h"
#include "test/emulator/emulated_runtime.h"

namespace plumbline::cuda {

std::string test_runtime_problem() { return ""; }

std::unique_ptr<Runtime> test_runtime() { return emulator::emulated_runtime(); }

}  // namespace plumbline::cuda
