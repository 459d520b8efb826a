#pragma once

#include <napi.h>

/// What only tests and benchmarks call (src/testing.ts).
namespace plumbline::node::testing {

/// sample({logits, sampling, history, answerIndex}) -> token id
Napi::Value sample(const Napi::CallbackInfo& info);

/// noise({seed, tokenId, answerIndex}) -> {word, gumbel}
Napi::Value noise(const Napi::CallbackInfo& info);

/// logProbabilities({logits, chosen, top}) -> {chosen, top}
Napi::Value log_probabilities(const Napi::CallbackInfo& info);

/// evaluate({modelPath, tokenIds, precision, threads, chunk, variant, checkpoints}) -> {logits, vocabSize, checkpoints}
Napi::Value evaluate(const Napi::CallbackInfo& info);

}  // namespace plumbline::node::testing
