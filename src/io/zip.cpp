#include "io/zip.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <set>
#include <stdexcept>

namespace heddle::io {
namespace {

constexpr uint32_t local_signature = 0x04034b50, central_signature = 0x02014b50;
constexpr uint32_t end_signature = 0x06054b50, end64_signature = 0x06064b50;
constexpr uint32_t locator_signature = 0x07064b50;
constexpr uint64_t local_bytes = 30, central_bytes = 46, end_bytes = 22, locator_bytes = 20;
constexpr uint16_t stored_method = 0, deflate_method = 8;
constexpr uint16_t encrypted_flag = 1, descriptor_flag = 8, utf8_flag = 0x800;
// Patches, strong encryption, masked headers: what follows is not the member.
constexpr uint16_t strange_flags = 0x20 | 0x40 | 0x2000;
constexpr uint16_t zip64_field = 1;
constexpr uint32_t saturated = 0xffffffff;  // the number stands in the zip64 field
constexpr uint16_t zip64_version = 45;
constexpr uint16_t first_of_january_1980 = 0x21;
constexpr uint32_t owner_reads_and_writes = 0600u << 16;
// The most that deflate can do: 258 bytes for two bits.
constexpr uint64_t max_deflate_ratio = 1032;
constexpr size_t piece_bytes = size_t{1} << 20;

struct Directory {
  uint64_t entries, size, offset, end;
};

// The end record: the last one whose comment reaches to the end of the file.
uint64_t find_end(const Origin& origin, const Bytes& file) {
  if (file.size < end_bytes)
    origin.refuse(0, "end record", "the file is too short for a zip archive");
  uint64_t last = file.size - end_bytes;
  for (uint64_t at = last;; at--) {
    uint32_t signature;
    uint16_t comment;
    std::memcpy(&signature, file.data + at, 4);
    std::memcpy(&comment, file.data + at + 20, 2);
    if (signature == end_signature && comment == last - at) return at;
    if (at == 0 || last - at == UINT16_MAX) break;
  }
  origin.refuse(last, "end record", "there is none: this is no zip archive, or it is cut short");
}

Directory read_end(const Origin& origin, const Bytes& file) {
  Reader r(origin, file.data, file.size);
  uint64_t at = find_end(origin, file);
  r.seek(at + 4, "end record");
  if (r.number<uint32_t>("disk numbers") != 0)
    r.refuse("disk numbers", "the archive has several parts");
  uint16_t here = r.number<uint16_t>("entries"), entries = r.number<uint16_t>("entries");
  if (here != entries) r.refuse("entries", "the archive has several parts");
  uint32_t size = r.number<uint32_t>("directory size"),
           offset = r.number<uint32_t>("directory offset");
  Directory d{entries, size, offset, at};
  if (at >= locator_bytes) {
    r.seek(at - locator_bytes, "zip64 locator");
    if (r.number<uint32_t>("zip64 locator") == locator_signature) {
      r.take(4, "zip64 locator");
      d.end = r.number<uint64_t>("zip64 end record");
      if (d.end > at - locator_bytes) r.refuse("zip64 end record", "it lies behind its locator");
      r.seek(d.end, "zip64 end record");
      if (r.number<uint32_t>("zip64 end record") != end64_signature) {
        r.refuse("zip64 end record", "its signature is missing");
      }
      r.take(20, "zip64 end record");
      uint64_t here64 = r.number<uint64_t>("entries");
      d.entries = r.number<uint64_t>("entries");
      d.size = r.number<uint64_t>("directory size");
      d.offset = r.number<uint64_t>("directory offset");
      if (here64 != d.entries || (entries != UINT16_MAX && entries != d.entries) ||
          (size != saturated && size != d.size) || (offset != saturated && offset != d.offset)) {
        r.refuse("zip64 end record", "it contradicts the end record");
      }
    }
  }
  if (d.offset > d.end || d.size != d.end - d.offset) {
    origin.refuse(d.end, "directory size",
                  fmt::format("{} bytes from {} on do not end at {}, where the end "
                              "record is",
                              d.size, d.offset, d.end));
  }
  if (d.entries > d.size / central_bytes) {
    origin.refuse(d.end, "entries", fmt::format("{} do not fit in {} bytes", d.entries, d.size));
  }
  return d;
}

// Sizes and offset from a header's extra fields, where the header itself has no room for them.
void take_zip64(Reader extra, std::initializer_list<uint64_t*> numbers) {
  if (std::none_of(numbers.begin(), numbers.end(), [](uint64_t* n) { return *n == saturated; }))
    return;
  while (extra.remaining() >= 4) {
    uint16_t id = extra.number<uint16_t>("extra field"),
             size = extra.number<uint16_t>("extra field");
    uint64_t base = extra.offset();
    Reader field(extra, extra.take(size, "extra field"), size, base);
    if (id != zip64_field) continue;
    for (uint64_t* n : numbers) {
      if (*n == saturated) *n = field.number<uint64_t>("zip64 sizes");
    }
    return;
  }
  extra.refuse("zip64 sizes", "the extra field with them is missing");
}

struct Central {
  ZipMember member;
  uint16_t flags, method;
  uint64_t local;
};

Central read_central(Reader& r, const Origin& origin) {
  uint64_t start = r.offset();
  if (r.number<uint32_t>("directory entry") != central_signature) {
    origin.refuse(start, "directory entry", "its signature is missing");
  }
  uint16_t made_by = r.number<uint16_t>("version");
  r.take(2, "version");
  Central c{};
  c.flags = r.number<uint16_t>("flags");
  c.method = r.number<uint16_t>("method");
  r.take(4, "time");
  c.member.crc = r.number<uint32_t>("checksum");
  c.member.stored = r.number<uint32_t>("compressed size");
  c.member.bytes = r.number<uint32_t>("size");
  uint16_t name = r.number<uint16_t>("name length"), extra = r.number<uint16_t>("extra length");
  uint16_t comment = r.number<uint16_t>("comment length");
  r.take(4, "attributes");
  uint32_t attributes = r.number<uint32_t>("attributes");
  c.local = r.number<uint32_t>("local offset");
  c.member.name = std::string(r.take(name, "name"), name);
  uint64_t base = r.offset();
  take_zip64(Reader(r, r.take(extra, "extra field"), extra, base),
             {&c.member.bytes, &c.member.stored, &c.local});
  r.take(comment, "comment");

  const std::string field = fmt::format("member '{}'", c.member.name.substr(0, 64));
  auto refuse = [&](const char* problem) { origin.refuse(start, field, problem); };
  if (!is_safe_member_name(c.member.name)) refuse("its name leads out of a folder");
  if (!is_utf8(c.member.name)) refuse("its name is not valid UTF-8");
  if (!(c.flags & utf8_flag) && !is_ascii(c.member.name))
    refuse("its name is in an unknown encoding");
  if (c.flags & encrypted_flag) refuse("it is encrypted");
  if (c.flags & strange_flags) refuse("it is a patch, or masked");
  if (c.method != stored_method && c.method != deflate_method) {
    refuse("its compression method is neither stored nor deflate");
  }
  uint32_t kind = made_by >> 8 == 3 ? attributes >> 28 : 0;  // the file type, where Unix made it
  if (kind != 0 && kind != 8) refuse("it is no regular file");
  c.member.deflated = c.method == deflate_method;
  if (!c.member.deflated && c.member.stored != c.member.bytes)
    refuse("it is stored in another size");
  if (c.member.bytes / max_deflate_ratio > c.member.stored) {
    refuse("no deflated data of this length can have so large a content");
  }
  return c;
}

// Checks the local header and finds the data behind it. Returns where the member ends.
uint64_t find_data(const Bytes& file, const Origin& origin, uint64_t end, Central& c) {
  const std::string field = fmt::format("member '{}'", c.member.name.substr(0, 64));
  Reader r(origin, file.data, end);
  r.seek(c.local, field);
  auto refuse = [&](const char* problem) { origin.refuse(c.local, field, problem); };
  if (r.remaining() < local_bytes) refuse("its local header lies outside the archive");
  if (r.number<uint32_t>(field) != local_signature)
    refuse("the signature of its local header is missing");
  r.take(2, field);
  uint16_t flags = r.number<uint16_t>(field), method = r.number<uint16_t>(field);
  r.take(4, field);
  uint32_t crc = r.number<uint32_t>(field);
  uint64_t stored = r.number<uint32_t>(field), bytes = r.number<uint32_t>(field);
  uint16_t name = r.number<uint16_t>(field), extra = r.number<uint16_t>(field);
  bool same_name = std::string_view(r.take(name, field), name) == c.member.name;
  uint64_t base = r.offset();
  Reader fields(r, r.take(extra, field), extra, base);
  bool same = same_name && method == c.method && flags == c.flags;
  if (!(flags & descriptor_flag)) {
    take_zip64(fields, {&bytes, &stored});
    same = same && crc == c.member.crc && stored == c.member.stored && bytes == c.member.bytes;
  }
  if (!same) refuse("its local header contradicts the directory");
  c.member.offset = r.offset();
  c.member.data = r.take(c.member.stored, field);
  return r.offset();
}

void append(std::string& out, uint64_t n, int bytes) {
  for (int i = 0; i < bytes; i++) out += static_cast<char>(n >> (8 * i) & 0xff);
}

struct Deflater {
  z_stream z{};
  Deflater() {
    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) !=
        Z_OK) {
      throw std::runtime_error("[savez_compressed] No memory for zlib.");
    }
  }
  ~Deflater() { deflateEnd(&z); }
};

std::string deflated(const std::vector<ZipWriter::Piece>& pieces) {
  Deflater d;
  std::string out;
  auto pump = [&](int flush) {
    do {
      size_t have = out.size();
      out.resize(have + piece_bytes);
      d.z.next_out = reinterpret_cast<Bytef*>(out.data() + have);
      d.z.avail_out = piece_bytes;
      deflate(&d.z, flush);
      out.erase(out.size() - d.z.avail_out);
    } while (d.z.avail_out == 0);
  };
  for (const auto& piece : pieces) {
    const char* at = static_cast<const char*>(piece.data);
    for (size_t left = piece.bytes; left > 0;) {
      size_t n = std::min(left, piece_bytes);
      d.z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(at));
      d.z.avail_in = static_cast<uInt>(n);
      pump(Z_NO_FLUSH);
      at += n;
      left -= n;
    }
  }
  pump(Z_FINISH);
  return out;
}

}  // namespace

bool is_safe_member_name(const std::string& name) {
  if (name.empty() || name.size() > UINT16_MAX || name[0] == '/') return false;
  if (name.find('\\') != std::string::npos || name.find('\0') != std::string::npos) return false;
  for (size_t at = 0; at <= name.size();) {
    size_t end = std::min(name.find('/', at), name.size());
    if (std::string_view(name).substr(at, end - at) == "..") return false;
    at = end + 1;
  }
  return true;
}

std::vector<ZipMember> read_zip_directory(const Origin& origin, const Bytes& file) {
  Directory directory = read_end(origin, file);
  Reader r(origin, file.data, directory.end);
  r.seek(directory.offset, "directory offset");
  std::vector<ZipMember> members;
  std::vector<std::pair<uint64_t, uint64_t>> ranges;
  std::set<std::string> names;
  for (uint64_t i = 0; i < directory.entries; i++) {
    Central c = read_central(r, origin);
    uint64_t end = find_data(file, origin, directory.offset, c);
    if (!names.insert(c.member.name).second) {
      r.refuse(fmt::format("member '{}'", c.member.name.substr(0, 64)), "the name occurs twice");
    }
    ranges.emplace_back(c.local, end);
    members.push_back(std::move(c.member));
  }
  if (r.remaining() != 0) r.refuse("directory", "bytes follow its last entry");
  std::sort(ranges.begin(), ranges.end());
  for (size_t i = 1; i < ranges.size(); i++) {
    if (ranges[i].first < ranges[i - 1].second) {
      origin.refuse(ranges[i].first, "member", "it overlaps with the one before it");
    }
  }
  return members;
}

struct ZipStream::Inflater {
  z_stream z{};
  const char* next = nullptr;
  uint64_t left = 0;  // not yet given to zlib
  bool ended = false;
  ~Inflater() { inflateEnd(&z); }
};

ZipStream::ZipStream(const Origin& origin, const ZipMember& member)
    : origin_(origin), member_(member) {
  if (!member.deflated) return;
  inflater_ = std::make_unique<Inflater>();
  inflater_->next = member.data;
  inflater_->left = member.stored;
  if (inflateInit2(&inflater_->z, -MAX_WBITS) != Z_OK) throw std::bad_alloc();
}

ZipStream::~ZipStream() = default;

size_t ZipStream::read(void* to, size_t n) {
  n = static_cast<size_t>(std::min<uint64_t>(n, member_.bytes - position_));
  n = std::min(n, piece_bytes);
  if (n == 0) return 0;
  size_t got = n;
  if (!inflater_) {
    std::memcpy(to, member_.data + position_, n);
  } else {
    Inflater& in = *inflater_;
    in.z.next_out = static_cast<Bytef*>(to);
    in.z.avail_out = static_cast<uInt>(n);
    while (in.z.avail_out > 0 && !in.ended) {
      if (in.z.avail_in == 0) {
        size_t piece = static_cast<size_t>(std::min<uint64_t>(in.left, piece_bytes));
        in.z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.next));
        in.z.avail_in = static_cast<uInt>(piece);
        in.next += piece;
        in.left -= piece;
      }
      int result = inflate(&in.z, Z_NO_FLUSH);
      if (result == Z_MEM_ERROR) throw std::bad_alloc();
      in.ended = result == Z_STREAM_END;
      if (result != Z_OK && !in.ended) {
        origin_.refuse(member_.offset + in.z.total_in,
                       fmt::format("member '{}'", member_.name.substr(0, 64)),
                       "its compressed data are damaged");
      }
    }
    got = n - in.z.avail_out;
    if (got == 0) {
      origin_.refuse(member_.offset + in.z.total_in,
                     fmt::format("member '{}'", member_.name.substr(0, 64)),
                     "its content is shorter than its size");
    }
  }
  crc_ = static_cast<uint32_t>(crc32_z(crc_, static_cast<const Bytef*>(to), got));
  position_ += got;
  return got;
}

void ZipStream::finish() {
  const std::string field = fmt::format("member '{}'", member_.name.substr(0, 64));
  if (inflater_ && !inflater_->ended) {
    // The end mark may still follow; content may not.
    char more;
    Inflater& in = *inflater_;
    in.z.next_out = reinterpret_cast<Bytef*>(&more);
    in.z.avail_out = 1;
    if (in.z.avail_in == 0) {
      size_t piece = static_cast<size_t>(std::min<uint64_t>(in.left, piece_bytes));
      in.z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.next));
      in.z.avail_in = static_cast<uInt>(piece);
    }
    in.ended = inflate(&in.z, Z_NO_FLUSH) == Z_STREAM_END && in.z.avail_out == 1;
    if (!in.ended) origin_.refuse(member_.offset, field, "its content is longer than its size");
  }
  if (inflater_ && inflater_->z.total_in != member_.stored) {
    origin_.refuse(member_.offset, field, "bytes follow its compressed data");
  }
  if (crc_ != member_.crc) {
    origin_.refuse(member_.offset, field,
                   fmt::format("its checksum is {:08x}, {:08x} is wanted", crc_, member_.crc));
  }
}

void ZipWriter::write(const std::string& bytes) {
  sink_(bytes.data(), bytes.size());
  position_ += bytes.size();
}

void ZipWriter::add(const std::string& name, const std::vector<Piece>& pieces, bool deflate) {
  Entry e{name, deflate ? deflate_method : stored_method, 0, 0, 0, position_};
  for (const Piece& piece : pieces) {
    e.crc =
        static_cast<uint32_t>(crc32_z(e.crc, static_cast<const Bytef*>(piece.data), piece.bytes));
    e.bytes += piece.bytes;
  }
  std::string compressed;
  if (deflate) compressed = deflated(pieces);
  e.stored = deflate ? compressed.size() : e.bytes;

  // With room for 64-bit sizes always, as numpy writes it.
  std::string header;
  append(header, local_signature, 4);
  append(header, zip64_version, 2);
  append(header, is_ascii(name) ? 0 : utf8_flag, 2);
  append(header, e.method, 2);
  append(header, 0, 2);
  append(header, first_of_january_1980, 2);
  append(header, e.crc, 4);
  append(header, saturated, 4);
  append(header, saturated, 4);
  append(header, name.size(), 2);
  append(header, 20, 2);
  header += name;
  append(header, zip64_field, 2);
  append(header, 16, 2);
  append(header, e.bytes, 8);
  append(header, e.stored, 8);
  write(header);
  if (deflate) {
    write(compressed);
  } else {
    for (const Piece& piece : pieces) sink_(piece.data, piece.bytes);
    position_ += e.bytes;
  }
  entries_.push_back(std::move(e));
}

void ZipWriter::finish() {
  uint64_t start = position_;
  for (const Entry& e : entries_) {
    std::string extra;
    uint64_t numbers[] = {e.bytes, e.stored, e.offset};
    for (uint64_t& n : numbers) {
      if (n < saturated) continue;
      append(extra, n, 8);
      n = saturated;
    }
    std::string header;
    append(header, central_signature, 4);
    append(header, 3 << 8 | zip64_version, 2);  // made under Unix
    append(header, zip64_version, 2);
    append(header, is_ascii(e.name) ? 0 : utf8_flag, 2);
    append(header, e.method, 2);
    append(header, 0, 2);
    append(header, first_of_january_1980, 2);
    append(header, e.crc, 4);
    append(header, numbers[1], 4);
    append(header, numbers[0], 4);
    append(header, e.name.size(), 2);
    append(header, extra.empty() ? 0 : extra.size() + 4, 2);
    append(header, 0, 2);
    append(header, 0, 4);
    append(header, owner_reads_and_writes, 4);
    append(header, numbers[2], 4);
    header += e.name;
    if (!extra.empty()) {
      append(header, zip64_field, 2);
      append(header, extra.size(), 2);
      header += extra;
    }
    write(header);
  }
  uint64_t size = position_ - start, count = entries_.size();
  std::string end;
  if (count >= UINT16_MAX || size >= saturated || start >= saturated) {
    append(end, end64_signature, 4);
    append(end, 44, 8);
    append(end, zip64_version, 2);
    append(end, zip64_version, 2);
    append(end, 0, 8);
    append(end, count, 8);
    append(end, count, 8);
    append(end, size, 8);
    append(end, start, 8);
    append(end, locator_signature, 4);
    append(end, 0, 4);
    append(end, position_, 8);
    append(end, 1, 4);
  }
  append(end, end_signature, 4);
  append(end, 0, 4);
  append(end, std::min<uint64_t>(count, UINT16_MAX), 2);
  append(end, std::min<uint64_t>(count, UINT16_MAX), 2);
  append(end, std::min<uint64_t>(size, saturated), 4);
  append(end, std::min<uint64_t>(start, saturated), 4);
  append(end, 0, 2);
  write(end);
}

}  // namespace heddle::io
