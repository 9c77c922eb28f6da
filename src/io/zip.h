// Zip archives: members stored or deflated, zip64 included. Everything is taken from the central
// directory and compared with the local headers. Refused: encryption, other methods, names that
// occur twice or lead out of a folder, symbolic links, members that overlap, sizes that no deflated
// data can have.
#pragma once

#include <memory>
#include <vector>

#include "io/file.h"
#include "io/reader.h"

namespace heddle::io {

struct ZipMember {
  std::string name;
  bool deflated = false;
  uint32_t crc = 0;
  uint64_t stored = 0;  // bytes in the archive, at `data`
  uint64_t bytes = 0;   // bytes of the content
  uint64_t offset = 0;  // of the data in the file
  const char* data = nullptr;
};

std::vector<ZipMember> read_zip_directory(const Origin& origin, const Bytes& file);

// Reads the content of one member from its start. The member's memory must outlive it.
class ZipStream {
 public:
  ZipStream(const Origin& origin, const ZipMember& member);
  ~ZipStream();
  ZipStream(const ZipStream&) = delete;
  ZipStream& operator=(const ZipStream&) = delete;

  // Up to `n` bytes; none at the end.
  size_t read(void* to, size_t n);
  // After the last byte: refuses content that goes on or whose checksum differs.
  void finish();
  uint64_t position() const { return position_; }

 private:
  struct Inflater;
  const Origin& origin_;
  const ZipMember& member_;
  std::unique_ptr<Inflater> inflater_;
  uint64_t position_ = 0;
  uint32_t crc_ = 0;
};

class ZipWriter {
 public:
  explicit ZipWriter(const WriteFunction& sink) : sink_(sink) {}
  // The member's content is the pieces one after the other.
  struct Piece {
    const void* data;
    size_t bytes;
  };
  void add(const std::string& name, const std::vector<Piece>& pieces, bool deflate);
  void finish();

 private:
  void write(const std::string& bytes);

  struct Entry {
    std::string name;
    uint16_t method;
    uint32_t crc;
    uint64_t stored, bytes, offset;
  };
  const WriteFunction& sink_;
  std::vector<Entry> entries_;
  uint64_t position_ = 0;
};

// True for a name that stays below the folder it is unpacked in: no absolute path, no "..".
bool is_safe_member_name(const std::string& name);

}  // namespace heddle::io
