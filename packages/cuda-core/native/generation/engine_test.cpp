#include "generation/engine.h"

#include <condition_variable>
#include <mutex>

#include <gtest/gtest.h>

#include "assets.h"
#include "gguf_writer.h"

namespace plumbline {
namespace {

const char* const kModel = "stories260K/stories260K-f32.gguf";

EngineOptions options() {
  return {.model_path = test::committed_asset(kModel), .device = "cpu", .precision = Precision::exact, .threads = 1};
}

ErrorCode code_of(const EngineOptions& options) {
  try {
    Engine engine(options, [](double, LoadStage) {});
  } catch (const Error& error) {
    return error.code();
  }
  return ErrorCode::internal;
}

/// All tokens of one greedy generation.
std::vector<std::uint32_t> generate(Engine& engine, std::vector<std::uint32_t> prompt, std::uint32_t max_tokens) {
  std::mutex mutex;
  std::condition_variable ended;
  const auto job = engine.generator().start(
      {.prompt = std::move(prompt), .max_tokens = max_tokens, .sampling = {.temperature = 0}}, [&] {
        const std::lock_guard lock(mutex);
        ended.notify_one();
      });
  {
    std::unique_lock lock(mutex);
    ended.wait(lock, [&] { return job->result() != nullptr; });
  }
  EXPECT_FALSE(job->result()->error) << job->result()->error->what();
  std::vector<std::uint32_t> tokens;
  for (const TokenRecord& record : job->take_tokens()) tokens.push_back(record.token);
  return tokens;
}

TEST(Engine, LoadsAndGeneratesTheSameTwice) {
  double last = 0;
  Engine engine(options(), [&](double fraction, LoadStage) {
    EXPECT_GE(fraction, last);
    last = fraction;
  });
  EXPECT_EQ(last, 1);
  EXPECT_EQ(engine.device().name, "cpu");
  EXPECT_EQ(engine.context_length(), engine.model().hyperparameters().trained_context_length);
  const auto first = generate(engine, {1, 9, 5}, 20);
  EXPECT_EQ(first.size(), 20u);
  EXPECT_EQ(generate(engine, {1, 9, 5}, 20), first);
  EXPECT_GE(engine.generator().progress(), 2 * 20 * std::uint64_t{engine.model().hyperparameters().layers});
  EXPECT_GT(engine.memory_use().kv_cache, 0u);
  EXPECT_GT(engine.memory_use().weights, 1'000'000u);
}

TEST(Engine, IsDestroyedWhileAJobRuns) {
  auto engine = std::make_unique<Engine>(options(), [](double, LoadStage) {});
  const auto job = engine->generator().start({.prompt = {1}, .max_tokens = 120}, [] {});
  engine.reset();
  ASSERT_NE(job->result(), nullptr);
}

TEST(Engine, RefusesADeviceThatIsNotThere) {
  EngineOptions cuda = options();
  cuda.device = "cuda:0";
  EXPECT_EQ(code_of(cuda), ErrorCode::device_unavailable);
  cuda.device = "gpu";
  EXPECT_EQ(code_of(cuda), ErrorCode::invalid_option);
}

TEST(Engine, SaysWhyAutoFellBack) {
  EXPECT_EQ(choose_device("auto").name, "cpu");
  EXPECT_FALSE(choose_device("auto").fallback_reason.empty());
  EXPECT_TRUE(choose_device("cpu").fallback_reason.empty());
}

TEST(Engine, RefusesAContextLongerThanTheModelWasTrainedFor) {
  EngineOptions long_context = options();
  long_context.context_length = 1'000'000;
  EXPECT_EQ(code_of(long_context), ErrorCode::context_overflow);
}

TEST(Engine, RefusesAFileThatIsNoModel) {
  EngineOptions missing = options();
  missing.model_path = "/nonexistent.gguf";
  EXPECT_EQ(code_of(missing), ErrorCode::model_not_found);
  test::GgufWriter writer;
  writer.text("general.architecture", "mamba");
  const test::TemporaryFile other(writer.bytes());
  missing.model_path = other.path();
  EXPECT_EQ(code_of(missing), ErrorCode::unsupported_architecture);
}

}  // namespace
}  // namespace plumbline
