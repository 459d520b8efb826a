#include "trace/trace_writer.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <set>
#include <sstream>

#include "error.h"

namespace plumbline {
namespace {

namespace fs = std::filesystem;

class TraceWriterTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string path = (fs::temp_directory_path() / "plumbline-trace-XXXXXX").string();
    ASSERT_NE(mkdtemp(path.data()), nullptr);
    directory_ = path;
  }
  void TearDown() override { fs::remove_all(directory_); }

  TraceOptions options(TraceLevel level = TraceLevel::ops) const {
    return {.directory = directory_ / "trace",
            .level = level,
            .prompt_tokens = 3,
            .run = "run \"1\"",
            .manifest = R"({"v":1,"run":"x"})"};
  }

  std::string text(const std::string& name) const {
    std::ifstream file(directory_ / "trace" / name, std::ios::binary);
    std::ostringstream out;
    out << file.rdbuf();
    return out.str();
  }

  std::set<std::string> names() const {
    std::set<std::string> out;
    for (const auto& entry : fs::directory_iterator(directory_ / "trace")) out.insert(entry.path().filename().string());
    return out;
  }

  fs::path directory_;
};

Observation observation(std::span<const float> values, std::uint32_t position = 0) {
  return {.checkpoint = Checkpoint::attn_q,
          .layer = 2,
          .first_position = position,
          .rows = 1,
          .width = static_cast<std::uint32_t>(values.size()),
          .values = values};
}

TEST_F(TraceWriterTest, WritesARecordPerCheckpointAndItsValues) {
  TraceWriter writer(options());
  const std::vector<float> values = {1.5f, -2.0f, 0.1f};
  writer.observe(observation(values));
  writer.observe(observation(values, 3));
  EXPECT_EQ(text("trace.jsonl"),
            R"({"v":1,"run":"run \"1\"","phase":"prefill","pos":0,"n":1,"layer":2,"name":"blk.2.attn_q","dtype":"F32",)"
            R"("shape":[1,3],"stats":{"min":-2,"max":1.5,"mean":-0.13333333283662796,"rms":1.4445299120357487,)"
            R"("nonfinite":0},"offset":0,"nbytes":12,"values":[1.5,-2,0.1]})"
            "\n"
            R"({"v":1,"run":"run \"1\"","phase":"decode","pos":3,"n":1,"layer":2,"name":"blk.2.attn_q","dtype":"F32",)"
            R"("shape":[1,3],"stats":{"min":-2,"max":1.5,"mean":-0.13333333283662796,"rms":1.4445299120357487,)"
            R"("nonfinite":0},"offset":12,"nbytes":12,"values":[1.5,-2,0.1]})"
            "\n");
  const std::string tensors = text("tensors.bin");
  ASSERT_EQ(tensors.size(), 24u);
  EXPECT_EQ(std::memcmp(tensors.data(), values.data(), 12), 0);
}

TEST_F(TraceWriterTest, NamesWhatIsNotFinite) {
  TraceWriter writer(options());
  constexpr float infinity = std::numeric_limits<float>::infinity();
  writer.observe(observation(std::vector<float>{NAN, infinity, -infinity, 2.0f}));
  writer.observe(observation(std::vector<float>{NAN}));
  const std::string records = text("trace.jsonl");
  EXPECT_NE(records.find(R"("stats":{"min":2,"max":2,"mean":2,"rms":2,"nonfinite":3})"), std::string::npos) << records;
  EXPECT_NE(records.find(R"("values":["NaN","Infinity","-Infinity",2])"), std::string::npos) << records;
  EXPECT_NE(records.find(R"("stats":{"min":"NaN","max":"NaN","mean":"NaN","rms":"NaN","nonfinite":1})"),
            std::string::npos)
      << records;
}

TEST_F(TraceWriterTest, ShowsEightValuesOrAll) {
  const std::vector<float> values(9, 1.0f);
  TraceWriter(options()).observe(observation(values));
  EXPECT_NE(text("trace.jsonl").find(R"("values":[1,1,1,1,1,1,1,1]})"), std::string::npos);
  fs::remove_all(directory_ / "trace");
  TraceOptions all = options();
  all.all_values = true;
  TraceWriter(all).observe(observation(values));
  EXPECT_NE(text("trace.jsonl").find(R"("values":[1,1,1,1,1,1,1,1,1]})"), std::string::npos);
}

TEST_F(TraceWriterTest, LevelsChooseTheCheckpoints) {
  const auto wanted = [&](TraceLevel level) {
    fs::remove_all(directory_ / "trace");
    const TraceWriter writer(options(level));
    std::string names;
    for (int i = 0; i <= static_cast<int>(Checkpoint::logits); ++i) {
      const auto checkpoint = static_cast<Checkpoint>(i);
      if (writer.wants(checkpoint)) names += std::string(name_of(checkpoint)) + " ";
    }
    return names;
  };
  EXPECT_EQ(wanted(TraceLevel::logits), "logits ");
  EXPECT_EQ(wanted(TraceLevel::layers), "token_embd output output_norm logits ");
  EXPECT_EQ(wanted(TraceLevel::ops),
            "token_embd attn_norm attn_q attn_k attn_v attn_q_rope attn_k_rope attn_kqv attn_output ffn_input ffn_norm "
            "ffn_gate ffn_up ffn_act ffn_down output output_norm logits ");
}

TEST_F(TraceWriterTest, IsTruncatedUntilItIsClosed) {
  TraceWriter writer(options());
  writer.observe(observation(std::vector<float>{1.0f}));
  EXPECT_EQ(text("manifest.json"), "{\"v\":1,\"run\":\"x\"}\n");
  writer.close(std::vector<std::uint32_t>{7, 8}, "EOS");
  const auto sha256_of = [](const std::string& bytes) {
    Sha256 hash;
    hash.update(std::as_bytes(std::span(bytes)));
    return hash.hex_digest();
  };
  const auto sha256 = [&](const std::string& name) { return sha256_of(text(name)); };
  const std::string manifest = text("manifest.json");
  EXPECT_EQ(manifest.find(R"({"v":1,"run":"x","closed":{"ended_at":"20)"), 0u) << manifest;
  EXPECT_NE(manifest.find(R"(Z","stop_reason":"EOS","records":1,"generated_token_ids":[7,8],"trace_sha256":")" + sha256("trace.jsonl") +
                          R"(","tensors_sha256":")" + sha256("tensors.bin") + "\",\"manifest_sha256\":\""),
            std::string::npos)
      << manifest;
  const std::size_t member = manifest.find(R"(,"manifest_sha256":")");
  ASSERT_NE(member, std::string::npos);
  const std::string unsealed = manifest.substr(0, member) + "}}\n";
  EXPECT_EQ(manifest, manifest.substr(0, member) + R"(,"manifest_sha256":")" + sha256_of(unsealed) + "\"}}\n");
}

TEST_F(TraceWriterTest, AFullDiskStopsTheTraceAndNothingElse) {
  fs::create_directories(directory_ / "trace");
  fs::create_symlink("/dev/full", directory_ / "trace" / "tensors.bin");
  TraceWriter writer(options());
  writer.observe(observation(std::vector<float>{1.0f}));
  ASSERT_TRUE(writer.stopped());
  EXPECT_FALSE(writer.wants(Checkpoint::logits));
  writer.observe(observation(std::vector<float>{1.0f}));
  EXPECT_NE(text("manifest.json").find(R"("stopped":"tensors.bin: No space left on device")"), std::string::npos);
  writer.close({}, "MAX_TOKENS");
  EXPECT_NE(text("manifest.json").find(R"("stopped":"tensors.bin: No space left on device","closed":{)"),
            std::string::npos);
  EXPECT_NE(text("manifest.json").find(R"("records":0)"), std::string::npos);
  EXPECT_EQ(names(), (std::set<std::string>{"manifest.json", "tensors.bin", "trace.jsonl"}));
}

TEST_F(TraceWriterTest, NoValuesStayOfARecordThatFoundNoRoom) {
  fs::create_directories(directory_ / "trace");
  fs::create_symlink("/dev/full", directory_ / "trace" / "trace.jsonl");
  TraceWriter writer(options());
  writer.observe(observation(std::vector<float>{1.0f}));
  EXPECT_EQ(writer.stopped(), "trace.jsonl: No space left on device");
  EXPECT_EQ(text("tensors.bin"), "");
}

TEST_F(TraceWriterTest, HasRoomForItsLastManifestsFromTheStart) {
  TraceOptions many = options();
  many.max_tokens = 1000;
  TraceWriter writer(many);
  for (const char* name : {"manifest.json.stopped.tmp", "manifest.json.tmp"}) {
    struct stat status {};
    ASSERT_EQ(stat((directory_ / "trace" / name).c_str(), &status), 0) << name;
    EXPECT_GE(status.st_blocks * 512, status.st_size) << name;
  }
  const std::vector<std::uint32_t> ids(1000, 0xffff'ffffU);
  const auto room = fs::file_size(directory_ / "trace" / "manifest.json.tmp");
  writer.close(ids, "MAX_TOKENS");
  EXPECT_FALSE(writer.stopped());
  EXPECT_LE(text("manifest.json").size(), room);
  EXPECT_EQ(text("manifest.json").back(), '\n');
  EXPECT_EQ(names(), (std::set<std::string>{"manifest.json", "tensors.bin", "trace.jsonl"}));
}

TEST_F(TraceWriterTest, DoesNotWriteOverATrace) {
  TraceWriter first(options());
  try {
    TraceWriter second(options());
    FAIL() << "should have thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_request);
    EXPECT_NE(std::string(error.what()).find("already holds one"), std::string::npos);
  }
}

TEST_F(TraceWriterTest, ATraceThatCannotBeginSaysWhyAndStopsNothingElse) {
  std::ofstream(directory_ / "file") << "x";
  TraceOptions inside = options();
  inside.directory = directory_ / "file" / "trace";
  TraceWriter writer(inside);
  EXPECT_EQ(writer.stopped(), "cannot write a trace to " + inside.directory.string() + ": Not a directory");
  EXPECT_FALSE(writer.wants(Checkpoint::logits));
  writer.observe(observation(std::vector<float>{1.0f}));
  writer.close({}, "MAX_TOKENS");
  EXPECT_EQ(writer.records(), 0u);
}

}  // namespace
}  // namespace plumbline
