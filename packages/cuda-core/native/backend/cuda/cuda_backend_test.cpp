#include "backend/cuda/cuda_backend.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "assets.h"
#include "backend/cuda/test_runtime.h"
#include "error.h"
#include "error_of.h"
#include "faulty_runtime.h"
#include "gguf/file.h"
#include "model/session.h"

namespace plumbline::cuda {
namespace {

using test::error_of;

std::uint64_t number(const Error& error, const std::string& field) { return std::get<std::uint64_t>(error.fields().at(field)); }
std::string text(const Error& error, const std::string& field) { return std::get<std::string>(error.fields().at(field)); }

class CudaBackend : public testing::Test {
 protected:
  void SetUp() override { PLUMBLINE_NEEDS_CUDA_DEVICE(); }

  std::unique_ptr<Backend> backend() { return create_backend(std::make_unique<FaultyRuntime>(test_runtime(), faults_)); }

  /// Loads a model and evaluates a token, then gives everything back.
  void run_model() {
    const auto path = test::committed_asset("stories260K/stories260K-f32.gguf");
    const auto model = Model::load(std::make_shared<const gguf::File>(gguf::File::open(path)), backend());
    Session session(*model, 16);
    session.forward(std::array<std::uint32_t, 1>{1});
  }

  Faults faults_;
};

TEST_F(CudaBackend, SaysWhatItIs) {
  const auto made = backend();
  EXPECT_EQ(made->name(), "cuda:" + test_runtime()->device());
  EXPECT_EQ(made->threads(), 0u);
  EXPECT_EQ(made->precision(), Precision::exact);
}

TEST_F(CudaBackend, GivesMemoryThatIsZero) {
  const auto made = backend();
  const Memory memory = made->allocate(4 * 37);
  std::vector<float> values(37, 1.0f);
  made->copy_out({static_cast<float*>(memory.address()), 1, 37, 37}, values);
  EXPECT_EQ(values, std::vector<float>(37, 0.0f));
  EXPECT_EQ(made->allocate(0).address(), nullptr);
}

TEST_F(CudaBackend, SaysHowMuchMemoryItCouldNotGet) {
  const auto made = backend();
  const Error error = error_of([&] { made->allocate(std::size_t{1} << 46); });
  EXPECT_EQ(error.code(), ErrorCode::vram_oom);
  EXPECT_EQ(number(error, "bytes"), std::uint64_t{1} << 46);
  EXPECT_GT(number(error, "free_bytes"), 0u);
  EXPECT_GE(number(error, "total_bytes"), number(error, "free_bytes"));
  EXPECT_EQ(text(error, "device"), test_runtime()->device());
}

TEST_F(CudaBackend, RefusesAModelThatCannotFitAndSaysWhatWould) {
  const auto made = backend();
  std::size_t free_bytes = 0, total_bytes = 0;
  ASSERT_EQ(test_runtime()->memory_info(free_bytes, total_bytes), Status::success);
  const std::size_t a_tenth = free_bytes / 10;
  made->require_memory({.weights = a_tenth, .kv_cache = a_tenth, .workspace = a_tenth, .context_length = 1000});

  const Error error = error_of([&] {
    made->require_memory({.weights = a_tenth, .kv_cache = 20 * a_tenth, .workspace = a_tenth, .context_length = 1000});
  });
  EXPECT_EQ(error.code(), ErrorCode::insufficient_vram);
  EXPECT_EQ(number(error, "weight_bytes"), a_tenth);
  EXPECT_EQ(number(error, "kv_cache_bytes"), 20 * a_tenth);
  EXPECT_EQ(number(error, "workspace_bytes"), a_tenth);
  // Eight tenths are left, and a position takes a fiftieth of one.
  EXPECT_NEAR(static_cast<double>(number(error, "fitting_context_length")), 400, 1);
  EXPECT_NE(std::string(error.what()).find("positions would fit"), std::string::npos) << error.what();

  const Error hopeless = error_of([&] {
    made->require_memory({.weights = 20 * a_tenth, .kv_cache = a_tenth, .workspace = a_tenth, .context_length = 1000});
  });
  EXPECT_EQ(hopeless.code(), ErrorCode::insufficient_vram);
  EXPECT_EQ(number(hopeless, "fitting_context_length"), 0u);
}

TEST_F(CudaBackend, NamesTheCallThatFailedItsPlaceAndTheDevice) {
  faults_ = {.at = 0, .status = Status::illegal_address, .call = "synchronize"};
  const Error error = error_of([&] { run_model(); });
  EXPECT_EQ(error.code(), ErrorCode::cuda_error);
  EXPECT_EQ(text(error, "call"), "cudaStreamSynchronize");
  EXPECT_EQ(number(error, "status"), 700u);
  EXPECT_EQ(text(error, "file"), "cuda_backend.cpp");
  EXPECT_GT(number(error, "line"), 0u);
  EXPECT_EQ(text(error, "device"), test_runtime()->device());
  EXPECT_NE(std::string(error.what()).find("cudaStreamSynchronize failed on " + test_runtime()->device() +
                                           ": cudaErrorIllegalAddress (an illegal memory access was encountered) (cuda_backend.cpp:"),
            std::string::npos)
      << error.what();
}

TEST_F(CudaBackend, SaysThatAnotherProcessKeepsTheDevice) {
  faults_ = {.at = 0, .status = Status::devices_unavailable, .call = "create_stream"};
  const Error error = error_of([&] { backend(); });
  EXPECT_EQ(error.code(), ErrorCode::device_unavailable);
  EXPECT_EQ(text(error, "problem"), "gpu_in_use");
  EXPECT_EQ(std::string(error.what()).find(test_runtime()->device() + " is in exclusive use by another process"), 0u) << error.what();
  EXPECT_EQ(faults_.streams_alive, 0u);
}

TEST_F(CudaBackend, NamesTheKernelThatCouldNotBeLaunched) {
  faults_ = {.at = 0, .status = Status::launch_failure, .call = "launch linear"};
  const Error error = error_of([&] { run_model(); });
  EXPECT_EQ(error.code(), ErrorCode::cuda_error);
  EXPECT_EQ(text(error, "call"), "launch of linear");
  EXPECT_EQ(text(error, "file"), "linear.cu");
}

/// Whichever call of a whole load and forward pass fails, once or for good: a typed error, and nothing is left behind.
TEST_F(CudaBackend, LeaksNothingWhicheverCallFails) {
  run_model();
  const std::size_t calls = faults_.calls;
  ASSERT_GT(calls, 100u);
  EXPECT_EQ(faults_.allocations_alive, 0u);
  EXPECT_EQ(faults_.streams_alive, 0u);
  EXPECT_EQ(faults_.pinned_alive, 0u);
  for (std::size_t at = 0; at < calls; ++at) {
    // Once the first kernels run, every seventh stands for its neighbours.
    if (at > 100 && at % 7 != 0) continue;
    for (const bool sticky : {false, true}) {
      faults_ = {.at = at, .status = Status::launch_failure, .sticky = sticky, .call = ""};
      const Error error = error_of([&] { run_model(); });
      EXPECT_EQ(error.code(), ErrorCode::cuda_error) << error.what();
      EXPECT_EQ(faults_.allocations_alive, 0u) << "call " << at;
      EXPECT_EQ(faults_.streams_alive, 0u) << "call " << at;
      EXPECT_EQ(faults_.pinned_alive, 0u) << "call " << at;
    }
  }
}

TEST_F(CudaBackend, LeaksNothingWhicheverAllocationFails) {
  faults_.call = "allocate";
  run_model();
  const std::size_t allocations = faults_.calls;
  ASSERT_GT(allocations, 40u);
  for (std::size_t at = 0; at < allocations; ++at) {
    faults_ = {.at = at, .status = Status::out_of_memory, .call = "allocate"};
    const Error error = error_of([&] { run_model(); });
    EXPECT_EQ(error.code(), ErrorCode::vram_oom) << error.what();
    EXPECT_EQ(faults_.allocations_alive, 0u) << "allocation " << at;
    EXPECT_EQ(faults_.streams_alive, 0u) << "allocation " << at;
    EXPECT_EQ(faults_.pinned_alive, 0u) << "allocation " << at;
  }
}

TEST_F(CudaBackend, NamesTheTensorThatDidNotArriveAsItWasRead) {
  run_model();
  // token_embd.weight, then blk.0.attn_norm.weight and blk.0.attn_q.weight: each of them one piece.
  for (const auto& [copy, tensor] : {std::pair{0u, "token_embd.weight"}, {2u, "blk.0.attn_q.weight"}}) {
    faults_ = {.damaged_copy = copy};
    const Error error = error_of([&] { run_model(); });
    EXPECT_EQ(error.code(), ErrorCode::checksum_mismatch) << error.what();
    EXPECT_EQ(text(error, "tensor"), tensor);
    EXPECT_EQ(faults_.allocations_alive + faults_.pinned_alive + faults_.streams_alive, 0u);
  }
}

TEST_F(CudaBackend, AHundredLoadsLeaveAsMuchMemoryAsTheyFound) {
  run_model();
  std::size_t before = 0, after = 0, total_bytes = 0;
  const auto runtime = test_runtime();
  ASSERT_EQ(runtime->memory_info(before, total_bytes), Status::success);
  for (int i = 0; i < 100; ++i) run_model();
  ASSERT_EQ(runtime->memory_info(after, total_bytes), Status::success);
  EXPECT_EQ(after, before);
}

}  // namespace
}  // namespace plumbline::cuda
