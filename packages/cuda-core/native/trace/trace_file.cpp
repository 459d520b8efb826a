#include "trace/trace_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace plumbline {

TraceFile::TraceFile(std::filesystem::path path) : path_(std::move(path)), file_(std::fopen(path_.c_str(), "wb")) {
  if (!file_) throw std::system_error(errno, std::generic_category(), path_.string());
  // Unbuffered: a record is written whole, and a failure is seen where it happens.
  std::setvbuf(file_.get(), nullptr, _IONBF, 0);
}

void TraceFile::append(std::span<const std::byte> bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_.get()) != bytes.size()) {
    const int error = errno;
    std::error_code ignored;
    std::filesystem::resize_file(path_, size_, ignored);
    throw std::system_error(error, std::generic_category(), path_.filename().string());
  }
  sha256_.update(bytes);
  size_ += bytes.size();
}

void TraceFile::cut_back_to(const Mark& mark) {
  std::filesystem::resize_file(path_, mark.size);
  std::fseek(file_.get(), static_cast<long>(mark.size), SEEK_SET);
  size_ = mark.size;
  sha256_ = mark.sha256;
}

ReservedFile::ReservedFile(std::filesystem::path path, std::uint64_t bytes)
    : path_(std::move(path)), file_(std::fopen(path_.c_str(), "wb")) {
  if (!file_) throw std::system_error(errno, std::generic_category(), path_.string());
  std::setvbuf(file_.get(), nullptr, _IONBF, 0);
  const int error = posix_fallocate(fileno(file_.get()), 0, static_cast<off_t>(bytes));
  // A file system that cannot reserve is no reason to do without a trace.
  if (error == 0 || error == EOPNOTSUPP || error == EINVAL) return;
  ::unlink(path_.c_str());
  throw std::system_error(error, std::generic_category(), path_.string());
}

ReservedFile::~ReservedFile() {
  if (file_) ::unlink(path_.c_str());
}

void ReservedFile::replace(const std::filesystem::path& target, std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), file_.get()) != text.size() ||
      ::ftruncate(fileno(file_.get()), static_cast<off_t>(text.size())) != 0) {
    throw std::system_error(errno, std::generic_category(), path_.filename().string());
  }
  std::filesystem::rename(path_, target);
  file_.reset();
}

}  // namespace plumbline
