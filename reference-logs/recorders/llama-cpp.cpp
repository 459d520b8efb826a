// Records what llama.cpp makes of a model, op by op, through its C interface:
//
//   llama-cpp-recorder MODEL.gguf IDENTITY 1,2,3 FOLDER/prompt-0 [GREEDY = 48]
//
// FOLDER/prompt-0.safetensors holds every checkpoint, [tokens, width], in float32; prompt-0.json what was run, the greedy
// continuation, and how far the first logit was ahead of the second at each of its steps. The KV cache is F16, as llama.cpp has it
// unless told otherwise, and flash attention is off, so that attention can be seen. IDENTITY is what identity.py prints of the
// model file: llama.cpp maps it, and computes with what it holds. llama-cpp.sh builds and runs all of it.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "ggml-backend.h"
#include "ggml.h"
#include "llama.h"

namespace {

struct Rows {
  std::int64_t tokens = 0;
  std::int64_t width = 0;
  std::vector<float> values;
};

/// llama.cpp's names of the nodes of its graph (src/llama-graph.cpp, src/models/) to those of a trace.
const std::map<std::string, std::string> kOfLayer = {
    {"attn_norm", "attn_norm"}, {"Vcur", "attn_v"},      {"kqv_out", "attn_kqv"},   {"attn_out", "attn_output"},
    {"ffn_inp", "ffn_input"},   {"ffn_norm", "ffn_norm"}, {"ffn_gate", "ffn_gate"},  {"ffn_up", "ffn_up"},
    {"ffn_swiglu", "ffn_act"},  {"ffn_out", "ffn_down"}, {"l_out", "output"},
};
const std::map<std::string, std::string> kOfModel = {
    {"embd", "token_embd"}, {"inp_embd", "token_embd"}, {"result_norm", "output_norm"}, {"result_output", "logits"}};

/// The checkpoint that a node is, or "". Where several nodes have one name (with and without bias), the last is it.
std::string checkpoint_of(const ggml_tensor& node) {
  static const std::regex of_layer("(\\w+)-(\\d+)");
  switch (node.op) {
    case GGML_OP_RESHAPE:
    case GGML_OP_VIEW:
    case GGML_OP_PERMUTE:
    case GGML_OP_TRANSPOSE:
    case GGML_OP_CPY:
      return "";
    default:
      break;
  }
  std::cmatch match;
  if (!std::regex_match(node.name, match, of_layer)) {
    const auto found = kOfModel.find(node.name);
    return found == kOfModel.end() ? "" : found->second;
  }
  const std::string block = "blk." + match[2].str() + ".";
  const std::string rotated = node.op == GGML_OP_ROPE ? "_rope" : "";
  if (match[1] == "Qcur") return block + "attn_q" + rotated;
  if (match[1] == "Kcur") return block + "attn_k" + rotated;
  const auto found = kOfLayer.find(match[1]);
  return found == kOfLayer.end() ? "" : block + found->second;
}

struct Recorder {
  std::int64_t tokens = 0;
  std::map<std::string, Rows> seen;
  /// In the order of computation.
  std::vector<std::string> order;

  static bool on_node(ggml_tensor* node, bool ask, void* self) {
    auto& recorder = *static_cast<Recorder*>(self);
    const std::string name = checkpoint_of(*node);
    if (!name.empty() && !ask) recorder.take(name, *node);
    return !ask || !name.empty();
  }

  void take(const std::string& name, const ggml_tensor& node) {
    const std::int64_t count = ggml_nelements(&node);
    if (node.type != GGML_TYPE_F32 || !ggml_is_contiguous(&node) || count % tokens != 0) {
      throw std::runtime_error(name + " is not rows of contiguous float32");
    }
    if (seen.count(name) == 0) order.push_back(name);
    Rows& rows = seen[name];
    rows = {tokens, count / tokens, std::vector<float>(static_cast<std::size_t>(count))};
    ggml_backend_tensor_get(&node, rows.values.data(), 0, rows.values.size() * sizeof(float));
  }
};

struct FreeModel {
  void operator()(llama_model* model) const { llama_model_free(model); }
};
struct FreeContext {
  void operator()(llama_context* context) const { llama_free(context); }
};

/// Evaluates the tokens at positions from `first` on, with the logits of all of them.
void evaluate(llama_context& context, const std::vector<llama_token>& tokens, int first) {
  llama_batch batch = llama_batch_init(static_cast<int>(tokens.size()), 0, 1);
  batch.n_tokens = static_cast<int>(tokens.size());
  for (int i = 0; i < batch.n_tokens; ++i) {
    batch.token[i] = tokens[static_cast<std::size_t>(i)];
    batch.pos[i] = first + i;
    batch.n_seq_id[i] = 1;
    batch.seq_id[i][0] = 0;
    batch.logits[i] = 1;
  }
  const int failed = llama_decode(&context, batch);
  llama_batch_free(batch);
  if (failed != 0) throw std::runtime_error("llama_decode failed");
}

/// https://github.com/huggingface/safetensors: the header's length, a JSON header, the data.
void write_safetensors(const std::string& path, const Recorder& recorder) {
  std::ostringstream header;
  std::size_t offset = 0;
  for (const std::string& name : recorder.order) {
    const Rows& rows = recorder.seen.at(name);
    const std::size_t end = offset + rows.values.size() * sizeof(float);
    header << (offset == 0 ? "{" : ",") << '"' << name << R"(":{"dtype":"F32","shape":[)" << rows.tokens << ',' << rows.width
           << R"(],"data_offsets":[)" << offset << ',' << end << "]}";
    offset = end;
  }
  std::string text = header.str() + "}";
  text.append((8 - text.size() % 8) % 8, ' ');
  const std::uint64_t length = text.size();
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(&length), sizeof length);
  file << text;
  for (const std::string& name : recorder.order) {
    const auto& values = recorder.seen.at(name).values;
    file.write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(float)));
  }
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
}

template <class Value>
std::string list(const std::vector<Value>& values) {
  std::ostringstream out;
  for (std::size_t i = 0; i < values.size(); ++i) out << (i == 0 ? "[" : ", ") << values[i];
  return out.str() + "]";
}

/// The members of a JSON object.
std::string members_of(const std::string& object) {
  const std::size_t open = object.find('{'), close = object.find_last_of('"');
  if (open == std::string::npos || close == std::string::npos) throw std::runtime_error("IDENTITY is no JSON object");
  return object.substr(open + 1, close - open);
}

std::string base_name(const std::string& path) { return path.substr(path.find_last_of('/') + 1); }

void record(const std::string& model_path, const std::vector<llama_token>& prompt, const std::string& identity,
            const std::string& out, std::size_t length) {
  Recorder recorder;
  recorder.tokens = static_cast<std::int64_t>(prompt.size());
  const std::unique_ptr<llama_model, FreeModel> model(llama_model_load_from_file(model_path.c_str(), llama_model_default_params()));
  if (!model) throw std::runtime_error("cannot load " + model_path);
  llama_context_params parameters = llama_context_default_params();
  parameters.n_ctx = static_cast<std::uint32_t>(prompt.size() + length);
  parameters.n_batch = parameters.n_ubatch = static_cast<std::uint32_t>(prompt.size());
  parameters.n_threads = parameters.n_threads_batch = 1;
  parameters.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
  parameters.cb_eval = Recorder::on_node;
  parameters.cb_eval_user_data = &recorder;
  const std::unique_ptr<llama_context, FreeContext> context(llama_init_from_model(model.get(), parameters));
  if (!context) throw std::runtime_error("cannot make a context");

  evaluate(*context, prompt, 0);
  write_safetensors(out + ".safetensors", recorder);

  const llama_vocab* vocabulary = llama_model_get_vocab(model.get());
  const auto vocab_size = static_cast<std::size_t>(llama_vocab_n_tokens(vocabulary));
  std::vector<llama_token> greedy;
  std::vector<float> gaps;
  recorder.tokens = 1;
  while (greedy.size() < length) {
    const float* logits = llama_get_logits_ith(context.get(), -1);
    const auto first = static_cast<std::size_t>(std::max_element(logits, logits + vocab_size) - logits);
    float second = -INFINITY;
    for (std::size_t i = 0; i < vocab_size; ++i) {
      if (i != first) second = std::max(second, logits[i]);
    }
    greedy.push_back(static_cast<llama_token>(first));
    gaps.push_back(logits[first] - second);
    if (llama_vocab_is_eog(vocabulary, greedy.back()) || greedy.size() == length) break;
    evaluate(*context, {greedy.back()}, static_cast<int>(prompt.size() + greedy.size()) - 1);
  }

  std::ofstream json(out + ".json");
  char architecture[64];
  llama_model_meta_val_str(model.get(), "general.architecture", architecture, sizeof architecture);
  json << "{\n \"engine\": \"llama.cpp\",\n \"version\": \"" << PLUMBLINE_LLAMA_CPP_VERSION << "\",\n \"model_file\": \""
       << base_name(model_path) << "\"," << members_of(identity) << ",\n \"architecture\": \""
       << architecture << "\",\n \"kv_cache\": \"F16\",\n \"ids\": " << list(prompt) << ",\n \"greedy\": " << list(greedy)
       << ",\n \"greedy_top1_top2_gap\": " << list(gaps) << "\n}\n";
  if (!json.flush()) throw std::runtime_error("cannot write " + out + ".json");
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 5) {
    std::fputs("usage: llama-cpp-recorder MODEL.gguf IDENTITY 1,2,3 FOLDER/prompt-0 [GREEDY]\n", stderr);
    return 2;
  }
  std::vector<llama_token> prompt;
  std::istringstream ids(arguments[3]);
  for (std::string id; std::getline(ids, id, ',');) prompt.push_back(std::atoi(id.c_str()));
  try {
    record(arguments[1], prompt, arguments[2], arguments[4], count > 5 ? std::strtoul(arguments[5], nullptr, 10) : 48);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "llama-cpp-recorder: %s\n", error.what());
    return 1;
  }
  return 0;
}
