#include "io/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <stdexcept>

#include "io/reader.h"

namespace heddle::io {
namespace {

[[noreturn]] void fail(const char* op, const char* action, const std::string& path,
                       const char* reason, int number) {
  throw FileError(
      fmt::format("[{}] Failed to {} file {}: {}.", op, action, shown_path(path), reason), path,
      number);
}
[[noreturn]] void fail(const char* op, const char* action, const std::string& path) {
  const int number = errno;
  fail(op, action, path, std::strerror(number), number);
}

// The system would take such a path for another, which ends there.
void refuse_nul(const char* op, const std::string& path) {
  if (path.find('\0') == std::string::npos) return;
  throw std::invalid_argument(
      fmt::format("[{}] The path {} contains a null character.", op, shown_path(path)));
}

// Closes on every way out.
struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) close(fd);
  }
};

struct Mapping {
  void* address;
  size_t bytes;
};

uint64_t size_of_regular_file(const char* op, const std::string& path, int fd) {
  struct stat status;
  if (fstat(fd, &status) != 0) fail(op, "open", path);
  if (!S_ISREG(status.st_mode)) fail(op, "open", path, "it is not a regular file", EINVAL);
  return static_cast<uint64_t>(status.st_size);
}

void write_all(const char* op, const std::string& path, int fd, const void* data, size_t bytes) {
  const char* at = static_cast<const char*>(data);
  while (bytes > 0) {
    ssize_t n = write(fd, at, bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(op, "write", path);
    at += n;
    bytes -= static_cast<size_t>(n);
  }
}

// A new file that nobody else has, beside `path`; the system applies the process's mask to its
// mode.
int create_beside(const std::string& path, std::string* name) {
  static std::atomic<uint64_t> counter{0};
  for (int attempt = 0; attempt < 100; attempt++) {
    *name = fmt::format("{}.{}-{}.partial", path, getpid(), counter++);
    int fd = open(name->c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd >= 0 || errno != EEXIST) return fd;
  }
  return -1;
}

}  // namespace

Bytes map_file(const char* op, const std::string& path) {
  refuse_nul(op, path);
  // O_NONBLOCK: opening a pipe must not wait for a writer.
  Descriptor file{open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.fd < 0) fail(op, "open", path);
  uint64_t bytes = size_of_regular_file(op, path, file.fd);
  if (bytes == 0) return {};  // no page can be mapped
  void* address = mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, file.fd, 0);
  if (address == MAP_FAILED) fail(op, "map", path);
  auto* mapping = new Mapping{address, bytes};
  BufferRef owner = wrap_memory(
      address, bytes, false,
      [](void* context) {
        auto* m = static_cast<Mapping*>(context);
        munmap(m->address, m->bytes);
        delete m;
      },
      mapping);
  if (size_of_regular_file(op, path, file.fd) != bytes) {
    fail(op, "map", path, "its size changes while it is read", EIO);
  }
  return {std::move(owner), static_cast<const char*>(address), bytes};
}

Bytes read_bytes(const ReadFunction& read, uint64_t n) {
  constexpr uint64_t first_piece = uint64_t{1} << 20;
  BufferRef owner = allocate(std::min(n, first_piece));
  uint64_t have = 0, room = std::min(n, first_piece);
  while (have < n) {
    if (have == room) {
      room = std::min(n, 2 * have);
      BufferRef larger = allocate(room);
      std::memcpy(larger->data, owner->data, have);
      owner = std::move(larger);
    }
    uint64_t got = read(static_cast<char*>(owner->data) + have, room - have);
    if (got == 0) break;
    have += std::min(got, room - have);
  }
  const char* data = static_cast<const char*>(owner->data);
  return {std::move(owner), data, have};
}

void write_atomically(const char* op, const std::string& given,
                      const std::function<void(const WriteFunction&)>& produce) {
  refuse_nul(op, given);
  std::error_code ignored;
  std::string path = given;
  if (std::filesystem::is_symlink(given, ignored)) {
    auto target = std::filesystem::canonical(given, ignored);
    if (!ignored) path = target.string();
  }
  struct stat old;
  bool exists = stat(path.c_str(), &old) == 0;
  if (exists && S_ISDIR(old.st_mode)) fail(op, "write", given, "it is a folder", EISDIR);
  bool replaceable = !exists || S_ISREG(old.st_mode);
  std::string temporary;
  Descriptor file{replaceable ? create_beside(path, &temporary)
                              : open(path.c_str(), O_WRONLY | O_CLOEXEC)};
  if (file.fd < 0) fail(op, "write", given);
  // Small pieces are gathered: a file of many small arrays is not as many calls of the system.
  constexpr size_t gathered_bytes = size_t{1} << 18;
  std::string gathered;
  auto flush = [&] {
    write_all(op, given, file.fd, gathered.data(), gathered.size());
    gathered.clear();
  };
  auto sink = [&](const void* data, size_t bytes) {
    if (gathered.size() + bytes > gathered_bytes) flush();
    if (bytes > gathered_bytes) return write_all(op, given, file.fd, data, bytes);
    gathered.append(static_cast<const char*>(data), bytes);
  };
  if (!replaceable) {
    produce(sink);
    return flush();
  }
  try {
    produce(sink);
    flush();
    // A file that others could read before stays readable for them.
    if ((exists && fchmod(file.fd, old.st_mode & 0777) != 0) || fsync(file.fd) != 0 ||
        rename(temporary.c_str(), path.c_str()) != 0) {
      fail(op, "write", given);
    }
  } catch (...) {
    unlink(temporary.c_str());
    throw;
  }
}

}  // namespace heddle::io
