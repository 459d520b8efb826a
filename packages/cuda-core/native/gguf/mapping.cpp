#include "gguf/mapping.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "error.h"

namespace plumbline::gguf {
namespace {

class FileDescriptor {
 public:
  explicit FileDescriptor(int descriptor) : descriptor_(descriptor) {}
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  ~FileDescriptor() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  int get() const noexcept { return descriptor_; }

 private:
  int descriptor_;
};

[[noreturn]] void throw_cannot_map(const std::filesystem::path& path, const std::string& why) {
  throw Error(ErrorCode::model_load_failed, path.string() + " cannot be mapped: " + why,
              {{"path", path.string()}, {"reason", why}});
}

std::string system_message(int error) { return std::generic_category().message(error); }

}  // namespace

Mapping::Mapping(const std::filesystem::path& path) {
  // O_NONBLOCK: opening a FIFO must not wait for a writer.
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) {
    const int error = errno;
    if (error == ENOENT || error == ENOTDIR) {
      throw Error(ErrorCode::model_not_found, "no such file: " + path.string(), {{"path", path.string()}});
    }
    throw_cannot_map(path, system_message(error));
  }
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) throw_cannot_map(path, system_message(errno));
  if (!S_ISREG(status.st_mode)) throw_cannot_map(path, "it is not a regular file");
  if (status.st_size == 0) return;  // mmap refuses 0 bytes; the reader says what is missing
  const auto size = static_cast<std::size_t>(status.st_size);
  void* const address = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.get(), 0);
  if (address == MAP_FAILED) throw_cannot_map(path, system_message(errno));
  bytes_ = {static_cast<const std::byte*>(address), size};
}

Mapping::Mapping(Mapping&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

Mapping::~Mapping() {
  // munmap takes no const pointer, though it changes none of the bytes.
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

void Mapping::give_back(std::span<const std::byte> part) const noexcept {
  if (bytes_.empty()) return;
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const auto offset = static_cast<std::size_t>(part.data() - bytes_.data());
  const std::size_t begin = (offset + page - 1) / page * page;
  const std::size_t end = (offset + part.size()) / page * page;
  if (begin < end) ::madvise(const_cast<std::byte*>(bytes_.data()) + begin, end - begin, MADV_DONTNEED);
}

}  // namespace plumbline::gguf
