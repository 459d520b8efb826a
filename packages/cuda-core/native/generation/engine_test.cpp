#include "generation/engine.h"

#include <sys/resource.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <semaphore>
#include <thread>

#include <gtest/gtest.h>

#include "allocation_meter.h"
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

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
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

class EngineInEitherPrecision : public testing::TestWithParam<Precision> {};

TEST_P(EngineInEitherPrecision, AllocatesNothingFromTokenToToken) {
  EngineOptions options = plumbline::options();
  options.precision = GetParam();
  options.threads = 2;
  Engine engine(options, [](double, LoadStage) {});
  for (const double temperature : {0.0, 0.8}) {
    struct Seen {
      test::AllocationMeter meter;
      std::vector<std::size_t> allocations;
      std::binary_semaphore ended{0};
    };
    const auto seen = std::make_shared<Seen>();
    seen->allocations.reserve(101);
    const GenerationRequest request{
        .prompt = {1, 9, 5}, .max_tokens = 100, .sampling = {.temperature = temperature}, .ignore_eos = true};
    const auto job = engine.generator().start(request, [seen] {
      seen->allocations.push_back(seen->meter.allocations());
      if (seen->allocations.size() == 101) seen->ended.release();
    });
    ASSERT_TRUE(seen->ended.try_acquire_for(std::chrono::seconds(20)));
    EXPECT_EQ(seen->allocations[99], seen->allocations[1])
        << "between the second token and the last, at temperature " << temperature;
    while (engine.generator().busy()) std::this_thread::yield();
  }
}

TEST_P(EngineInEitherPrecision, CostsNothingWhileItIsIdle) {
  EngineOptions options = plumbline::options();
  options.precision = GetParam();
  options.threads = 4;
  Engine engine(options, [](double, LoadStage) {});
  EXPECT_EQ(generate(engine, {1, 9, 5}, 20).size(), 20u);
  // At most 1 % of a core. A busy machine may take its time until all threads are asleep.
  double spent = 1;
  for (int window = 0; window < 20 && spent > 0.005; ++window) {
    const double before = cpu_seconds();
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    spent = cpu_seconds() - before;
  }
  EXPECT_LE(spent, 0.005);
}

INSTANTIATE_TEST_SUITE_P(Precisions, EngineInEitherPrecision, testing::Values(Precision::fast, Precision::exact));

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
