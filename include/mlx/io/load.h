// Where a program's own streams of bytes come in, and those of files.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <ios>
#include <stdexcept>
#include <string>
#include <utility>

#include "heddle/io.h"

namespace mlx::core::io {

// What a program derives from to read from, or write to, a place of its own.
class Reader {
 public:
  virtual ~Reader() = default;
  virtual bool is_open() const = 0;
  virtual bool good() const = 0;
  virtual size_t tell() = 0;
  virtual void seek(int64_t offset, std::ios_base::seekdir way = std::ios_base::beg) = 0;
  virtual void read(char* data, size_t bytes) = 0;
  virtual void read(char* data, size_t bytes, size_t offset) = 0;
  virtual std::string label() const = 0;
};
class Writer {
 public:
  virtual ~Writer() = default;
  virtual bool is_open() const = 0;
  virtual bool good() const = 0;
  virtual size_t tell() = 0;
  virtual void seek(int64_t offset, std::ios_base::seekdir way = std::ios_base::beg) = 0;
  virtual void write(const char* data, size_t bytes) = 0;
  virtual std::string label() const = 0;
  virtual void open() {}  // before the first byte, after what is written has been computed
};

// A file descriptor that is closed once.
class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor() {
    if (is_open()) ::close(number_);
  }
  int number() const { return number_; }
  bool is_open() const { return number_ >= 0; }
  size_t tell() const { return static_cast<size_t>(::lseek(number_, 0, SEEK_CUR)); }
  void seek(int64_t offset, std::ios_base::seekdir way) const {
    int from = way == std::ios_base::beg   ? SEEK_SET
               : way == std::ios_base::end ? SEEK_END
                                           : SEEK_CUR;
    ::lseek(number_, offset, from);
  }

 private:
  int number_;
};

// Throws std::runtime_error at the end of the file.
class ParallelFileReader : public Reader {
 public:
  explicit ParallelFileReader(std::string path)
      : file_(::open(path.c_str(), O_RDONLY)), path_(std::move(path)) {}

  bool is_open() const override { return file_.is_open(); }
  bool good() const override { return is_open(); }
  size_t tell() override { return file_.tell(); }
  void seek(int64_t offset, std::ios_base::seekdir way = std::ios_base::beg) override {
    file_.seek(offset, way);
  }
  void read(char* data, size_t bytes) override {
    size_t at = tell();
    read(data, bytes, at);
    seek(static_cast<int64_t>(at + bytes));
  }
  void read(char* data, size_t bytes, size_t offset) override {
    while (bytes != 0) {
      ssize_t got = ::pread(file_.number(), data, bytes, static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) throw std::runtime_error("[read] Unable to read from " + label() + ".");
      data += got;
      bytes -= static_cast<size_t>(got);
      offset += static_cast<size_t>(got);
    }
  }
  std::string label() const override { return "file " + path_; }

 private:
  Descriptor file_;
  std::string path_;
};

// Throws std::runtime_error if it is not open or the system refuses.
class FileWriter : public Writer {
 public:
  FileWriter() = default;
  explicit FileWriter(std::string path) : path_(std::move(path)) {}
  FileWriter(FileWriter&&) = default;

  void open() override {
    if (!is_open() && !path_.empty()) {
      file_ = Descriptor(::open(path_.c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0644));
    }
  }
  bool is_open() const override { return file_.is_open(); }
  bool good() const override { return is_open(); }
  size_t tell() override {
    check_open();
    return file_.tell();
  }
  void seek(int64_t offset, std::ios_base::seekdir way = std::ios_base::beg) override {
    check_open();
    file_.seek(offset, way);
  }
  void write(const char* data, size_t bytes) override {
    check_open();
    while (bytes != 0) {
      ssize_t put = ::write(file_.number(), data, bytes);
      if (put < 0 && errno == EINTR) continue;
      if (put <= 0) throw std::runtime_error("[write] Unable to write to " + label() + ".");
      data += put;
      bytes -= static_cast<size_t>(put);
    }
  }
  std::string label() const override { return "file " + path_; }

 private:
  void check_open() const {
    if (!is_open()) throw std::runtime_error("[write] " + label() + " is not open.");
  }
  Descriptor file_;
  std::string path_;
};

}  // namespace mlx::core::io
