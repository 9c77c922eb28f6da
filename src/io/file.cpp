#include "io/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
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

// A file on its way to the place of `path`. Its writer holds a lock on it: what carries such a name
// and is not locked was left behind by a process that was killed.
class NewFile {
 public:
  explicit NewFile(const std::string& path) : path_(path) {
    // The system applies the process's mask to the mode. Such a file gets its name through /proc.
    std::filesystem::path folder = std::filesystem::path(path).parent_path();
    if (folder.empty()) folder = ".";
    if (access("/proc/self/fd", X_OK) == 0) {
      fd_ = open(folder.c_str(), O_WRONLY | O_TMPFILE | O_CLOEXEC, 0666);
    }
    if (fd_ >= 0) {
      flock(fd_, LOCK_EX | LOCK_NB);
    } else {
      in_turn([&] { return create(); });
    }
  }
  ~NewFile() {
    if (fd_ < 0) return;
    if (!name_.empty()) unlink(name_.c_str());
    close(fd_);
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  int descriptor() const { return fd_; }  // negative if there is none; errno says why

  // False, with errno set, where that fails.
  bool put_in_place() {
    if (name_.empty()) {
      const std::string self = fmt::format("/proc/self/fd/{}", fd_);
      auto link_to = [&](const std::string& name) {
        return linkat(AT_FDCWD, self.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) == 0;
      };
      if (link_to(path_)) return true;
      if (errno != EEXIST) return false;
      in_turn(
          [&] { return link_to(candidate_) || (remove_if_left_behind() && link_to(candidate_)); });
      if (name_.empty()) return false;
    }
    if (rename(name_.c_str(), path_.c_str()) != 0) return false;
    name_.clear();
    return true;
  }

 private:
  // Tries names until `take` succeeds with candidate_, or fails for another reason than that
  // another has it.
  template <class F>
  void in_turn(F take) {
    constexpr int most = 100;  // that write the same file at a time
    for (int i = 0; i < most; i++) {
      candidate_ = fmt::format("{}.{}.partial", path_, i);
      if (take()) {
        name_ = candidate_;
        return;
      }
      if (errno != EEXIST) return;
    }
  }

  bool create() {
    do {
      fd_ = open(candidate_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    } while (fd_ < 0 && errno == EEXIST && remove_if_left_behind());
    if (fd_ < 0) return false;
    flock(fd_, LOCK_EX | LOCK_NB);
    struct stat status;
    if (fstat(fd_, &status) == 0 && status.st_nlink > 0) return true;
    close(fd_);  // another has removed it before it was locked
    return create();
  }

  // Else errno is EEXIST: the candidate is another's.
  bool remove_if_left_behind() {
    Descriptor old{open(candidate_.c_str(), O_WRONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)};
    struct stat status;
    const bool left = old.fd >= 0 && fstat(old.fd, &status) == 0 && S_ISREG(status.st_mode) &&
                      status.st_uid == geteuid() && flock(old.fd, LOCK_EX | LOCK_NB) == 0;
    if (left && unlink(candidate_.c_str()) == 0) return true;
    errno = EEXIST;
    return false;
  }

  const std::string path_;
  std::string candidate_, name_;  // no name: it has none yet, or is in its place
  int fd_ = -1;
};

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
  const bool replaceable = !exists || S_ISREG(old.st_mode);
  std::optional<NewFile> made;
  if (replaceable) made.emplace(path);
  Descriptor device{replaceable ? -1 : open(path.c_str(), O_WRONLY | O_CLOEXEC)};
  const int fd = replaceable ? made->descriptor() : device.fd;
  if (fd < 0) fail(op, "write", given);
  // Small pieces are gathered: a file of many small arrays is not as many calls of the system.
  constexpr size_t gathered_bytes = size_t{1} << 18;
  std::string gathered;
  auto flush = [&] {
    write_all(op, given, fd, gathered.data(), gathered.size());
    gathered.clear();
  };
  auto sink = [&](const void* data, size_t bytes) {
    if (gathered.size() + bytes > gathered_bytes) flush();
    if (bytes > gathered_bytes) return write_all(op, given, fd, data, bytes);
    gathered.append(static_cast<const char*>(data), bytes);
  };
  produce(sink);
  flush();
  if (!replaceable) return;
  // A file that others could read before stays readable for them.
  if ((exists && fchmod(fd, old.st_mode & 0777) != 0) || fsync(fd) != 0 || !made->put_in_place()) {
    fail(op, "write", given);
  }
}

}  // namespace heddle::io
