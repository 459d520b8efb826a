// plumbline_bench_generation --model PATH --threads N --precision fast|exact --prefill 16,128 --decode 64 --repetitions 3:
// loads a model and times what a request costs without HTTP, as one JSON object. A length that the context has no room
// for is left out.
#include <atomic>
#include <chrono>
#include <iomanip>
#include <iostream>
#include <random>
#include <semaphore>

#include "bench/arguments.h"
#include "bench/on_threads.h"
#include "generation/engine.h"
#include "gguf/file.h"

namespace plumbline::bench {
namespace {

/// Wakes nobody up before the end: there is no core left for one who looks at every token.
GenerationResult generate(Engine& engine, GenerationRequest request) {
  struct End {
    std::atomic<std::uint32_t> calls{0};
    std::binary_semaphore come{0};
  };
  request.ignore_eos = true;
  const auto end = std::make_shared<End>();
  const auto job = engine.generator().start(request, [end, last = request.max_tokens + 1] {
    if (end->calls.fetch_add(1) + 1 == last) end->come.release();
  });
  // An error comes earlier than the last call.
  while (job->result() == nullptr) {
    if (end->come.try_acquire_for(std::chrono::milliseconds(100))) break;
  }
  if (job->result()->error) throw *job->result()->error;
  return *job->result();
}

/// Ids of no meaning, the same at each call.
std::vector<std::uint32_t> prompt(const Engine& engine, unsigned tokens) {
  std::mt19937 random(1);
  std::vector<std::uint32_t> ids(tokens);
  for (std::uint32_t& id : ids) id = static_cast<std::uint32_t>(random()) % engine.model().hyperparameters().vocab_size;
  return ids;
}

double prefill_seconds(Engine& engine, unsigned tokens) {
  return generate(engine, {.prompt = prompt(engine, tokens), .max_tokens = 1, .sampling = {.temperature = 0}})
             .prefill_milliseconds /
         1e3;
}

/// Of `tokens` passes of one token each, from an empty cache on. The first token comes out of the prompt's logits: hence
/// one more.
double decode_seconds(Engine& engine, unsigned tokens) {
  return generate(engine, {.prompt = prompt(engine, 1),
                           .max_tokens = tokens + 1,
                           .sampling = {.temperature = 0}})
             .decode_milliseconds /
         1e3;
}

/// What each token of an answer reads: all tensors but the embedding's other rows, where the head is not the embedding.
std::uint64_t weight_bytes_per_token(const std::string& path) {
  const gguf::File file = gguf::File::open(path);
  std::uint64_t bytes = 0;
  for (const gguf::TensorInfo& tensor : file.tensors()) bytes += tensor.bytes;
  if (file.find_tensor("output.weight") != nullptr) {
    if (const auto* embedding = file.find_tensor("token_embd.weight")) bytes -= embedding->bytes;
  }
  return bytes;
}

template <class Measure>
void print_samples(unsigned tokens, unsigned repetitions, const Measure& measure) {
  std::cout << "{\"tokens\":" << tokens << ",\"seconds\":[";
  for (unsigned i = 0; i < repetitions; ++i) std::cout << (i == 0 ? "" : ",") << measure();
  std::cout << "]}";
}

void run(const Arguments& arguments) {
  const std::string path = arguments.text("model");
  const std::string precision = arguments.text("precision", "fast");
  if (precision != "fast" && precision != "exact") throw std::invalid_argument("--precision must be fast or exact");
  const unsigned repetitions = arguments.number("repetitions", 1);

  const auto begin = Clock::now();
  Engine engine({.model_path = path,
                 .device = "cpu",
                 .precision = precision == "fast" ? Precision::fast : Precision::exact,
                 .threads = arguments.number("threads")},
                [](double, LoadStage) {});
  const double load_seconds = seconds_between(begin, Clock::now());

  // A warm-up, so that the first measurement is not the one that meets cold caches and a slow clock.
  prefill_seconds(engine, std::min(32u, engine.context_length() - 2));
  decode_seconds(engine, std::min(16u, engine.context_length() - 2));

  std::cout << std::setprecision(9) << "{\"backend\":\"" << engine.model().backend().name() << "\",\"load_seconds\":" << load_seconds
            << ",\"weight_bytes_per_token\":" << weight_bytes_per_token(path)
            << ",\"context_length\":" << engine.context_length() << ",\"prefill\":[";
  const char* separator = "";
  for (const unsigned tokens : arguments.numbers("prefill")) {
    if (tokens > engine.context_length()) continue;
    std::cout << separator;
    separator = ",";
    print_samples(tokens, repetitions, [&] { return prefill_seconds(engine, tokens); });
  }
  std::cout << "]";
  const unsigned decode = std::min(arguments.number("decode"), engine.context_length() - 2);
  if (decode > 0) {
    std::cout << ",\"decode\":";
    print_samples(decode, repetitions, [&] { return decode_seconds(engine, decode); });
  }
  std::cout << "}\n";
}

}  // namespace
}  // namespace plumbline::bench

int main(int count, char** values) {
  using namespace plumbline::bench;
  return run_program("plumbline_bench_generation", count, values, run);
}
