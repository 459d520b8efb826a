#include "trace/trace_writer.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <ctime>
#include <limits>
#include <system_error>
#include <utility>
#include <vector>

#include "error.h"
#include "trace/json.h"

namespace plumbline {
namespace {

constexpr std::size_t kFirstValues = 8;

/// Of `stopped` and `closed` without its ids: far less than so many bytes.
constexpr std::size_t kLastMembers = 4096;
/// "4294967295,"
constexpr std::size_t kTokenId = 11;

/// Over the finite values; NaN where there are none.
struct Stats {
  double min = std::numeric_limits<double>::quiet_NaN();
  double max = std::numeric_limits<double>::quiet_NaN();
  double mean = std::numeric_limits<double>::quiet_NaN();
  double rms = std::numeric_limits<double>::quiet_NaN();
  std::uint64_t nonfinite = 0;
};

Stats stats_of(std::span<const float> values) {
  Stats out;
  double sum = 0;
  double squares = 0;
  for (const float value : values) {
    if (!std::isfinite(value)) {
      ++out.nonfinite;
      continue;
    }
    const auto x = static_cast<double>(value);
    if (!(x >= out.min)) out.min = x;
    if (!(x <= out.max)) out.max = x;
    sum += x;
    squares += x * x;
  }
  if (const auto finite = static_cast<double>(values.size() - out.nonfinite); finite > 0) {
    out.mean = sum / finite;
    out.rms = std::sqrt(squares / finite);
  }
  return out;
}

/// For example 2026-11-21T12:34:56.789Z.
std::string now() {
  const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch).count();
  const auto seconds = static_cast<std::time_t>(milliseconds / 1000);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[64];
  const std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
  const std::string rest = std::to_string(1000 + milliseconds % 1000);
  return std::string(text, size) + "." + rest.substr(1) + "Z";
}

class Members {
 public:
  explicit Members(std::string& out) : out_(out) {}

  template <class Value>
  Members& add(std::string_view key, const Value& value) {
    begin(key);
    json::append(out_, value);
    return *this;
  }

  /// Begins a member whose value the caller appends.
  std::string& begin(std::string_view key) {
    if (!first_) out_ += ',';
    first_ = false;
    json::append(out_, key);
    return out_ += ':';
  }

 private:
  std::string& out_;
  bool first_ = true;
};

template <class Values>
void append_array(std::string& out, const Values& values) {
  out += '[';
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i > 0) out += ',';
    json::append(out, values[i]);
  }
  out += ']';
}

std::string record_of(const TraceOptions& options, const Observation& observation, std::uint64_t offset) {
  const Stats stats = stats_of(observation.values);
  const bool prefill = observation.first_position < options.prompt_tokens;
  std::string line = "{";
  Members members(line);
  members.add("v", std::uint64_t{1})
      .add("run", std::string_view(options.run))
      .add("phase", std::string_view(prefill ? "prefill" : "decode"))
      .add("pos", std::uint64_t{observation.first_position})
      .add("n", std::uint64_t{observation.rows});
  if (observation.layer) {
    members.add("layer", std::uint64_t{*observation.layer});
  } else {
    members.begin("layer") += "null";
  }
  members.add("name", std::string_view(name_of(observation.checkpoint, observation.layer)))
      .add("dtype", std::string_view("F32"));
  append_array(members.begin("shape"), std::array{std::uint64_t{observation.rows}, std::uint64_t{observation.width}});
  members.begin("stats") += '{';
  Members(line)
      .add("min", stats.min)
      .add("max", stats.max)
      .add("mean", stats.mean)
      .add("rms", stats.rms)
      .add("nonfinite", stats.nonfinite);
  line += '}';
  members.add("offset", offset).add("nbytes", std::uint64_t{observation.values.size_bytes()});
  const std::size_t shown = options.all_values ? observation.values.size()
                                               : std::min(kFirstValues, observation.values.size());
  append_array(members.begin("values"), observation.values.first(shown));
  return line += "}\n";
}

}  // namespace

TraceWriter::TraceWriter(TraceOptions options) : options_(std::move(options)) {
  const auto& directory = options_.directory;
  const std::string cannot = "cannot write a trace to " + directory.string() + ": ";
  std::error_code ignored;
  if (std::filesystem::exists(directory / "manifest.json", ignored)) {
    throw Error(ErrorCode::invalid_request, cannot + "the folder already holds one", {{"directory", directory.string()}});
  }
  try {
    begin();
  } catch (const std::system_error& error) {
    stopped_ = cannot + error.code().message();
    stopped_manifest_.reset();
    closed_manifest_.reset();
    for (const char* name : {"trace.jsonl", "tensors.bin"}) std::filesystem::remove(directory / name, ignored);
  }
}

void TraceWriter::begin() {
  const auto& directory = options_.directory;
  std::filesystem::create_directories(directory);
  records_file_.emplace(directory / "trace.jsonl");
  tensors_file_.emplace(directory / "tensors.bin");
  const std::string text = manifest_with("");
  const std::size_t room = text.size() + kLastMembers;
  stopped_manifest_.emplace(directory / "manifest.json.stopped.tmp", room);
  closed_manifest_.emplace(directory / "manifest.json.tmp", room + kTokenId * options_.max_tokens);
  ReservedFile(directory / "manifest.json.begun.tmp", text.size()).replace(directory / "manifest.json", text);
}

bool TraceWriter::wants(Checkpoint checkpoint) const {
  if (stopped_) return false;
  switch (options_.level) {
    case TraceLevel::logits:
      return checkpoint == Checkpoint::logits;
    case TraceLevel::layers:
      return checkpoint == Checkpoint::token_embd || checkpoint >= Checkpoint::output;
    case TraceLevel::ops:
      return true;
  }
  return false;
}

void TraceWriter::observe(const Observation& observation) {
  if (stopped_) return;
  try {
    // The values first: no record ever points at what is not there.
    const TraceFile::Mark before = tensors_file_->mark();
    const std::string record = record_of(options_, observation, before.size);
    tensors_file_->append(std::as_bytes(observation.values));
    try {
      records_file_->append(std::as_bytes(std::span(record)));
    } catch (const std::system_error&) {
      tensors_file_->cut_back_to(before);
      throw;
    }
    ++records_;
  } catch (const std::system_error& error) {
    stop(error.what());
  }
}

void TraceWriter::close(std::span<const std::uint32_t> generated_token_ids, std::string_view stop_reason) {
  if (!closed_manifest_) return;
  std::string text;
  Members members(text);
  if (stopped_) members.add("stopped", std::string_view(*stopped_));
  members.begin("closed") += '{';
  Members closed(text);
  closed.add("ended_at", std::string_view(now())).add("stop_reason", stop_reason).add("records", records_);
  append_array(closed.begin("generated_token_ids"),
               std::vector<std::uint64_t>(generated_token_ids.begin(), generated_token_ids.end()));
  closed.add("trace_sha256", std::string_view(records_file_->sha256()))
      .add("tensors_sha256", std::string_view(tensors_file_->sha256()));
  // Of the file without this member (packages/protocol/src/trace-manifest.ts).
  Sha256 hash;
  const std::string unsealed = manifest_with(text + '}');
  hash.update(std::as_bytes(std::span(unsealed)));
  closed.add("manifest_sha256", std::string_view(hash.hex_digest()));
  text += '}';
  try {
    closed_manifest_->replace(options_.directory / "manifest.json", manifest_with(text));
    stopped_manifest_.reset();
  } catch (const std::system_error& error) {
    // The manifest stays as it was, without `closed`: a truncated trace, which it is.
    stopped_ = error.what();
  }
}

void TraceWriter::stop(const std::string& why) {
  stopped_ = why;
  std::string member;
  Members(member).add("stopped", std::string_view(why));
  try {
    stopped_manifest_->replace(options_.directory / "manifest.json", manifest_with(member));
  } catch (const std::system_error&) {
    // Not even that. It is in stopped(), and the trace has no `closed`.
  }
}

std::string TraceWriter::manifest_with(const std::string& last_members) const {
  std::string text = options_.manifest;
  if (!last_members.empty()) text.insert(text.rfind('}'), "," + last_members);
  return text += '\n';
}

}  // namespace plumbline
