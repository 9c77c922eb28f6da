// Streams belong to the thread that made them.
#pragma once

#include <optional>
#include <ostream>
#include <tuple>
#include <variant>
#include <vector>

#include "mlx/device.h"

namespace mlx::core {

struct Stream {
  int index;
  Device device;

  explicit Stream(int number, Device where) : index(number), device(where) {}
  Stream(const heddle::Stream& s) : index(s.index), device(s.device) {}
  operator heddle::Stream() const { return {index, device}; }

  bool operator==(const Stream&) const = default;
  bool operator<(const Stream& other) const {
    return std::tie(device, index) < std::tie(other.device, other.index);
  }
};

struct ThreadLocalStream : public Stream {
  using Stream::Stream;
};

using StreamOrDevice =
    std::variant<std::monostate, Stream, ThreadLocalStream, Device, Device::DeviceType>;

namespace detail {

inline heddle::ThreadLocalStream in(const ThreadLocalStream& s) { return {s.index, s.device}; }
inline heddle::StreamOrDevice in(const StreamOrDevice& s) {
  switch (s.index()) {
    case 1:
      return heddle::Stream(std::get<Stream>(s));
    case 2:
      return in(std::get<ThreadLocalStream>(s));
    case 3:
      return heddle::Device(std::get<Device>(s));
    case 4:
      return heddle::Device(Device(std::get<Device::DeviceType>(s)));
    default:
      return {};
  }
}

}  // namespace detail

inline Stream to_stream(StreamOrDevice s) { return heddle::to_stream(detail::in(s)); }
inline Stream default_stream(Device d) { return heddle::default_stream(d); }
inline Stream to_stream(StreamOrDevice s, Device otherwise) {
  return std::holds_alternative<std::monostate>(s) ? default_stream(otherwise) : to_stream(s);
}
// MLX makes default streams when they are first used, heddle when a thread first asks.
inline std::optional<Stream> peek_default_stream(Device d) { return default_stream(d); }
inline void set_default_stream(Stream s) { heddle::set_default_stream(s); }
inline Stream new_stream(Device d) { return heddle::new_stream(d); }
inline Stream new_thread_unsafe_stream(Device d) { return heddle::new_thread_unsafe_stream(d); }
inline ThreadLocalStream new_thread_local_stream(Device d) {
  heddle::ThreadLocalStream s = heddle::new_thread_local_stream(d);
  return ThreadLocalStream(s.index, s.device);
}
inline Stream stream_from_thread_local_stream(ThreadLocalStream s) {
  return heddle::to_stream(detail::in(s));
}
// Those that the calling thread may use.
inline std::vector<Stream> get_streams() {
  std::vector<heddle::Stream> all = heddle::get_streams();
  return {all.begin(), all.end()};
}
inline void synchronize() { heddle::synchronize(); }
inline void synchronize(Stream s) { heddle::synchronize(heddle::Stream(s)); }
inline void synchronize(ThreadLocalStream s) { synchronize(stream_from_thread_local_stream(s)); }
inline void clear_streams() { heddle::clear_streams(); }

inline std::ostream& operator<<(std::ostream& stream, const Stream& s) {
  return stream << heddle::Stream(s);
}

}  // namespace mlx::core
