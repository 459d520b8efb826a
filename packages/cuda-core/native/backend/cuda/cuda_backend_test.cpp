#include "backend/cuda/cuda_backend.h"

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <optional>
#include <vector>

#include "assets.h"
#include "backend/cuda/test_runtime.h"
#include "error.h"
#include "gguf/file.h"
#include "model/session.h"

namespace plumbline::cuda {
namespace {

/// What a FaultyRuntime does and what it has seen, shared with the test, which outlives it.
struct Faults {
  /// Which of the calls fails, counted from 0, and how; all that follow too if the error is sticky.
  std::optional<std::size_t> at;
  Status status = Status::launch_failure;
  bool sticky = false;
  /// Counts only these; all of them if it is empty.
  std::string call;

  std::size_t calls = 0;
  std::size_t allocations_alive = 0;
  std::size_t streams_alive = 0;
};

/// Another runtime, one of whose calls fails.
class FaultyRuntime final : public Runtime {
 public:
  FaultyRuntime(std::unique_ptr<Runtime> runtime, Faults& faults) : runtime_(std::move(runtime)), faults_(faults) {}

  std::string device() const override { return runtime_->device(); }
  std::string describe(Status status) const override { return runtime_->describe(status); }

  Status memory_info(std::size_t& free_bytes, std::size_t& total_bytes) override {
    return unless_faulty("memory_info", [&] { return runtime_->memory_info(free_bytes, total_bytes); });
  }
  Status allocate(void*& address, std::size_t bytes) override {
    const Status status = unless_faulty("allocate", [&] { return runtime_->allocate(address, bytes); });
    if (status == Status::success) ++faults_.allocations_alive;
    return status;
  }
  // What is given back is given back, whatever the runtime says.
  Status release(void* address) override {
    --faults_.allocations_alive;
    return runtime_->release(address);
  }
  Status create_stream(StreamHandle& stream) override {
    const Status status = unless_faulty("create_stream", [&] { return runtime_->create_stream(stream); });
    if (status == Status::success) ++faults_.streams_alive;
    return status;
  }
  Status destroy_stream(StreamHandle stream) override {
    --faults_.streams_alive;
    return runtime_->destroy_stream(stream);
  }
  Status synchronize(StreamHandle stream) override {
    return unless_faulty("synchronize", [&] { return runtime_->synchronize(stream); });
  }
  Status zero(void* address, std::size_t bytes, StreamHandle stream) override {
    return unless_faulty("zero", [&] { return runtime_->zero(address, bytes, stream); });
  }
  Status copy_in(const Copy& copy, StreamHandle stream) override {
    return unless_faulty("copy_in", [&] { return runtime_->copy_in(copy, stream); });
  }
  Status copy_out(const Copy& copy, StreamHandle stream) override {
    return unless_faulty("copy_out", [&] { return runtime_->copy_out(copy, stream); });
  }
  Status launch(const Launch& launch, StreamHandle stream) override {
    return unless_faulty("launch", [&] { return runtime_->launch(launch, stream); });
  }

 private:
  template <class Call>
  Status unless_faulty(const std::string& name, const Call& call) {
    if (!faults_.call.empty() && faults_.call != name) return call();
    const std::size_t number = faults_.calls++;
    if (faults_.at && (number == *faults_.at || (faults_.sticky && number > *faults_.at))) return faults_.status;
    return call();
  }

  std::unique_ptr<Runtime> runtime_;
  Faults& faults_;
};

Error error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was thrown";
  return Error(ErrorCode::internal, "");
}

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

TEST_F(CudaBackend, NamesTheKernelThatCouldNotBeLaunched) {
  faults_ = {.at = 3, .status = Status::launch_failure, .call = "launch"};
  const Error error = error_of([&] { run_model(); });
  EXPECT_EQ(error.code(), ErrorCode::cuda_error);
  // After embedding, rope_angles and rms_norm.
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
  for (std::size_t at = 0; at < calls; ++at) {
    // Once the first kernels run, every seventh stands for its neighbours.
    if (at > 100 && at % 7 != 0) continue;
    for (const bool sticky : {false, true}) {
      faults_ = {.at = at, .status = Status::launch_failure, .sticky = sticky, .call = ""};
      const Error error = error_of([&] { run_model(); });
      EXPECT_EQ(error.code(), ErrorCode::cuda_error) << error.what();
      EXPECT_EQ(faults_.allocations_alive, 0u) << "call " << at;
      EXPECT_EQ(faults_.streams_alive, 0u) << "call " << at;
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
