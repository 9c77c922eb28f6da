// Devices and streams. A stream is an ordered queue of work that belongs to the thread that made
// it; evaluating work of another thread's stream is refused. Default streams are per thread.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

namespace heddle {

struct Device {
  enum class Type : uint8_t { cpu, gpu };
  using DeviceType = Type;
  static constexpr Type cpu = Type::cpu;
  static constexpr Type gpu = Type::gpu;

  Type type = Type::cpu;
  int index = 0;

  Device() = default;
  Device(Type t, int i = 0) : type(t), index(i) {}  // implicit: a type names its first device
  bool operator==(const Device&) const = default;
};

struct Stream {
  int index = 0;
  Device device;
  bool operator==(const Stream&) const = default;
};

// A handle that stands for a separate stream in each thread.
struct ThreadLocalStream {
  int index = 0;
  Device device;
  bool operator==(const ThreadLocalStream&) const = default;
};

// Where an operation runs; the last parameter of every op. Empty means the default stream.
struct StreamOrDevice {
  enum class Kind : uint8_t { none, stream, thread_local_stream, device };
  Kind kind = Kind::none;
  int index = 0;
  Device device;

  StreamOrDevice() = default;
  StreamOrDevice(Stream s) : kind(Kind::stream), index(s.index), device(s.device) {}
  StreamOrDevice(ThreadLocalStream s)
      : kind(Kind::thread_local_stream), index(s.index), device(s.device) {}
  StreamOrDevice(Device d) : kind(Kind::device), index(d.index), device(d) {}
  StreamOrDevice(Device::Type t) : StreamOrDevice(Device(t)) {}
};

// Throws std::invalid_argument for a device that this build does not have.
Stream to_stream(const StreamOrDevice& s);

const Device& default_device();
void set_default_device(const Device& d);  // process-wide
bool is_available(const Device& d);
int device_count(Device::Type type);

struct DeviceInfo {
  std::string architecture;  // "x86_64"
  std::string name;          // of the processor
};
DeviceInfo device_info();  // of the CPU

Stream default_stream(const Device& d);            // of the calling thread
void set_default_stream(const Stream& s);          // of the calling thread
Stream new_stream(const Device& d);                // owned by the calling thread
Stream new_thread_unsafe_stream(const Device& d);  // usable from any thread, one at a time
ThreadLocalStream new_thread_local_stream(const Device& d);
std::vector<Stream> get_streams();  // that the calling thread may use
void clear_streams();  // ends all streams of the calling thread; its default stream is made anew

// Waits for all work of the stream (of the calling thread's default streams, if none is given) and
// rethrows the first error that it met.
void synchronize();
void synchronize(const Stream& s);

std::string to_string(const Device& d);             // Device(cpu, 0)
std::string to_string(const Stream& s);             // Stream(Device(cpu, 0), 0)
std::string to_string(const ThreadLocalStream& s);  // ThreadLocalStream(Device(cpu, 0), 0)
std::ostream& operator<<(std::ostream& stream, const Device& d);
std::ostream& operator<<(std::ostream& stream, const Stream& s);

// Makes `s` the default stream and device of the scope.
class StreamContext {
 public:
  explicit StreamContext(StreamOrDevice s);
  ~StreamContext();
  StreamContext(const StreamContext&) = delete;
  StreamContext& operator=(const StreamContext&) = delete;

 private:
  Stream previous_;
  Device previous_device_;
};

}  // namespace heddle
