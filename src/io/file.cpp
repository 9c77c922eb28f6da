#include "io/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

#include <fmt/format.h>

namespace heddle::io {
namespace {

[[noreturn]] void fail(const char* op, const char* action, const std::string& path,
                       const char* reason) {
  throw std::runtime_error(fmt::format("[{}] Failed to {} file {}: {}.", op, action, path, reason));
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

}  // namespace

MappedFile map_file(const char* op, const std::string& path) {
  // O_NONBLOCK: opening a pipe must not wait for a writer.
  Descriptor file{open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.fd < 0) fail(op, "open", path, std::strerror(errno));
  struct stat status;
  if (fstat(file.fd, &status) != 0) fail(op, "open", path, std::strerror(errno));
  if (!S_ISREG(status.st_mode)) fail(op, "open", path, "it is not a regular file");
  size_t bytes = static_cast<size_t>(status.st_size);
  if (bytes == 0) return {BufferRef(), nullptr, 0};
  void* address = mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, file.fd, 0);
  if (address == MAP_FAILED) fail(op, "map", path, std::strerror(errno));
  auto* mapping = new Mapping{address, bytes};
  BufferRef buffer = wrap_memory(
      address, bytes, false,
      [](void* context) {
        auto* m = static_cast<Mapping*>(context);
        munmap(m->address, m->bytes);
        delete m;
      },
      mapping);
  return {std::move(buffer), static_cast<const char*>(address), bytes};
}

void write_atomically(const char* op, const std::string& path,
                      const std::function<void(const Sink&)>& produce) {
  std::string temporary = path + ".XXXXXX";
  Descriptor file{mkostemp(temporary.data(), O_CLOEXEC)};
  if (file.fd < 0) fail(op, "write", path, std::strerror(errno));
  try {
    produce([&](const void* data, size_t bytes) {
      const char* at = static_cast<const char*>(data);
      while (bytes > 0) {
        ssize_t n = write(file.fd, at, bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) fail(op, "write", path, std::strerror(errno));
        at += n;
        bytes -= static_cast<size_t>(n);
      }
    });
    // A file that others could read before stays readable for them.
    struct stat status;
    mode_t mask = umask(0);
    umask(mask);
    mode_t mode = stat(path.c_str(), &status) == 0 ? status.st_mode & 0777 : 0666 & ~mask;
    if (fchmod(file.fd, mode) != 0 || fsync(file.fd) != 0 ||
        rename(temporary.c_str(), path.c_str()) != 0) {
      fail(op, "write", path, std::strerror(errno));
    }
  } catch (...) {
    unlink(temporary.c_str());
    throw;
  }
}

}  // namespace heddle::io
