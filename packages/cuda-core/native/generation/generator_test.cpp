#include "generation/generator.h"

#include <chrono>
#include <cmath>
#include <future>
#include <new>

#include <gtest/gtest.h>

namespace plumbline {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kVocabSize = 10;

/// Always makes the token behind the last one the likeliest (modulo the vocabulary), and does what a test asks before that.
class FakeEvaluator final : public Evaluator {
 public:
  std::uint32_t vocab_size() const override { return kVocabSize; }
  std::uint32_t context_length() const override { return 64; }
  void reset() override {
    ++resets;
    evaluated = 0;
  }
  std::span<const float> forward(std::span<const std::uint32_t> tokens, const ForwardOptions& options) override {
    calls.push_back(tokens.size());
    if (before) before(calls.size());
    while (calls.size() == endless_call && !*options.cancelled) std::this_thread::yield();
    evaluated += tokens.size();
    if (options.progress != nullptr) *options.progress += 1;
    if (options.logits == LogitRows::none || *options.cancelled) return {};
    const std::size_t rows = options.logits == LogitRows::all ? tokens.size() : 1;
    logits.assign(rows * kVocabSize, 0.f);
    logits[(rows - 1) * kVocabSize + (tokens.back() + 1) % kVocabSize] = 5.f;
    return logits;
  }

  /// Called with the number of the forward call, from 1.
  std::function<void(std::size_t)> before;
  /// The forward call that lasts until the job is cancelled; 0: none does.
  std::size_t endless_call = 0;
  std::vector<std::size_t> calls;
  std::size_t evaluated = 0;
  int resets = 0;
  std::vector<float> logits;
};

GenerationRequest request(std::uint32_t max_tokens) {
  return {.prompt = {1, 2, 3}, .max_tokens = max_tokens, .sampling = {.temperature = 0}};
}

/// A job with what it takes to wait for its end.
struct Running {
  std::shared_ptr<Job> job;
  std::shared_future<void> ended;
  int notifications = 0;

  const GenerationResult& wait() {
    EXPECT_EQ(ended.wait_for(10s), std::future_status::ready) << "no result within 10 s";
    return *job->result();
  }
};

std::unique_ptr<Running> start(Generator& generator, GenerationRequest what) {
  auto running = std::make_unique<Running>();
  std::promise<std::weak_ptr<Job>> given;  // a job must not own itself through what it notifies
  auto job = given.get_future().share();
  const auto ended = std::make_shared<std::promise<void>>();
  running->ended = ended->get_future().share();
  running->job = generator.start(std::move(what), [&running = *running, job, ended] {
    ++running.notifications;
    if (job.get().lock()->result() != nullptr) ended->set_value();
  });
  given.set_value(running->job);
  return running;
}

std::vector<std::uint32_t> tokens_of(Job& job) {
  std::vector<std::uint32_t> tokens;
  for (const TokenRecord& record : job.take_tokens()) {
    EXPECT_EQ(record.index, tokens.size());
    tokens.push_back(record.token);
  }
  return tokens;
}

ErrorCode code_of(const auto& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.code();
  }
  return ErrorCode::internal;
}

TEST(Generator, EmitsTokensUpToTheMaximum) {
  FakeEvaluator evaluator;
  Generator generator(evaluator);
  const auto running = start(generator, request(4));
  const GenerationResult& result = running->wait();
  EXPECT_EQ(result.stop_reason, StopReason::max_tokens);
  EXPECT_EQ(result.tokens, 4u);
  EXPECT_FALSE(result.error);
  EXPECT_EQ(tokens_of(*running->job), (std::vector<std::uint32_t>{4, 5, 6, 7}));
  EXPECT_EQ(running->notifications, 5) << "one a token and one for the result";
  // The last token is not evaluated: nobody wants its logits.
  EXPECT_EQ(evaluator.calls, (std::vector<std::size_t>{3, 1, 1, 1}));
  EXPECT_EQ(generator.progress(), 4u);
  EXPECT_FALSE(generator.busy());
}

TEST(Generator, KeepsTheEndOfSequenceTokenToItself) {
  FakeEvaluator evaluator;
  Generator generator(evaluator);
  GenerationRequest what = request(20);
  what.eos_ids = {9, 6};
  const auto running = start(generator, what);
  EXPECT_EQ(running->wait().stop_reason, StopReason::eos);
  EXPECT_EQ(tokens_of(*running->job), (std::vector<std::uint32_t>{4, 5}));
  EXPECT_EQ(running->job->result()->tokens, 2u);
}

TEST(Generator, IgnoresTheEndOfSequenceWhenAsked) {
  FakeEvaluator evaluator;
  Generator generator(evaluator);
  GenerationRequest what = request(5);
  what.eos_ids = {5};
  what.ignore_eos = true;
  const auto running = start(generator, what);
  EXPECT_EQ(running->wait().stop_reason, StopReason::max_tokens);
  EXPECT_EQ(tokens_of(*running->job), (std::vector<std::uint32_t>{4, 5, 6, 7, 8}));
}

TEST(Generator, EvaluatesThePromptInChunks) {
  FakeEvaluator evaluator;
  Generator generator(evaluator);
  GenerationRequest what = request(1);
  what.prompt = {1, 2, 3, 4, 5, 6, 7};
  what.prefill_chunk = 3;
  start(generator, what)->wait();
  EXPECT_EQ(evaluator.calls, (std::vector<std::size_t>{3, 3, 1}));
  EXPECT_EQ(evaluator.resets, 1);
}

TEST(Generator, EvaluatesThePromptAloneWhenNoTokenIsAskedFor) {
  FakeEvaluator evaluator;
  Generator generator(evaluator);
  const auto running = start(generator, request(0));
  EXPECT_EQ(running->wait().stop_reason, StopReason::max_tokens);
  EXPECT_EQ(running->job->take_tokens().size(), 0u);
  EXPECT_EQ(evaluator.evaluated, 3u);
}

TEST(Generator, ReportsLogProbabilitiesWhenAsked) {
  FakeEvaluator evaluator;
  Generator generator(evaluator);
  GenerationRequest what = request(1);
  what.top_log_probabilities = 2;
  const auto running = start(generator, what);
  running->wait();
  const auto records = running->job->take_tokens();
  ASSERT_EQ(records.size(), 1u);
  ASSERT_TRUE(records[0].log_probabilities);
  EXPECT_NEAR(records[0].log_probabilities->chosen, 5 - std::log(std::exp(5.0) + 9), 1e-12);
  ASSERT_EQ(records[0].log_probabilities->top.size(), 2u);
  EXPECT_EQ(records[0].log_probabilities->top[0].token, 4u);
  EXPECT_EQ(records[0].log_probabilities->top[1].token, 0u);
}

TEST(Generator, StopsBetweenTokensWhenCancelled) {
  FakeEvaluator evaluator;
  Generator generator(evaluator);
  std::promise<void> reached, cancelled;
  evaluator.before = [&](std::size_t call) {
    if (call != 3) return;
    reached.set_value();
    cancelled.get_future().wait();
  };
  const auto running = start(generator, request(50));
  reached.get_future().wait();
  running->job->cancel();
  running->job->cancel();  // idempotent
  cancelled.set_value();
  EXPECT_EQ(running->wait().stop_reason, StopReason::cancelled);
  EXPECT_EQ(running->job->result()->tokens, 2u);
  EXPECT_EQ(evaluator.calls.size(), 3u) << "nothing is evaluated after the cancellation";
}

TEST(Generator, StopsBetweenPrefillChunksWhenCancelled) {
  FakeEvaluator evaluator;
  Generator generator(evaluator);
  std::promise<void> reached, cancelled;
  evaluator.before = [&](std::size_t call) {
    if (call != 2) return;
    reached.set_value();
    cancelled.get_future().wait();
  };
  GenerationRequest what = request(5);
  what.prompt.assign(40, 1);
  what.prefill_chunk = 4;
  const auto running = start(generator, what);
  reached.get_future().wait();
  running->job->cancel();
  cancelled.set_value();
  EXPECT_EQ(running->wait().stop_reason, StopReason::cancelled);
  EXPECT_EQ(evaluator.calls.size(), 2u);
  EXPECT_EQ(running->job->result()->tokens, 0u);
}

TEST(Generator, StopsInTheMiddleOfTheLastChunkWhenCancelled) {
  FakeEvaluator evaluator;
  Generator generator(evaluator);
  std::promise<void> reached, cancelled;
  evaluator.before = [&](std::size_t call) {
    if (call != 1) return;
    reached.set_value();
    cancelled.get_future().wait();
  };
  const auto running = start(generator, request(5));
  reached.get_future().wait();
  running->job->cancel();
  cancelled.set_value();
  EXPECT_EQ(running->wait().stop_reason, StopReason::cancelled);
  EXPECT_EQ(running->job->result()->tokens, 0u);
  EXPECT_EQ(start(generator, request(3))->wait().tokens, 3u);
}

TEST(Generator, TurnsWhatIsThrownIntoTheResultAndGoesOn) {
  FakeEvaluator evaluator;
  Generator generator(evaluator);
  const auto code_after = [&](std::function<void(std::size_t)> fault) {
    evaluator.before = std::move(fault);
    evaluator.calls.clear();
    const auto running = start(generator, request(5));
    const GenerationResult& result = running->wait();
    EXPECT_EQ(result.stop_reason, StopReason::error);
    EXPECT_EQ(result.tokens, 1u);
    return result.error.value().code();
  };
  const auto on_second = [](auto thrown) { return [thrown](std::size_t call) { if (call == 2) throw thrown; }; };
  EXPECT_EQ(code_after(on_second(Error(ErrorCode::vram_oom, "full"))), ErrorCode::vram_oom);
  EXPECT_EQ(code_after(on_second(std::bad_alloc())), ErrorCode::out_of_memory);
  EXPECT_EQ(code_after(on_second(std::runtime_error("no"))), ErrorCode::internal);
  EXPECT_EQ(code_after(on_second(42)), ErrorCode::internal);

  evaluator.before = nullptr;
  EXPECT_EQ(start(generator, request(3))->wait().tokens, 3u);
}

TEST(Generator, ReportsLogitsThatAreNotFinite) {
  class NanEvaluator final : public Evaluator {
   public:
    std::uint32_t vocab_size() const override { return 2; }
    std::uint32_t context_length() const override { return 8; }
    void reset() override {}
    std::span<const float> forward(std::span<const std::uint32_t>, const ForwardOptions&) override { return logits; }
    std::vector<float> logits = {0.f, NAN};
  } nan;
  Generator of_nan(nan);
  const auto running = start(of_nan, {.prompt = {0}, .max_tokens = 2});
  EXPECT_EQ(running->wait().stop_reason, StopReason::error);
  EXPECT_NE(std::string(running->job->result()->error->what()).find("logit 1 is nan"), std::string::npos);
}

TEST(Generator, RefusesASecondJobWhileOneRuns) {
  FakeEvaluator evaluator;
  Generator generator(evaluator);
  std::promise<void> release;
  evaluator.before = [&, gate = release.get_future().share()](std::size_t) { gate.wait(); };
  const auto running = start(generator, request(2));
  EXPECT_TRUE(generator.busy());
  EXPECT_EQ(code_of([&] { generator.start(request(2), [] {}); }), ErrorCode::engine_busy);
  release.set_value();
  running->wait();
  EXPECT_FALSE(generator.busy()) << "who sees the result may start the next job";
  EXPECT_EQ(start(generator, request(2))->wait().tokens, 2u);
}

TEST(Generator, RefusesWhatItCannotRun) {
  FakeEvaluator evaluator;
  Generator generator(evaluator);
  const auto code_of_request = [&](auto change) {
    GenerationRequest what = request(2);
    change(what);
    return code_of([&] { generator.start(what, [] {}); });
  };
  EXPECT_EQ(code_of_request([](auto& what) { what.prompt.clear(); }), ErrorCode::invalid_request);
  EXPECT_EQ(code_of_request([](auto& what) { what.prompt = {0, kVocabSize}; }), ErrorCode::invalid_request);
  EXPECT_EQ(code_of_request([](auto& what) { what.prefill_chunk = 0; }), ErrorCode::invalid_request);
  EXPECT_EQ(code_of_request([](auto& what) { what.sampling.top_p = 2; }), ErrorCode::invalid_request);
  EXPECT_EQ(code_of_request([](auto& what) { what.max_tokens = 63; }), ErrorCode::context_overflow);
  EXPECT_EQ(code_of_request([](auto& what) { what.prompt.assign(65, 0); }), ErrorCode::context_overflow);
  EXPECT_EQ(evaluator.calls.size(), 0u);
  EXPECT_EQ(start(generator, request(62))->wait().tokens, 62u) << "3 + 62 - 1 positions fit 64";
}

TEST(Generator, CancelsWhatRunsWhenItIsDestroyed) {
  FakeEvaluator evaluator;
  auto generator = std::make_unique<Generator>(evaluator);
  std::promise<void> reached;
  evaluator.before = [&](std::size_t call) {
    if (call == 2) reached.set_value();
  };
  evaluator.endless_call = 2;
  const auto running = start(*generator, request(60));
  reached.get_future().wait();
  generator.reset();
  EXPECT_EQ(running->wait().stop_reason, StopReason::cancelled);
  EXPECT_EQ(evaluator.calls.size(), 2u);
}

TEST(Generator, EndsAJobThatItHadNotBegunWhenItIsDestroyed) {
  for (int round = 0; round < 50; ++round) {
    FakeEvaluator evaluator;
    auto generator = std::make_unique<Generator>(evaluator);
    const auto running = start(*generator, request(60));
    generator.reset();
    EXPECT_NE(running->job->result(), nullptr);
  }
}

TEST(Generator, HoldsTheWholeAnswerForAConsumerThatComesLate) {
  FakeEvaluator evaluator;
  Generator generator(evaluator);
  const auto running = start(generator, request(62));
  running->wait();
  EXPECT_EQ(tokens_of(*running->job).size(), 62u);
}

}  // namespace
}  // namespace plumbline
